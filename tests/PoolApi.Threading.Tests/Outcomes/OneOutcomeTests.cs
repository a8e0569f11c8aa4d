using System.Diagnostics.Metrics;
using Microsoft.Extensions.Time.Testing;

namespace PoolApi.Threading.Tests.Outcomes;

/// <summary>P1: every accepted item ends exactly once, and the counts add up.</summary>
public class OneOutcomeTests
{
    [Fact]
    public async Task Work_that_returns_is_completed()
    {
        using FixedThreadPool pool = Pools.Make();
        var item = new TestItem();
        pool.Accepted(item);
        Assert.Equal(WorkOutcome.Completed, await item.Endings.First);
        Assert.Null(item.Endings.Error);
        Assert.Equal(42, await pool.RunAsync(() => 42).Patiently());
        pool.Dispose();
        Assert.Equal(1, item.Endings.Count);
        Assert.Equal(new Tally { Accepted = 2, Completed = 2 }, Tally.Of(pool.GetSnapshot()));
    }

    [Fact]
    public async Task An_exception_of_the_work_reaches_its_caller_and_does_not_end_the_worker()
    {
        using FixedThreadPool pool = Pools.Make();
        var error = new InvalidOperationException("on purpose");
        Thread? first = null;
        var item = new TestItem(_ =>
        {
            first = Thread.CurrentThread;
            throw error;
        });
        pool.Accepted(item);
        Assert.Equal(WorkOutcome.Failed, await item.Endings.First);
        Assert.Same(error, item.Endings.Error);
        Assert.Same(error, await Assert.ThrowsAsync<InvalidOperationException>(() => pool.RunAsync(() => throw error).Patiently()));
        Assert.Same(error, await Assert.ThrowsAsync<InvalidOperationException>(() => pool.RunAsync(async () =>
        {
            await Task.Yield();
            throw error;
        }).Patiently()));
        Assert.Same(first, await pool.RunAsync(() => Thread.CurrentThread).Patiently());
        pool.Dispose();
        Assert.Equal(new Tally { Accepted = 4, Completed = 1, Failed = 3 }, Tally.Of(pool.GetSnapshot()));
    }

    [Fact]
    public async Task Work_cancelled_while_it_waits_never_runs()
    {
        using FixedThreadPool pool = Pools.Make();
        var item = new TestItem();
        using (pool.Occupy())
        {
            pool.Accepted(item);
            Assert.Equal(1, pool.GetSnapshot().QueueLength);
            Assert.True(item.Cancel());
            Assert.False(item.Cancel());
            Assert.Equal(0, pool.GetSnapshot().QueueLength);
            Assert.Equal(WorkOutcome.Cancelled, await item.Endings.First);
        }
        pool.Dispose();
        Assert.Equal((0, 1), (item.Runs, item.Endings.Count));
        Assert.Equal(new Tally { Accepted = 2, Completed = 1, Cancelled = 1 }, Tally.Of(pool.GetSnapshot()));
    }

    [Fact]
    public async Task A_callers_token_cancels_queued_work_and_the_exception_carries_that_token()
    {
        using FixedThreadPool pool = Pools.Make();
        using var cts = new CancellationTokenSource();
        using (pool.Occupy())
        {
            Task<int> call = pool.RunAsync(() => 1, cts.Token).AsTask();
            await cts.CancelAsync();
            var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call.Patiently());
            Assert.Equal(cts.Token, error.CancellationToken);
            Assert.True(call.IsCanceled);
        }
        pool.Dispose();
        Assert.Equal(new Tally { Accepted = 2, Completed = 1, Cancelled = 1 }, Tally.Of(pool.GetSnapshot()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_callers_token_cancels_work_that_runs(bool asynchronous)
    {
        using FixedThreadPool pool = Pools.Make();
        using var cts = new CancellationTokenSource();
        using var started = new ManualResetEventSlim();
        var options = cts.Token;
        Task call = asynchronous
            ? pool.RunAsync(
                async token =>
                {
                    started.Set();
                    await Task.Delay(Timeout.Infinite, token);
                },
                options).AsTask()
            : pool.RunAsync(
                token =>
                {
                    started.Set();
                    token.WaitHandle.WaitOne();
                    token.ThrowIfCancellationRequested();
                },
                options).AsTask();
        started.WaitPatiently();
        await cts.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call.Patiently());
        pool.Dispose();
        Assert.Equal(new Tally { Accepted = 1, Cancelled = 1 }, Tally.Of(pool.GetSnapshot()));
    }

    [Fact]
    public async Task A_call_whose_token_is_already_cancelled_is_not_accepted()
    {
        using FixedThreadPool pool = Pools.Make();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => pool.RunAsync(() => 1, new CancellationToken(true)).Patiently());
        Assert.Equal(0, pool.GetSnapshot().Accepted);
    }

