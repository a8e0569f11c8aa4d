using Microsoft.Extensions.Time.Testing;

namespace PoolApi.Threading.Tests.Queue;

/// <summary>An item may be submitted again only after it has ended.</summary>
public class ResubmissionTests
{
    [Fact]
    public async Task An_item_that_has_ended_may_be_submitted_again_without_its_former_cancellation()
    {
        using FixedThreadPool pool = Pools.Make();
        using FixedThreadPool other = Pools.Make();
        using (pool.Occupy())
        {
            var item = new TestItem();
            pool.Accepted(item);
            Assert.True(item.Cancel());
            Assert.True(item.CancellationToken.IsCancellationRequested);
            other.Accepted(item);
            Patience.Until(() => item.Endings.Count == 2);
            Assert.Equal([WorkOutcome.Cancelled, WorkOutcome.Completed], item.Endings.Outcomes);
            Assert.False(item.CancelRequested);
            Assert.False(item.CancellationToken.IsCancellationRequested);
            Assert.Equal($"{other.Name}-0", item.WorkerName);
        }
        await pool.DisposeAsync();
        await other.DisposeAsync();
        Assert.Equal(1, pool.GetSnapshot().Counts[WorkOutcome.Cancelled]);
        Assert.Equal(1, other.GetSnapshot().Counts[WorkOutcome.Completed]);
    }

    [Fact]
    public async Task An_item_may_submit_itself_again_in_OnEnded()
    {
        using FixedThreadPool pool = Pools.Make(2);
        int sync = 0;
        int asynchronous = 0;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var alsoDone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        pool.Accepted(new TestItem { WhenEnded = (self, _) => Again(self, ref sync, done) });
        pool.Accepted(new AsyncTestItem(async _ => await Task.Yield())
        {
            WhenEnded = (self, _) => Again(self, ref asynchronous, alsoDone),
        });
        await Task.WhenAll(done.Task, alsoDone.Task).Patiently();
        pool.Dispose();
        Assert.Equal(2000, pool.GetSnapshot().Counts[WorkOutcome.Completed]);
        Assert.Equal(0, pool.GetSnapshot().Suspended);

        void Again(PoolWorkItem self, ref int times, TaskCompletionSource done)
        {
            if (++times < 1000) pool.Accepted(self);
            else done.SetResult();
        }
    }

    [Theory]
    [InlineData(30)]
    [InlineData(-0.001)] // no limit
    public async Task A_refused_resubmission_resets_the_times_of_the_item(double maxQueueSeconds)
    {
        using FixedThreadPool pool = Pools.Make(1, capacity: 1, maxQueueTime: TimeSpan.FromSeconds(maxQueueSeconds));
        var item = new TestItem(static _ => Thread.Sleep(2));
        pool.Accepted(item);
        Assert.Equal(WorkOutcome.Completed, await item.Endings.First);
        Assert.InRange(item.RunTime, TimeSpan.FromMilliseconds(1), TimeSpan.MaxValue);
        using (pool.Occupy())
        {
            pool.Accepted(new TestItem());
            Assert.Equal(SubmitResult.QueueFull, pool.Answer(item));
            Assert.Equal((TimeSpan.Zero, TimeSpan.Zero, null), (item.QueueTime, item.RunTime, item.WorkerName));
        }
        Patience.Until(() => pool.GetSnapshot() is { InFlight: 0, QueueLength: 0 });
        pool.Accepted(item);
        Patience.Until(() => item.Endings.Count == 2);
        Assert.InRange(item.RunTime, TimeSpan.FromMilliseconds(1), TimeSpan.MaxValue);
    }

    [Fact]
    public async Task An_item_that_waits_or_runs_cannot_be_submitted_a_second_time()
    {
        using FixedThreadPool pool = Pools.Make();
        using FixedThreadPool other = Pools.Make();
        var waiting = new TestItem();
        using (Occupation busy = pool.Occupy())
        {
            pool.Accepted(waiting);
            foreach (TestItem item in new[] { waiting, busy.Items[0] })
            {
                Assert.Throws<InvalidOperationException>(() => pool.TrySubmit(item));
                Assert.Throws<InvalidOperationException>(() => other.TrySubmit(item));
            }
            Pools.AddsUp(pool.GetSnapshot());
            Assert.Equal(2, pool.GetSnapshot().Accepted);
            Assert.Equal(0, other.GetSnapshot().Accepted);
        }
        Assert.Equal(WorkOutcome.Completed, await waiting.Endings.First);
        pool.Dispose();
        Assert.Equal(1, waiting.Endings.Count);
    }

    [Fact]
    public void An_item_that_is_not_yet_notified_of_its_end_cannot_be_submitted_again()
    {
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(time: time, maxQueueTime: TimeSpan.FromSeconds(1));
        using Occupation busy = pool.Occupy();
        // Both items expire at once. The one that is notified first cannot submit the other, whose links are still in use.
        var refused = new List<Exception?>();
        var items = new TestItem[2];
        for (int i = 0; i < 2; i++)
        {
            int other = 1 - i;
            items[i] = new TestItem
            {
                WhenEnded = (_, _) =>
                {
                    if (items[other].Endings.Count == 0) refused.Add(Record.Exception(() => pool.TrySubmit(items[other])));
                },
            };
        }
        foreach (TestItem item in items) pool.Accepted(item);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.IsType<InvalidOperationException>(Assert.Single(refused));
        Assert.All(items, item => Assert.Equal([WorkOutcome.Expired], item.Endings.Outcomes));
        Assert.Equal(3, pool.GetSnapshot().Accepted);
    }

