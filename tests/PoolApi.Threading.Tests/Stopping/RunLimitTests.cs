using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace PoolApi.Threading.Tests.Stopping;

/// <summary>A limit on run time: an item that exceeds it ends at once, while its worker continues with its code.</summary>
public class RunLimitTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);

    private readonly FakeTimeProvider _time = new();
    private readonly RecordingObserver _observer = new();

    [Theory]
    [InlineData(2, null, 2)]
    [InlineData(null, 2, 2)]
    [InlineData(2, 5, 2)]
    [InlineData(5, 2, 2)]
    public async Task Work_that_ignores_its_token_times_out_at_the_smaller_limit_but_still_occupies_its_worker(int? own, int? pools, int seconds)
    {
        using FixedThreadPool pool = Make(limit: pools * Second);
        using var held = new Held();
        pool.Accepted(held.Item, options: new(maxRunTime: own * Second));
        held.Started.WaitPatiently();
        CancellationToken token = held.Item.CancellationToken;
        _time.Advance((seconds * Second) - Millisecond);
        Assert.Equal(0, held.Item.Endings.Count);
        Assert.False(token.IsCancellationRequested);
        Assert.Equal(WorkerState.Busy, pool.GetSnapshot().Workers[0].State);
        _time.Advance(2 * Millisecond);
        Assert.Equal(WorkOutcome.TimedOut, await held.Item.Endings.First);
        Assert.True(token.IsCancellationRequested);
        var error = Assert.IsType<WorkTimedOutException>(held.Item.Endings.Error);
        Assert.StartsWith($"The work exceeded its run time limit of {seconds} s on the pool '{pool.Name}'", error.Message, StringComparison.Ordinal);
        Assert.InRange(held.Item.RunTime, seconds * Second, (seconds * Second) + (2 * Millisecond));
        var counts = new Tally { Accepted = 1, TimedOut = 1 };
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal((counts, 0, WorkerState.Stuck), (Tally.Of(snapshot), snapshot.InFlight, snapshot.Workers[0].State));
        Assert.Throws<InvalidOperationException>(() => pool.TrySubmit(held.Item)); // its code is still running
        held.Release.Set();
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently()); // the worker continues
        Assert.Equal(1, held.Item.Endings.Count);
        Assert.Throws<InvalidOperationException>(() => pool.TrySubmit(held.Item));
        Assert.Equal(counts with { Accepted = 2, Completed = 1 }, Tally.Of(pool.GetSnapshot()));
    }

    [Fact]
    public async Task Work_that_observes_its_token_times_out_and_its_worker_is_not_reported_as_stuck()
    {
        using FixedThreadPool pool = Make(limit: Second);
        using var started = new ManualResetEventSlim();
        Task call = pool.RunAsync(token =>
        {
            started.Set();
            token.WaitHandle.WaitOne(Patience.Long);
            token.ThrowIfCancellationRequested();
        }, CancellationToken.None).AsTask();
        started.WaitPatiently();
        _time.Advance(Second + Millisecond);
        var error = await Assert.ThrowsAsync<WorkTimedOutException>(() => call.Patiently());
        Assert.Contains("limit of 1 s", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently());
        _time.Advance(10 * Second);
        Assert.Empty(_observer.Stuck);
        Assert.Equal(new Tally { Accepted = 2, Completed = 1, TimedOut = 1 }, Tally.Of(pool.GetSnapshot()));
    }

    [Fact]
    public async Task A_worker_whose_work_ignores_its_token_is_reported_as_stuck_and_gets_a_stand_in()
    {
        using FixedThreadPool pool = Make(limit: Second, more: o =>
        {
            o.StuckAfter = Timeout.InfiniteTimeSpan;
            o.MaxStandIns = 1;
        });
        using var held = new Held();
        pool.Accepted(held.Item);
        held.Started.WaitPatiently();
        var waiting = new TestItem();
        pool.Accepted(waiting);
        _time.Advance(Second + Millisecond);
        Assert.Equal(WorkOutcome.TimedOut, await held.Item.Endings.First);
        Assert.Empty(_observer.Stuck); // the work may still observe its token
        _time.Advance(Second);
        Assert.Equal(WorkOutcome.Completed, await waiting.Endings.First);
        Assert.Equal((0, "test", WorkerState.Stuck), _observer.Stuck.Select(w => (w.Id, w.Kind, w.State)).Single());
        Assert.Equal(1, waiting.WorkerName![^1] - '0');
        held.Release.Set();
        Patience.Until(() => _observer.Recovered.Count == 1 && _observer.WorkersStopped.Count == 1);
    }

    [Fact]
    public async Task Time_in_awaits_counts_as_run_time_and_the_continuation_runs_on_the_pool()
    {
        FixedThreadPool pool = Make();
        var gate = new TaskCompletionSource();
        string? cameBackOn = null;
        bool wasCancelled = false;
        var options = new WorkOptions(maxRunTime: 3 * Second);
        Task call = pool.RunAsync(
            async token =>
            {
                await gate.Task;
                cameBackOn = Thread.CurrentThread.Name;
                wasCancelled = token.IsCancellationRequested;
            },
            CancellationToken.None,
            options: options).AsTask();
        Task inTime = pool.RunAsync(async () => await Task.Yield(), options: options).AsTask();
        await inTime.Patiently();
        Patience.Until(() => pool.GetSnapshot().Suspended == 1);
        _time.Advance((3 * Second) + Millisecond);
        await Assert.ThrowsAsync<WorkTimedOutException>(() => call.Patiently());
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal((0, 0), (snapshot.InFlight, snapshot.Suspended));
        gate.SetResult();
        ShutdownReport report = await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        Assert.Equal(($"{pool.Name}-0", true), (cameBackOn, wasCancelled));
        Assert.Equal(new Tally { Accepted = 2, Completed = 1, TimedOut = 1 }, Tally.Of(report));
        Assert.True(report is { NotJoined.Count: 0, NotStarted.Count: 0, Interrupted: 0 });
        pool.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_drain_waits_for_the_thread_of_work_that_has_timed_out(bool isAsync)
    {
        FixedThreadPool pool = Make(limit: Second);
        using var held = new Held();
        pool.Accepted(isAsync ? held.AsyncItem : held.Item);
        held.Started.WaitPatiently();
        Task<ShutdownReport> stop = pool.ShutdownAsync(Timeout.InfiniteTimeSpan);
        _time.Advance(Second + Millisecond);
        Assert.Equal(WorkOutcome.TimedOut, await held.First);
        Assert.Equal(new Tally { Accepted = 1, TimedOut = 1 }, Tally.Of(pool.GetSnapshot()));
        Assert.False(pool.CloseAsync().IsCompleted);
        held.Release.Set();
        ShutdownReport report = await stop.Patiently();
        Assert.True(report is { NotJoined.Count: 0, NotStarted.Count: 0, Interrupted: 0 });
        Assert.Equal(1, report.Counts[WorkOutcome.TimedOut]);
        Assert.Contains("1 timed out", report.ToString(), StringComparison.Ordinal);
        pool.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Timed_out_work_that_still_runs_at_the_deadline_of_a_stop_is_not_counted_twice(bool isAsync)
    {
        FixedThreadPool pool = Make(limit: Second);
        using var held = new Held();
        pool.Accepted(isAsync ? held.AsyncItem : held.Item);
        held.Started.WaitPatiently();
        _time.Advance(Second + Millisecond);
        Assert.Equal(WorkOutcome.TimedOut, await held.First);
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
        var counts = new Tally { Accepted = 1, TimedOut = 1 };
        Assert.Equal((counts, 0, false), (Tally.Of(report), report.Interrupted, report.NotJoined.Count == 0));
        Assert.Equal(pool.Name + "-0", Assert.Single(report.NotJoined).Name);
        await pool.CloseAsync().Patiently();
        held.Release.Set();
        Pools.NoThreadIsLeft(pool);
        Assert.Equal(counts, Tally.Of(pool.GetSnapshot()));
        Assert.Equal(1, held.Endings);
        pool.Dispose();
    }

    [Fact]
    public async Task Work_that_a_stop_has_cancelled_may_still_time_out_and_counts_as_interrupted()
    {
        FixedThreadPool pool = Make(limit: Second);
        using var held = new Held();
        pool.Accepted(held.Item);
        held.Started.WaitPatiently();
        Task<ShutdownReport> stop = pool.ShutdownAsync(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        _time.Advance(Second + Millisecond);
        Assert.Equal(WorkOutcome.TimedOut, await held.Item.Endings.First);
        held.Release.Set();
        ShutdownReport report = await stop.Patiently();
        Assert.Equal((1, true), (report.Interrupted, report.NotJoined.Count == 0));
        pool.Dispose();
    }

    [Fact]
    public async Task A_limit_belongs_to_one_submission()
    {
        using FixedThreadPool pool = Make();
        using var started = new SemaphoreSlim(0);
        using var release = new SemaphoreSlim(0);
        var item = new TestItem(_ =>
        {
            started.Release();
            release.Wait(Patience.Long);
        });
        foreach (TimeSpan? limit in (TimeSpan?[])[Second, null])
        {
            int before = item.Endings.Count;
            pool.Accepted(item, options: new(maxRunTime: limit));
            Assert.True(await started.WaitAsync(Patience.Long, TestContext.Current.CancellationToken));
            _time.Advance(limit is null ? 10 * Second : Millisecond);
            release.Release();
            Patience.Until(() => item.Endings.Count == before + 1);
        }
        Assert.Equal([WorkOutcome.Completed, WorkOutcome.Completed], item.Endings.Outcomes);
        Assert.Equal(0, pool.GetSnapshot().Counts[WorkOutcome.TimedOut]);
    }

    [Fact]
    public async Task A_timed_out_call_that_returns_late_does_not_complete_another_call()
    {
        using FixedThreadPool pool = Make(workers: 2);
        for (int round = 0; round < 20; round++)
        {
            using var started = new ManualResetEventSlim();
            using var release = new ManualResetEventSlim();
            ValueTask<int> call = pool.RunAsync(
                static gates =>
                {
                    gates.started.Set();
                    gates.release.WaitPatiently();
                    return -1;
                },
                (started, release),
                options: new(maxRunTime: Second));
            started.WaitPatiently();
            _time.Advance(Second + Millisecond);
            await Assert.ThrowsAsync<WorkTimedOutException>(async () => await call);
            Task<int> next = pool.RunAsync(static gates => gates.release.IsSet ? -2 : 7, (started, release)).AsTask();
            Assert.Equal(7, await next.Patiently());
            release.Set();
        }
    }

    [Fact]
    public void A_limit_of_zero_or_less_is_refused_with_the_name_of_the_parameter()
    {
        using FixedThreadPool pool = Make();
        foreach (TimeSpan wrong in (TimeSpan[])[TimeSpan.Zero, TimeSpan.FromMilliseconds(-2)])
        {
            var error = Assert.Throws<ArgumentOutOfRangeException>(() => pool.TrySubmit(new TestItem(), options: new(maxRunTime: wrong)));
            Assert.StartsWith("maxRunTime must be more than zero, or infinite", error.Message, StringComparison.Ordinal);
            Assert.Throws<ArgumentOutOfRangeException>(() => pool.Run(() => { }, options: new(maxRunTime: wrong)));
        }
        pool.Run(() => { }, options: new(maxRunTime: Timeout.InfiniteTimeSpan));
    }

    [Fact]
    public async Task A_scheduler_task_that_runs_too_long_counts_as_timed_out_and_runs_once()
    {
        using FixedThreadPool pool = Make(limit: Second);
        using var held = new Held();
        int runs = 0;
        Task task = Task.Factory.StartNew(
            () =>
            {
                runs++;
                held.Started.Set();
                held.Release.WaitPatiently();
            },
            CancellationToken.None, TaskCreationOptions.None, pool.TaskScheduler);
        held.Started.WaitPatiently();
        _time.Advance(Second + Millisecond);
        Assert.Equal(1, pool.GetSnapshot().Counts[WorkOutcome.TimedOut]);
        held.Release.Set();
        await task.Patiently();
        Assert.Equal(1, runs);
    }

    /// <summary>Items return at the moment of their limit. Each submission ends once, and a limit ends no later submission of its item.</summary>
    [Fact]
    public async Task Work_that_returns_at_the_moment_of_its_limit_ends_only_once()
    {
        using FixedThreadPool pool = Make(workers: 2);
        var outcomes = new ConcurrentBag<WorkOutcome>();
        var faults = new ConcurrentBag<Exception>();
        using var over = new ManualResetEventSlim();
        Thread watcher = Patience.OnOwnThread(() =>
        {
            while (!over.IsSet)
            {
                if (Record.Exception(() => Pools.AddsUp(pool.GetSnapshot())) is { } fault) faults.Add(fault);
                Thread.Yield();
            }
        });
        var random = new Random(7);
        long submissions = 0;
        for (int i = 0; i < 600; i++)
        {
            // Of eight items, one is certainly late and one certainly in time. The others race with the limit.
            (bool isLate, bool isInTime) = (i % 8 == 0, i % 8 == 1);
            (int workSpins, int clockSpins) = (random.Next(300), random.Next(300));
            using var started = new ManualResetEventSlim();
            using var ended = new CountdownEvent(2);
            int runs = 0;
            var item = new TestItem(self =>
            {
                if (runs++ > 0) return;
                started.Set();
                if (isLate) self.CancellationToken.WaitHandle.WaitOne(Patience.Long);
                else Thread.SpinWait(workSpins);
            })
            {
                WhenEnded = (self, outcome) =>
                {
                    outcomes.Add(outcome);
                    if (self.Endings.Count == 1 && outcome == WorkOutcome.Completed)
                    {
                        pool.Accepted(self); // at once: this submission has no limit, and must not inherit that of the previous one
                        Interlocked.Increment(ref submissions);
                    }
                    else if (outcome == WorkOutcome.TimedOut)
                    {
                        ended.Signal(); // no second end follows
                    }
                    ended.Signal();
                },
            };
            pool.Accepted(item, options: new(maxRunTime: Millisecond));
            Interlocked.Increment(ref submissions);
            started.WaitPatiently();
            if (isInTime) Patience.Until(() => ended.CurrentCount < 2);
            Thread.SpinWait(clockSpins);
            // A worker that sets a timer may also run the callback of the limits' timer, in place of this thread. If it read the clock before this
            // advance and sets the timer after it, the timer is late by the advance. A real clock would reach it, so this one goes on too.
            Patience.Until(() =>
            {
                _time.Advance(2 * Millisecond);
                return ended.IsSet;
            });
            if (isLate) Assert.Equal([WorkOutcome.TimedOut], item.Endings.Outcomes);
            Assert.DoesNotContain(WorkOutcome.TimedOut, item.Endings.Outcomes.Skip(1));
        }
        over.Set();
        watcher.JoinPatiently();
        ShutdownReport report = await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        Assert.Empty(faults);
        Assert.Equal((submissions, submissions), (report.Accepted, report.Counts.Values.Sum()));
        Assert.Equal(report.Counts[WorkOutcome.TimedOut], outcomes.Count(o => o == WorkOutcome.TimedOut));
        Assert.Equal(report.Counts[WorkOutcome.Completed], outcomes.Count(o => o == WorkOutcome.Completed));
        Assert.InRange(report.Counts[WorkOutcome.TimedOut], 1, submissions - 1); // otherwise there was no race
    }

    private FixedThreadPool Make(int workers = 1, TimeSpan? limit = null, Action<FixedThreadPoolOptions>? more = null) =>
        Pools.Make(workers, time: _time, observer: _observer, more: o =>
        {
            o.MaxRunTime = limit ?? Timeout.InfiniteTimeSpan;
            more?.Invoke(o);
        });

    /// <summary>A synchronous and an asynchronous item that ignore their tokens.</summary>
    private sealed class Held : IDisposable
    {
        public Held()
        {
            Item = new TestItem(_ => Body());
            AsyncItem = new AsyncTestItem(_ =>
            {
                Body();
                return Task.CompletedTask;
            });
        }

        public ManualResetEventSlim Started { get; } = new();

        public ManualResetEventSlim Release { get; } = new();

        public TestItem Item { get; }

        public AsyncTestItem AsyncItem { get; }

        public Task<WorkOutcome> First => Task.WhenAny(Item.Endings.First, AsyncItem.Endings.First).Unwrap();

        public int Endings => Item.Endings.Count + AsyncItem.Endings.Count;

        public void Dispose() => Release.Set();

        private void Body()
        {
            Started.Set();
            Release.WaitPatiently();
        }
    }
}