    [Fact]
    public async Task An_OperationCanceledException_without_a_requested_cancellation_is_a_failure()
    {
        using FixedThreadPool pool = Pools.Make();
        var item = new TestItem(_ => throw new OperationCanceledException());
        pool.Accepted(item);
        Assert.Equal(WorkOutcome.Failed, await item.Endings.First);
    }

    [Theory]
    [InlineData(null, WorkOutcome.Cancelled)]
    [InlineData("client_gone", WorkOutcome.Withdrawn)]
    public async Task An_item_ends_with_the_outcome_of_its_cancel_reason_also_if_cancelled_before_submission(string? reason, WorkOutcome outcome)
    {
        using FixedThreadPool pool = Pools.Make();
        using Occupation busy = pool.Occupy();
        var before = new TestItem();
        Assert.False(before.Cancel(reason));
        pool.Accepted(before);
        Assert.Equal(outcome, await before.Endings.First);

        var waiting = new TestItem();
        pool.Accepted(waiting);
        Assert.True(waiting.Cancel(reason));
        Assert.Equal(outcome, await waiting.Endings.First);

        Assert.Equal((0, 0), (before.Runs, waiting.Runs));
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal(2, snapshot.Counts.Values.Sum());
        Pools.AddsUp(snapshot);
    }

    [Fact]
    public async Task Cancel_refuses_an_empty_reason_and_leaves_the_item_unchanged()
    {
        using FixedThreadPool pool = Pools.Make();
        var item = new TestItem();
        Assert.Throws<ArgumentException>(() => item.Cancel(""));
        Assert.False(item.CancelRequested);
        pool.Accepted(item);
        Assert.Equal(WorkOutcome.Completed, await item.Endings.First);
        pool.Dispose();
        Pools.AddsUp(pool.GetSnapshot());
    }

    [Fact]
    public async Task Work_that_waits_too_long_expires_while_all_workers_are_busy()
    {
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(2, time: time, maxQueueTime: TimeSpan.FromSeconds(5));
        using Occupation busy = pool.Occupy();
        var early = new TestItem();
        pool.Accepted(early);
        time.Advance(TimeSpan.FromSeconds(3));
        var late = new TestItem();
        pool.Accepted(late);
        Task<int> call = pool.RunAsync(() => 1).AsTask();
        time.Advance(TimeSpan.FromSeconds(1.999));
        Assert.Equal(0, early.Endings.Count);
        time.Advance(TimeSpan.FromSeconds(0.001));
        Assert.Equal(WorkOutcome.Expired, await early.Endings.First);
        Assert.Equal(TimeSpan.FromSeconds(5), early.QueueTime);
        Assert.Equal(0, late.Endings.Count);
        time.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(WorkOutcome.Expired, await late.Endings.First);
        var error = await Assert.ThrowsAsync<WorkRejectedException>(() => call.Patiently());
        Assert.Equal(WorkOutcome.Expired, error.Outcome);
        Assert.Equal((0, 3L), (pool.GetSnapshot().QueueLength, pool.GetSnapshot().Counts[WorkOutcome.Expired]));
    }

    [Fact]
    public async Task Work_that_waits_too_long_expires_when_its_turn_comes_even_if_no_timer_fires()
    {
        var time = new ZeroClock();
        using FixedThreadPool pool = Pools.Make(time: time, maxQueueTime: TimeSpan.FromSeconds(5));
        TestItem[] late = [new(), new(), new()];
        var inTime = new TestItem();
        using (pool.Occupy())
        {
            time.Advance(TimeSpan.FromSeconds(1));
            foreach (TestItem item in late) pool.Accepted(item);
            time.Advance(TimeSpan.FromSeconds(3));
            pool.Accepted(inTime);
            time.Advance(TimeSpan.FromSeconds(2));
        }
        Assert.Equal(WorkOutcome.Completed, await inTime.Endings.First);
        foreach (TestItem item in late) Assert.Equal((WorkOutcome.Expired, 0), (await item.Endings.First, item.Runs));
    }

