using Microsoft.Extensions.Time.Testing;

namespace PoolApi.Threading.Tests.Queue;

/// <summary>A batch: the pool accepts as many of its items as fit, from the front, and keeps their order.</summary>
public class BatchTests
{
    [Fact]
    public void The_pool_accepts_all_items_of_a_batch_and_starts_them_in_their_order()
    {
        var order = new List<int>(); // only one worker writes
        FixedThreadPool pool = Pools.Make(capacity: 2000);
        using (pool.Occupy())
        {
            // The first batch has more items than the 256 whose states TrySubmit keeps on the stack.
            PoolWorkItem[] first = Items(0, 300);
            PoolWorkItem[] second = Items(300, 500);
            Assert.Equal(300, pool.TrySubmit(first));
            Assert.Equal(200, pool.TrySubmit(second));
            Assert.Equal(0, pool.TrySubmit(ReadOnlySpan<PoolWorkItem>.Empty));
            Assert.Equal(500, pool.GetSnapshot().QueueLength);
        }
        pool.Dispose();
        Assert.Equal(Enumerable.Range(0, 500), order);

        PoolWorkItem[] Items(int from, int to) => [.. Enumerable.Range(from, to - from).Select(i => new TestItem(_ => order.Add(i)))];
    }

    [Fact]
    public void The_queue_accepts_as_many_items_of_a_batch_as_fit_and_leaves_the_rest_unchanged()
    {
        FixedThreadPool pool = Pools.Make(capacity: 3);
        TestItem[] items = [.. Enumerable.Range(0, 5).Select(_ => new TestItem())];
        using (pool.Occupy())
        {
            Assert.Equal(3, pool.TrySubmit(items));
            Assert.Equal(0, pool.TrySubmit(items.AsSpan(3)[..1].ToArray()));
            Assert.Equal(3, pool.GetSnapshot().QueueLength);
        }
        Patience.Until(() => items.Take(3).All(static item => item.Endings.Count == 1));
        Patience.Until(() => pool.GetSnapshot().InFlight == 0);
        Assert.Equal(2, pool.TrySubmit(items.AsSpan(3).ToArray()));
        pool.Dispose();
        Assert.All(items, item => Assert.Equal([WorkOutcome.Completed], item.Endings.Outcomes));
        Pools.AddsUp(pool.GetSnapshot());
    }

    [Fact]
    public void A_closed_pool_accepts_no_item_of_a_batch_and_another_pool_can_accept_them()
    {
        FixedThreadPool closed = Pools.Make();
        _ = closed.CloseAsync();
        TestItem[] items = [new(), new()];
        Assert.Equal(0, closed.TrySubmit(items));
        closed.Dispose();
        FixedThreadPool other = Pools.Make();
        Assert.Equal(2, other.TrySubmit(items));
        other.Dispose();
        Assert.All(items, item => Assert.Equal([WorkOutcome.Completed], item.Endings.Outcomes));
    }

    [Theory]
    [InlineData("waits")]
    [InlineData("twice")]
    [InlineData("null")]
    public void A_batch_with_one_item_that_cannot_be_submitted_throws_and_submits_nothing(string what)
    {
        FixedThreadPool pool = Pools.Make(capacity: 10);
        TestItem[] items = [.. Enumerable.Range(0, 5).Select(_ => new TestItem())];
        using (pool.Occupy())
        {
            PoolWorkItem[] batch = [.. items];
            if (what == "waits") pool.Accepted(items[3]);
            if (what == "twice") batch[3] = items[1];
            if (what == "null") batch[3] = null!;
            int waiting = pool.GetSnapshot().QueueLength;
            if (what == "null") Assert.Throws<ArgumentNullException>(() => pool.TrySubmit(batch));
            else Assert.Throws<InvalidOperationException>(() => pool.TrySubmit(batch));
            Assert.Equal(waiting, pool.GetSnapshot().QueueLength);
            foreach (TestItem item in items)
            {
                if (what != "waits" || item != items[3]) pool.Accepted(item);
            }
            // The batch has given its places back.
            PoolWorkItem[] rest = [.. Enumerable.Range(0, 10).Select(_ => new TestItem())];
            Assert.Equal(5, pool.TrySubmit(rest));
        }
        pool.Dispose();
        Assert.All(items, item => Assert.Equal([WorkOutcome.Completed], item.Endings.Outcomes));
        Pools.AddsUp(pool.GetSnapshot());
    }

    [Fact]
    public void The_options_and_the_token_of_a_batch_apply_to_each_of_its_items()
    {
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(time: time);
        using Occupation busy = pool.Occupy();
        using var cts = new CancellationTokenSource();
        TestItem[] late = [new(), new(), new()];
        TestItem[] cancelled = [new(), new(), new(), new()];
        Assert.Equal(3, pool.TrySubmit(late, options: new(priority: WorkPriority.High, maxQueueTime: TimeSpan.FromSeconds(1))));
        Assert.Equal(4, pool.TrySubmit(cancelled, cts.Token, new(priority: WorkPriority.Low)));
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal((7, 3, 4), (snapshot.QueueLength, snapshot.GetQueueLength(WorkPriority.High), snapshot.GetQueueLength(WorkPriority.Low)));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.All(late, item => Assert.Equal([WorkOutcome.Expired], item.Endings.Outcomes));
        cts.Cancel();
        Assert.All(cancelled, item => Assert.Equal([WorkOutcome.Cancelled], item.Endings.Outcomes));
        Assert.Equal(0, pool.GetSnapshot().QueueLength);
    }

    [Fact]
    public void Batches_of_many_submitters_keep_their_order_and_lose_nothing()
    {
        const int Submitters = 3;
        var order = new List<(int Submitter, int Number)>();
        FixedThreadPool pool = Pools.Make(capacity: 50);
        Thread[] submitters = [.. Enumerable.Range(0, Submitters).Select(n => Patience.OnOwnThread(() =>
        {
            var random = new Random(n);
            int next = 0;
            while (next < 2000)
            {
                PoolWorkItem[] batch = [.. Enumerable.Range(next, random.Next(1, 80)).Select(i => new TestItem(_ => order.Add((n, i))))];
                next += pool.TrySubmit(batch);
                if (((IPoolAdmission)pool).IsLikelyFull) pool.WaitForSpaceBlocking(Patience.Long);
            }
        }))];
        foreach (Thread submitter in submitters) submitter.JoinPatiently();
        pool.Dispose();
        for (int n = 0; n < Submitters; n++)
        {
            int[] numbers = [.. order.Where(o => o.Submitter == n).Select(o => o.Number)];
            Assert.Equal(Enumerable.Range(0, numbers.Length), numbers);
            Assert.InRange(numbers.Length, 2000, 2080);
        }
        Assert.Equal(order.Count, pool.GetSnapshot().Counts[WorkOutcome.Completed]);
    }
}
