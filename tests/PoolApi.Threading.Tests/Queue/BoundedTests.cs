namespace PoolApi.Threading.Tests.Queue;

/// <summary>P3: the queue is bounded, and a submitter that finds it full gets a refusal at once.</summary>
public class BoundedTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 1)]
    [InlineData(3, 7)]
    public void A_new_pool_accepts_exactly_its_capacity_and_one_for_each_worker(int workers, int capacity)
    {
        // Many rounds: the number of places must not depend on whether the threads have started yet.
        for (int round = 0; round < 20; round++)
        {
            using FixedThreadPool pool = Pools.Make(workers, capacity);
            using var release = new ManualResetEventSlim();
            TestItem Blocker() => new(_ => release.WaitPatiently());
            for (int i = 0; i < workers + capacity; i++) pool.Accepted(Blocker());
            Assert.Equal(SubmitResult.QueueFull, pool.Answer(Blocker()));
            Assert.True(((IPoolAdmission)pool).IsLikelyFull);
            Patience.Until(() => pool.GetSnapshot().InFlight == workers);
            Assert.Equal(SubmitResult.QueueFull, pool.Answer(Blocker()));
            Assert.Equal((capacity, capacity), (pool.GetSnapshot().QueueLength, pool.GetSnapshot().QueueCapacity));
            release.Set();
        }
    }

    [Fact]
    public void Workers_that_fell_asleep_again_are_counted_as_free()
    {
        using FixedThreadPool pool = Pools.Make(2, 1);
        for (int round = 0; round < 100; round++)
        {
            using (pool.Occupy())
            {
                var waiting = new TestItem();
                pool.Accepted(waiting);
                var refused = new TestItem();
                Assert.Equal(SubmitResult.QueueFull, pool.Answer(refused));
                Assert.Equal(0, refused.Endings.Count);
            }
            // Three places are free only after both workers have released their items.
            Patience.Until(() => pool.GetSnapshot() is { InFlight: 0, QueueLength: 0 } && !((IPoolAdmission)pool).IsLikelyFull);
        }
    }

    [Fact]
    public async Task Cancelling_a_queued_item_frees_its_place_at_once()
    {
        using FixedThreadPool pool = Pools.Make(1, 3);
        using Occupation busy = pool.Occupy();
        TestItem[] items = [new(), new(), new()];
        foreach (TestItem item in items) pool.Accepted(item);
        foreach (TestItem gone in new[] { items[1], items[0], items[2] }) // the middle, the first, the last
        {
            Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
            Assert.True(gone.Cancel());
            pool.Accepted(new TestItem());
        }
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
        busy.Dispose();
        pool.Dispose();
        Assert.Equal(3, pool.GetSnapshot().Counts[WorkOutcome.Cancelled]);
        Assert.Equal(4, pool.GetSnapshot().Counts[WorkOutcome.Completed]);
        await Assert.ThrowsAsync<WorkRejectedException>(() => pool.RunAsync(() => 1).Patiently());
    }

    [Fact]
    public async Task RunAsync_fails_at_once_when_the_queue_is_full_or_the_pool_is_closed()
    {
        using FixedThreadPool pool = Pools.Make(1, 1);
        using Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        ValueTask<int> full = pool.RunAsync(() => 1);
        Assert.True(full.IsFaulted);
        var error = await Assert.ThrowsAsync<WorkRejectedException>(() => full.Patiently());
        Assert.Equal(SubmitResult.QueueFull, Pools.Reason(error));
        _ = pool.CloseAsync();
        ValueTask<int> closed = pool.RunAsync(() => 1);
        Assert.True(closed.IsFaulted);
        Assert.Equal(SubmitResult.Closed, Pools.Reason((await Assert.ThrowsAsync<WorkRejectedException>(() => closed.Patiently()))));
        Assert.Equal(2, pool.GetSnapshot().Accepted);
    }

    [Fact]
    public async Task Suspended_items_resume_although_the_queue_is_full_and_the_pool_is_closed()
    {
        using FixedThreadPool pool = Pools.Make(1, 1);
        var resume = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<int>[] calls = Enumerable.Range(0, 5).Select(i =>
        {
            Task<int> call = pool.RunAsync(async () =>
            {
                await resume.Task;
                await Task.Yield();
                return i;
            }).AsTask();
            Patience.Until(() => pool.GetSnapshot().Suspended == i + 1);
            return call;
        }).ToArray();
        Occupation busy = pool.Occupy();
        var waiting = new TestItem();
        pool.Accepted(waiting);
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
        _ = pool.CloseAsync();
        resume.SetResult();
        Assert.Equal((1, 6), (pool.GetSnapshot().QueueLength, pool.GetSnapshot().InFlight));
        busy.Dispose();
        int[] results = await Task.WhenAll(calls).Patiently();
        Assert.Equal([0, 1, 2, 3, 4], results);
        Assert.Equal(WorkOutcome.Completed, await waiting.Endings.First);
    }

    [Fact]
    public async Task Queued_continuations_are_never_refused_and_take_the_places_of_new_items()
    {
        const int Capacity = 10;
        using FixedThreadPool pool = Pools.Make(1, Capacity);
        var resume = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task[] calls = [.. Enumerable.Range(0, Capacity + 1).Select(i =>
        {
            Task call = pool.RunAsync(async () => await resume.Task).AsTask();
            Patience.Until(() => pool.GetSnapshot().Suspended == i + 1);
            return call;
        })];
        using (pool.Occupy())
        {
            resume.SetResult();
            Patience.Until(() => pool.Core.Queue.PendingEstimate == Capacity + 2);
            Assert.Equal((0, true), (pool.GetSnapshot().QueueLength, ((IPoolAdmission)pool).IsLikelyFull));
            Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
        }
        await Task.WhenAll(calls).Patiently();
        Patience.Until(() => pool.Core.Queue.PendingEstimate == 0);
        pool.Accepted(new TestItem());
    }

    [Fact]
    public async Task Queued_items_run_in_the_order_of_submission()
    {
        using FixedThreadPool pool = Pools.Make();
        var order = new List<int>();
        using (pool.Occupy())
        {
            for (int i = 0; i < 100; i++)
            {
                int n = i;
                pool.Accepted(new TestItem(_ => order.Add(n)));
            }
        }
        await pool.DisposeAsync();
        Assert.Equal(Enumerable.Range(0, 100), order);
    }
}