    [Fact]
    public async Task Work_accepted_at_time_zero_expires_too()
    {
        var time = new ZeroClock();
        using FixedThreadPool pool = Pools.Make(time: time, maxQueueTime: TimeSpan.FromSeconds(5));
        var item = new TestItem();
        using (pool.Occupy())
        {
            pool.Accepted(item);
            time.Advance(TimeSpan.FromSeconds(5));
            Assert.Equal(TimeSpan.FromSeconds(5), pool.GetSnapshot().OldestAge);
        }
        Assert.Equal(WorkOutcome.Expired, await item.Endings.First);
    }

    [Fact]
    public async Task Run_times_and_queue_times_are_also_measured_from_time_zero_of_the_clock()
    {
        var time = new ZeroClock();
        using FixedThreadPool pool = Pools.Make(time: time);
        var running = new TestItem(_ => time.Advance(TimeSpan.FromSeconds(5)));
        pool.Accepted(running);
        Assert.Equal(WorkOutcome.Completed, await running.Endings.First);
        Assert.Equal(5, running.RunTime.TotalSeconds, 0.001);

        var other = new ZeroClock();
        using FixedThreadPool busyPool = Pools.Make(time: other);
        var waiting = new TestItem();
        using (busyPool.Occupy())
        {
            busyPool.Accepted(waiting);
            other.Advance(TimeSpan.FromSeconds(5));
        }
        Assert.Equal(WorkOutcome.Completed, await waiting.Endings.First);
        Assert.Equal(5, waiting.QueueTime.TotalSeconds, 0.001);
    }

    [Fact]
    public async Task An_item_expires_after_a_MaxQueueTime_longer_than_a_timer_can_count()
    {
        using (FixedThreadPool real = Pools.Make(maxQueueTime: TimeSpan.MaxValue))
        {
            Assert.Equal(1, await real.RunAsync(() => 1).Patiently());
        }

        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(time: time, maxQueueTime: TimeSpan.FromDays(60));
        using Occupation busy = pool.Occupy();
        var item = new TestItem();
        pool.Accepted(item);
        for (int day = 0; day < 59; day++) time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(0, item.Endings.Count);
        time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(WorkOutcome.Expired, await item.Endings.First);
    }

    [Fact]
    public async Task Work_that_waits_when_the_pool_is_cancelled_is_handed_back_as_not_started()
    {
        using FixedThreadPool pool = Pools.Make();
        var item = new TestItem();
        Task<int> call;
        using (pool.Occupy())
        {
            pool.Accepted(item);
            call = pool.RunAsync(() => 1).AsTask();
            pool.CancelAll();
            Assert.Equal(WorkOutcome.NotStarted, await item.Endings.First);
        }
        var error = await Assert.ThrowsAsync<WorkRejectedException>(() => call.Patiently());
        Assert.Equal(WorkOutcome.NotStarted, error.Outcome);
        ShutdownReport report = await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        Assert.Equal(2, report.NotStarted.Count);
        Assert.Same(item, report.NotStarted[0]);
        Assert.Equal(new Tally { Accepted = 3, Completed = 1, NotStarted = 2 }, Tally.Of(report));
    }

    [Fact]
    public async Task An_item_still_running_when_a_stop_gives_up_is_abandoned_and_does_not_end_again()
    {
        FixedThreadPool pool = Pools.Make();
        using var release = new ManualResetEventSlim();
        using var started = new ManualResetEventSlim();
        Thread? thread = null;
        var item = new TestItem(_ =>
        {
            thread = Thread.CurrentThread;
            started.Set();
            release.WaitPatiently();
        });
        pool.Accepted(item);
        started.WaitPatiently();
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
        Assert.Equal(WorkOutcome.Abandoned, await item.Endings.First);
        Assert.NotEmpty(report.NotJoined);
        Assert.NotEqual((0, 0), (report.NotStarted.Count, report.Interrupted));
        WorkerSnapshot stuck = Assert.Single(report.NotJoined);
        Assert.Equal((0, $"{pool.Name}-0", "test"), (stuck.Id, stuck.Name, stuck.Kind));
        Assert.Equal(new Tally { Accepted = 1, Abandoned = 1 }, Tally.Of(report));
        pool.Dispose(); // does not wait for the abandoned work
        release.Set();
        thread!.JoinPatiently();
        Assert.Equal(1, item.Endings.Count);
        Assert.Equal(Tally.Of(report), Tally.Of(pool.GetSnapshot()));
    }

