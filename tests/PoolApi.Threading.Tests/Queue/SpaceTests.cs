using System.Globalization;
using Microsoft.Extensions.Time.Testing;

namespace PoolApi.Threading.Tests.Queue;

/// <summary>A submitter that finds the queue full can wait for space.</summary>
public class SpaceTests
{
    [Fact]
    public async Task A_wait_for_space_completes_at_once_when_the_queue_has_space()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        ValueTask<bool> room = Room(pool);
        Assert.True(room.IsCompletedSuccessfully);
        Assert.True(await room);
        Assert.True(pool.WaitForSpaceBlocking(TimeSpan.Zero));
    }

    [Theory]
    [InlineData("end")]
    [InlineData("cancel")]
    [InlineData("expiry")]
    public async Task A_place_that_becomes_free_ends_the_wait(string how)
    {
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(capacity: 1, time: time, maxQueueTime: TimeSpan.FromSeconds(5));
        using Occupation busy = pool.Occupy();
        var waiting = new TestItem();
        pool.Accepted(waiting);
        Task<bool> room = Room(pool).AsTask();
        Task<bool> blocked = Blocked(pool, Timeout.InfiniteTimeSpan);
        Assert.False(room.IsCompleted);
        switch (how)
        {
            case "end":
                busy.Dispose();
                break;
            case "cancel":
                waiting.Cancel();
                break;
            default:
                time.Advance(TimeSpan.FromSeconds(5));
                break;
        }
        Assert.True(await room.Patiently());
        Assert.True(await blocked.Patiently());
    }

    [Fact]
    public async Task One_free_place_ends_a_wait_even_after_many_very_short_items()
    {
        FixedThreadPool pool = Pools.Make(capacity: 100);
        for (int round = 0; round < 50; round++)
        {
            RunTiny(pool);
            using Occupation busy = pool.Occupy();
            var items = new List<TestItem>();
            do items.Add(new TestItem());
            while (pool.Answer(items[^1]) == SubmitResult.Accepted);
            ValueTask<bool> room = Room(pool);
            items[0].Cancel(); // the only place that becomes free
            Assert.True(await room.Patiently());
        }
        pool.Dispose();
    }

    [Fact]
    public async Task A_notified_waiter_that_does_not_submit_does_not_block_the_other_waiters()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        var waiting = new TestItem();
        pool.Accepted(waiting);
        Task<bool>[] rooms = [.. Enumerable.Range(0, 3).Select(_ => Room(pool).AsTask())];
        waiting.Cancel();
        Assert.All(await Task.WhenAll(rooms).Patiently(), Assert.True);
    }

    [Fact]
    public void WaitForSpaceBlocking_finds_one_free_place_even_after_many_very_short_items()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 100);
        RunTiny(pool);
        using Occupation busy = pool.Occupy();
        for (int i = 0; i < 99; i++) pool.Accepted(new TestItem()); // one place is free
        Assert.True(pool.WaitForSpaceBlocking(Patience.Long));
        pool.Accepted(new TestItem());
        Assert.False(pool.WaitForSpaceBlocking(TimeSpan.Zero));
    }

    [Fact]
    public async Task Closing_the_pool_ends_every_wait_for_space_with_false()
    {
        FixedThreadPool pool = Pools.Make(capacity: 1);
        using (pool.Occupy())
        {
            pool.Accepted(new TestItem());
            Task<bool>[] rooms = [.. Enumerable.Range(0, 5).Select(_ => Room(pool).AsTask()), Blocked(pool, Timeout.InfiniteTimeSpan)];
            _ = pool.CloseAsync();
            Assert.All(await Task.WhenAll(rooms).Patiently(), Assert.False);
            Assert.False(await Room(pool));
            Assert.False(pool.WaitForSpaceBlocking(Timeout.InfiniteTimeSpan));
        }
        pool.Dispose();
    }

    [Fact]
    public async Task A_cancelled_wait_throws_and_the_next_waiter_gets_the_place()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        var waiting = new TestItem();
        pool.Accepted(waiting);
        using var cts = new CancellationTokenSource();
        Task<bool> first = pool.WaitForSpaceAsync(cts.Token).AsTask();
        Task<bool> second = Room(pool).AsTask();
        cts.Cancel();
        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(first.Patiently);
        Assert.Equal(cts.Token, error.CancellationToken);
        Assert.False(second.IsCompleted);
        waiting.Cancel();
        Assert.True(await second.Patiently());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await pool.WaitForSpaceAsync(cts.Token));
    }

    [Fact]
    public async Task One_token_cancels_a_hundred_thousand_waits_within_four_seconds_of_processor_time()
    {
        const int Waits = 100_000;
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        using var cts = new CancellationTokenSource();
        Task<bool>[] rooms = [.. Enumerable.Range(0, Waits).Select(_ => pool.WaitForSpaceAsync(cts.Token).AsTask())];
        TimeSpan took = default;
        Patience.OnOwnThread(() =>
        {
            string thread = ThreadIds.OfCurrent().ToString(CultureInfo.InvariantCulture);
            cts.Cancel();
            // The processor time of this thread alone, in ticks of 10 ms.
            string[] stat = Pools.ThreadStat(thread);
            took = TimeSpan.FromMilliseconds(10 * (long.Parse(stat[11], CultureInfo.InvariantCulture) + long.Parse(stat[12], CultureInfo.InvariantCulture)));
        }).JoinPatiently(MachineLoad.Stretch(Patience.Long));
        await Task.WhenAll(rooms).ContinueWith(static _ => { }, TaskScheduler.Default).Patiently();
        Assert.All(rooms, static room => Assert.True(room.IsCanceled));
        // A search of the list for each wait would take five billion steps.
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(4));
    }

    [Fact]
    public async Task WaitForSpaceBlocking_returns_false_when_its_timeout_expires()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        var waiting = new TestItem();
        pool.Accepted(waiting);
        Assert.False(pool.WaitForSpaceBlocking(TimeSpan.Zero));
        Assert.False(pool.WaitForSpaceBlocking(TimeSpan.FromMilliseconds(20)));
        // Waits that have timed out take no place from a later wait.
        Task<bool> room = Room(pool).AsTask();
        waiting.Cancel();
        Assert.True(await room.Patiently());
    }

    [Fact]
    public async Task An_interrupted_waiter_takes_no_place_from_the_next_waiter()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        var waiting = new TestItem();
        pool.Accepted(waiting);
        bool interrupted = false;
        Thread thread = Patience.OnOwnThread(() =>
        {
            try
            {
                pool.WaitForSpaceBlocking(Timeout.InfiniteTimeSpan);
            }
            catch (ThreadInterruptedException)
            {
                interrupted = true;
            }
        });
        thread.Interrupt();
        thread.JoinPatiently();
        Assert.True(interrupted);
        Task<bool> room = Room(pool).AsTask();
        waiting.Cancel();
        Assert.True(await room.Patiently());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_submitter_that_waits_for_space_gets_its_items_accepted(bool blocking)
    {
        using FixedThreadPool pool = Pools.Make(2, capacity: 2);
        const int Each = 400;
        int completed = 0;
        Thread[] submitters = [.. Enumerable.Range(0, 4).Select(_ => Patience.OnOwnThread(() =>
        {
            for (int i = 0; i < Each; i++)
            {
                var item = new TestItem(_ => Interlocked.Increment(ref completed));
                while (pool.Answer(item) != SubmitResult.Accepted)
                {
                    bool room = blocking ? pool.WaitForSpaceBlocking(Patience.Long) : Room(pool).Patiently().GetAwaiter().GetResult();
                    if (!room) return;
                }
            }
        }))];
        foreach (Thread submitter in submitters) submitter.JoinPatiently(MachineLoad.Stretch(Patience.Long));
        pool.Dispose();
        Assert.Equal(4 * Each, completed);
    }

    private static ValueTask<bool> Room(FixedThreadPool pool) => pool.WaitForSpaceAsync(TestContext.Current.CancellationToken);

    private static Task<bool> Blocked(FixedThreadPool pool, TimeSpan timeout)
    {
        var result = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        Patience.OnOwnThread(() =>
        {
            try
            {
                result.SetResult(pool.WaitForSpaceBlocking(timeout));
            }
            catch (Exception e)
            {
                result.SetException(e);
            }
        });
        return result.Task;
    }

    /// <summary>Runs many tiny items. The pool then expects to free places fast, and does not notify a waiter at once for a single place.</summary>
    private static void RunTiny(FixedThreadPool pool)
    {
        for (int i = 0; i < 200; i++)
        {
            Patience.Until(() => pool.GetSnapshot() is { QueueLength: 0, InFlight: 0 });
            TestItem[] tiny = [.. Enumerable.Range(0, 50).Select(_ => new TestItem())];
            foreach (TestItem item in tiny) pool.Accepted(item);
            Patience.Until(() => Array.TrueForAll(tiny, static item => item.Endings.Count == 1));
        }
        Patience.Until(() => pool.GetSnapshot().InFlight == 0);
    }
}