    [Fact]
    public async Task An_item_that_was_abandoned_cannot_be_submitted_again_because_its_code_may_still_run()
    {
        FixedThreadPool pool = Pools.Make();
        using FixedThreadPool other = Pools.Make();
        using Occupation busy = pool.Occupy();
        TestItem item = busy.Items[0];
        await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
        Assert.Equal(WorkOutcome.Abandoned, await item.Endings.First);
        Assert.Throws<InvalidOperationException>(() => other.TrySubmit(item));
        Assert.Equal(0, other.GetSnapshot().Accepted);
    }

    [Fact]
    public async Task The_handed_back_items_of_calls_tasks_and_callbacks_cannot_be_submitted_again()
    {
        FixedThreadPool pool = Pools.Make();
        using FixedThreadPool other = Pools.Make();
        Occupation busy = pool.Occupy();
        Task[] calls = [pool.RunAsync(static () => 1).AsTask(), pool.RunAsync(static () => Task.FromResult(1)).AsTask()];
        Assert.True(pool.Post(static () => { }));
        _ = Task.Factory.StartNew(static () => { }, CancellationToken.None, TaskCreationOptions.None, pool.TaskScheduler);
        pool.SynchronizationContext.Post(static _ => { }, null);
        var own = new TestItem();
        pool.Accepted(own);
        pool.CancelAll();
        busy.Dispose();
        ShutdownReport report = await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        Assert.Equal(6, report.NotStarted.Count);
        Assert.Same(own, report.NotStarted[^1]);
        foreach (PoolWorkItem item in report.NotStarted.SkipLast(1))
        {
            Assert.Throws<ArgumentException>(() => other.TrySubmit(item));
            Assert.Throws<ArgumentException>(() => other.TrySubmit([own, item]));
        }
        Assert.Equal(0, other.GetSnapshot().Accepted);
        other.Accepted(own);
        Assert.Equal(WorkOutcome.NotStarted, await own.Endings.First);
        Patience.Until(() => own.Endings.Count == 2);
        foreach (Task call in calls) await Assert.ThrowsAsync<WorkRejectedException>(call.Patiently);
    }

    [Fact]
    public async Task An_asynchronous_item_may_change_its_pool_only_before_it_has_run()
    {
        using FixedThreadPool pool = Pools.Make();
        using FixedThreadPool other = Pools.Make();
        var item = new AsyncTestItem(static async _ => await Task.Yield());
        using (pool.Occupy())
        {
            pool.Accepted(item);
            Assert.True(item.Cancel());
        }
        other.Accepted(item);
        Patience.Until(() => item.Endings.Count == 2);
        Assert.Throws<InvalidOperationException>(() => pool.TrySubmit(item));
        Assert.Throws<InvalidOperationException>(() => pool.TrySubmit([new TestItem(), item]));
        other.Accepted(item);
        Patience.Until(() => item.Endings.Count == 3);
        await other.DisposeAsync();
        Assert.Equal([WorkOutcome.Cancelled, WorkOutcome.Completed, WorkOutcome.Completed], item.Endings.Outcomes);
        Assert.Equal(2, other.GetSnapshot().Counts[WorkOutcome.Completed]);
        Assert.Equal((2, 0), (pool.GetSnapshot().Accepted, pool.GetSnapshot().QueueLength));
    }

    [Fact]
    public async Task Only_one_of_two_concurrent_submissions_of_the_same_item_succeeds()
    {
        using FixedThreadPool a = Pools.Make();
        using FixedThreadPool b = Pools.Make();
        using Occupation busyA = a.Occupy();
        using Occupation busyB = b.Occupy();
        for (int round = 0; round < 150; round++)
        {
            var item = new TestItem();
            using var barrier = new Barrier(2);
            int accepted = 0;
            Thread[] threads = new[] { a, b }.Select(pool => Patience.OnOwnThread(() =>
            {
                barrier.SignalAndWait(Patience.Long);
                if (Record.Exception(() => Assert.Equal(SubmitResult.Accepted, pool.Answer(item))) is null)
                    Interlocked.Increment(ref accepted);
            })).ToArray();
            foreach (Thread thread in threads) thread.JoinPatiently();
            Assert.Equal(1, accepted);
            Assert.True(item.Cancel());
            Assert.Equal(WorkOutcome.Cancelled, await item.Endings.First);
        }
    }

    [Fact]
    public async Task A_callback_of_an_earlier_run_does_not_change_the_count_of_suspended_items()
    {
        using FixedThreadPool pool = Pools.Make(2);
        using var hold = new ManualResetEventSlim();
        using var held = new ManualResetEventSlim();
        bool first = true;
        var item = new AsyncTestItem(async _ =>
        {
            if (first)
            {
                first = false;
                SynchronizationContext.Current!.Post(
                    _ =>
                    {
                        held.Set();
                        hold.WaitPatiently();
                    },
                    null);
                held.WaitPatiently(); // the callback runs on the other worker
            }
            await Task.Yield();
        });
        pool.Accepted(item);
        await item.Endings.First;
        pool.Accepted(item); // while the callback still holds a worker for it
        Patience.Until(() => item.Endings.Count == 2);
        Assert.Equal((0, 0), (pool.GetSnapshot().Suspended, pool.GetSnapshot().InFlight));
        hold.Set();
        pool.Dispose();
        Assert.Equal(0, pool.GetSnapshot().Suspended);
    }
}