    [Fact]
    public async Task A_stop_that_gives_up_abandons_work_that_awaits_and_joins_every_thread()
    {
        FixedThreadPool pool = Pools.Make(2);
        var never = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool cameBack = false;
        var item = new AsyncTestItem(async _ =>
        {
            await never.Task;
            Volatile.Write(ref cameBack, true);
        });
        pool.Accepted(item);
        Task call = pool.RunAsync(() => never.Task).AsTask();
        Patience.Until(() => pool.GetSnapshot().Suspended == 2);
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
        Assert.Equal(WorkOutcome.Abandoned, await item.Endings.First);
        var error = await Assert.ThrowsAsync<WorkAbandonedException>(() => call.Patiently());
        Assert.Empty(report.NotJoined);
        Assert.Equal(2, report.Interrupted);
        Assert.Equal(new Tally { Accepted = 2, Abandoned = 2 }, Tally.Of(report));
        never.SetResult();
        // A continuation on the .NET ThreadPool would start before these tasks, and end before the last of them.
        for (int i = 0; i < 10_000; i++)
        {
            await Task.Factory.StartNew(static () => { }, CancellationToken.None, TaskCreationOptions.PreferFairness, TaskScheduler.Default);
        }
        Assert.Equal((1, false), (item.Endings.Count, Volatile.Read(ref cameBack)));
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal((0, 0), (snapshot.InFlight, snapshot.Suspended));
        pool.Dispose();
    }

    [Fact]
    public async Task An_exception_of_OnEnded_is_reported_to_the_observer_and_the_worker_continues()
    {
        var observer = new RecordingObserver();
        using FixedThreadPool pool = Pools.Make(observer: observer);
        var error = new InvalidOperationException("on purpose");
        var item = new TestItem { WhenEnded = (_, _) => throw error };
        pool.Accepted(item);
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently());
        Assert.Equal([(item, error)], observer.Unhandled);
        Assert.Empty(observer.Replaced);
    }

    [Fact]
    public async Task An_item_is_notified_of_its_end_although_a_metrics_listener_throws()
    {
        var observer = new RecordingObserver();
        using FixedThreadPool pool = Pools.Make(observer: observer);
        using MeterListener listener = ThrowingListener(pool);
        var item = new TestItem();
        pool.Accepted(item);
        Assert.Equal(WorkOutcome.Completed, await item.Endings.First);
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently());
        Assert.Empty(observer.Replaced);
        Assert.Contains(observer.Unhandled, u => ReferenceEquals(u.Item, item));
    }

    [Fact]
    public void A_metrics_listener_that_throws_does_not_disturb_another_listener()
    {
        using FixedThreadPool pool = Pools.Make();
        using MeterListener throwing = ThrowingListener(pool);
        pool.Accepted(new TestItem());
        var accepted = new List<long>();
        using var collector = new MeterListener();
        collector.InstrumentPublished = static (instrument, l) =>
        {
            if (instrument.Name == "poolapi.work.accepted") l.EnableMeasurementEvents(instrument);
        };
        collector.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            if (Equals(tags[0].Value, pool.Name)) accepted.Add(value);
        });
        collector.Start();
        collector.RecordObservableInstruments();
        Assert.Equal([1], accepted);
    }

    /// <summary>A listener that throws whenever the pool records the end of an item. It ignores other pools.</summary>
    private static MeterListener ThrowingListener(FixedThreadPool pool)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, l) =>
            {
                if (instrument.Name == "poolapi.work.finished") l.EnableMeasurementEvents(instrument);
            },
        };
        string name = pool.Name;
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) =>
        {
            if (Equals(tags[0].Value, name)) throw new InvalidOperationException("the listener throws");
        });
        listener.Start();
        return listener;
    }
}
