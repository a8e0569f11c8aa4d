using System.Runtime.CompilerServices;
using Microsoft.Extensions.Time.Testing;

namespace PoolApi.Threading.Tests.Queue;

/// <summary>A submitter may limit the queue time of its item.</summary>
public class OwnLimitTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task An_item_expires_at_its_own_limit_while_all_workers_are_busy_and_frees_its_place()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 2, time: _time);
        using Occupation busy = pool.Occupy();
        var item = new TestItem();
        var stays = new TestItem();
        pool.Accepted(item, options: new(maxQueueTime: 3 * Second));
        Task<int> call = pool.RunAsync(() => 1, options: new(maxQueueTime: 5 * Second)).AsTask();
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));

        _time.Advance((3 * Second) - TimeSpan.FromTicks(1));
        Assert.Equal(0, item.Endings.Count);
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal([WorkOutcome.Expired], item.Endings.Outcomes);
        Assert.Equal(3 * Second, item.QueueTime);
        pool.Accepted(stays);
        Assert.False(call.IsCompleted);
        _time.Advance(2 * Second);
        var error = await Assert.ThrowsAsync<WorkRejectedException>(call.Patiently);
        Assert.Equal(WorkOutcome.Expired, error.Outcome);
        Assert.Equal(0, stays.Endings.Count);

        busy.Dispose();
        Assert.Equal(WorkOutcome.Completed, await stays.Endings.First);
        Assert.Equal((0, 1), (item.Runs, item.Endings.Count));
        Assert.Equal(2, pool.GetSnapshot().Counts[WorkOutcome.Expired]);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(0, false)] // 0: another seed each time
    [InlineData(0, true)]
    public void Items_with_different_limits_expire_on_time_regardless_of_the_order_of_submission(int seed, bool poolLimits)
    {
        if (seed == 0) seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        using FixedThreadPool pool = Pools.Make(time: _time, maxQueueTime: poolLimits ? 1000 * Second : null);
        using Occupation busy = pool.Occupy();
        TestItem[] items = [.. Enumerable.Range(0, 100).Select(_ => new TestItem())];
        int[] order = [.. Enumerable.Range(0, items.Length)];
        random.Shuffle(order);
        foreach (int i in order)
            pool.Accepted(items[i], options: new(maxQueueTime: (i + 1) * Second, priority: (WorkPriority)random.Next(-1, 2)));
        // A cancellation removes its item from any position in the heap.
        HashSet<int> cancelled = [.. Enumerable.Range(0, 25).Select(_ => random.Next(items.Length))];
        foreach (int i in cancelled) Assert.True(items[i].Cancel());
        for (int i = 0; i < items.Length; i++)
        {
            _time.Advance(Second);
            for (int j = 0; j < items.Length; j++)
            {
                WorkOutcome[] expected = cancelled.Contains(j) ? [WorkOutcome.Cancelled] : j <= i ? [WorkOutcome.Expired] : [];
                Assert.Equal(expected, items[j].Endings.Outcomes);
            }
        }
        Assert.Equal(0, pool.GetSnapshot().QueueLength);
    }

    [Fact]
    public void An_items_own_limit_cannot_exceed_the_limit_of_the_pool()
    {
        using FixedThreadPool pool = Pools.Make(time: _time, maxQueueTime: 10 * Second);
        using Occupation busy = pool.Occupy();
        TimeSpan?[] limits = [null, 20 * Second, TimeSpan.MaxValue, Timeout.InfiniteTimeSpan, 10 * Second];
        TestItem[] items = [.. limits.Select(_ => new TestItem())];
        for (int i = 0; i < items.Length; i++) pool.Accepted(items[i], options: new(maxQueueTime: limits[i]));
        _time.Advance((10 * Second) - TimeSpan.FromTicks(1));
        Assert.All(items, item => Assert.Equal(0, item.Endings.Count));
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.All(items, item => Assert.Equal([WorkOutcome.Expired], item.Endings.Outcomes));
    }

    [Fact]
    public void An_item_with_a_short_limit_expires_on_time_behind_one_with_a_longer_limit()
    {
        using FixedThreadPool pool = Pools.Make(time: _time, maxQueueTime: 100 * Second);
        using Occupation busy = pool.Occupy();
        var common = new TestItem();
        var own = new TestItem();
        pool.Accepted(common); // the timer is set for it
        pool.Accepted(own, options: new(maxQueueTime: Second));
        _time.Advance(Second);
        Assert.Equal([WorkOutcome.Expired], own.Endings.Outcomes);
        _time.Advance(99 * Second);
        Assert.Equal([WorkOutcome.Expired], common.Endings.Outcomes);
    }

    [Fact]
    public void An_item_with_a_limit_of_zero_expires_within_a_millisecond()
    {
        using FixedThreadPool pool = Pools.Make(time: _time);
        using Occupation busy = pool.Occupy();
        var item = new TestItem();
        pool.Accepted(item, options: new(maxQueueTime: TimeSpan.Zero));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal([WorkOutcome.Expired], item.Endings.Outcomes);
        busy.Dispose();
        pool.Dispose();
        Assert.Equal(0, item.Runs);
    }

    [Fact]
    public async Task An_item_expires_at_its_own_limit_on_the_system_clock()
    {
        using FixedThreadPool pool = Pools.Make();
        using Occupation busy = pool.Occupy();
        var item = new TestItem();
        pool.Accepted(item, options: new(maxQueueTime: TimeSpan.FromMilliseconds(2)));
        Assert.Equal(WorkOutcome.Expired, await item.Endings.First);
        Assert.InRange(item.QueueTime, TimeSpan.FromMilliseconds(2), Patience.Long);
    }

    [Fact]
    public async Task A_negative_limit_is_refused_with_the_name_of_the_parameter()
    {
        using FixedThreadPool pool = Pools.Make();
        var item = new TestItem();
        TimeSpan wrong = TimeSpan.FromMilliseconds(-2);
        Named(Assert.Throws<ArgumentOutOfRangeException>(() => pool.TrySubmit(item, options: new(maxQueueTime: wrong))));
        Named(Assert.Throws<ArgumentOutOfRangeException>(() => pool.TrySubmit([item], options: new(maxQueueTime: wrong))));
        Named(await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            async () => await pool.RunAsync(() => Task.CompletedTask, options: new(maxQueueTime: wrong))));
        pool.Accepted(item); // the refusals have not changed the item

        static void Named(ArgumentOutOfRangeException e) =>
            Assert.StartsWith("maxQueueTime must be zero or more", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_limit_holds_for_its_own_submission_only(bool runs)
    {
        using FixedThreadPool pool = Pools.Make(time: _time);
        var item = new TestItem();
        if (runs)
        {
            pool.Accepted(item, options: new(maxQueueTime: Second));
            Patience.Until(() => item.Endings.Count == 1);
        }
        using Occupation busy = pool.Occupy();
        if (!runs)
        {
            pool.Accepted(item, options: new(maxQueueTime: Second));
            Assert.True(item.Cancel());
        }
        pool.Accepted(item);
        _time.Advance(1000 * Second);
        Assert.Equal(1, item.Endings.Count);
        busy.Dispose();
        Patience.Until(() => item.Endings.Count == 2);
        Assert.Equal(WorkOutcome.Completed, item.Endings.Outcomes.Last());
    }

    [Fact]
    public void The_pool_holds_no_reference_to_items_that_completed_expired_or_were_cancelled()
    {
        using FixedThreadPool pool = Pools.Make(time: _time);
        List<WeakReference> gone = SubmitAndEnd(pool);
        Patience.Until(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return !gone.Exists(static item => item.IsAlive);
        });

        [MethodImpl(MethodImplOptions.NoInlining)]
        List<WeakReference> SubmitAndEnd(FixedThreadPool pool)
        {
            TestItem[] items = [.. Enumerable.Range(0, 90).Select(_ => new TestItem())];
            using (pool.Occupy())
            {
                for (int i = 0; i < items.Length; i++)
                    pool.Accepted(items[i], options: new(maxQueueTime: i % 3 == 0 ? Second : (10 + i) * Second));
                for (int i = 1; i < items.Length; i += 3) Assert.True(items[i].Cancel());
                _time.Advance(Second);
            }
            Patience.Until(() => Array.TrueForAll(items, static item => item.Endings.Count == 1));
            pool.Run(static () => { }); // no worker has one of them in hand any more
            Assert.Equal((30L, 30L), (pool.GetSnapshot().Counts[WorkOutcome.Cancelled], pool.GetSnapshot().Counts[WorkOutcome.Expired]));
            return [.. items.Select(static item => new WeakReference(item))];
        }
    }
}
