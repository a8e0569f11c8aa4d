using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Tests.Stopping;

/// <summary>P4: a stop completes the accepted items within its deadline, and then joins every thread.</summary>
public class StopTests
{
    [Theory]
    [InlineData(300, 0)]
    [InlineData(0, 200)]
    [InlineData(300, 200)]
    [InlineData(300, null)]
    public async Task A_shutdown_waits_exactly_for_its_deadline_and_then_for_its_grace_time(int deadline, int? grace)
    {
        var time = new FakeTimeProvider();
        var timers = new TimerRecorder(time); // each step of a stop creates a timer for its time
        using var release = new ManualResetEventSlim();
        FixedThreadPool pool = Pools.Make(1, time: timers);
        using var started = new ManualResetEventSlim();
        pool.Accepted(new TestItem(_ =>
        {
            started.Set();
            release.WaitPatiently();
        }));
        started.WaitPatiently();
        Task<ShutdownReport> shutdown = pool.ShutdownAsync(TimeSpan.FromMilliseconds(deadline), grace is { } g ? TimeSpan.FromMilliseconds(g) : null);
        int[] waits = [.. new[] { deadline, grace ?? 2000 }.Where(static wait => wait > 0)];
        for (int step = 0; step < waits.Length; step++)
        {
            // The clock advances only after the step has created its timer, so the elapsed time is the time of the steps.
            Patience.Until(() => timers.Waits.Count > step);
            Assert.False(shutdown.IsCompleted);
            time.Advance(TimeSpan.FromMilliseconds(waits[step]));
        }
        ShutdownReport report = await shutdown.Patiently();
        Assert.Equal(TimeSpan.FromMilliseconds(deadline + (grace ?? 2000)), report.Elapsed);
        Assert.Equal(waits, timers.Waits.Select(static wait => (int)wait.TotalMilliseconds));
        Assert.Equal((1, 1L), (report.NotJoined.Count, report.Counts[WorkOutcome.Abandoned]));
        release.Set();
        Pools.NoThreadIsLeft(pool);
        pool.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Disposing_of_a_pool_completes_although_its_work_does_not_end(bool asynchronously)
    {
        var time = new FakeTimeProvider();
        var timers = new TimerRecorder(time); // each step of a stop creates a timer for its time
        using var release = new ManualResetEventSlim();
        FixedThreadPool pool = Pools.Make(1, time: timers);
        using Occupation busy = pool.Occupy();
        var waiting = new TestItem();
        pool.Accepted(waiting);
        Task disposed = Task.Factory.StartNew(
            () => asynchronously ? pool.DisposeAsync().AsTask() : Disposed(pool),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();
        Patience.Until(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return disposed.IsCompleted;
        });
        await disposed.Patiently();
        Assert.Equal([30, 2], timers.Waits.Select(static wait => (int)wait.TotalSeconds));
        Assert.Equal([WorkOutcome.NotStarted], waiting.Endings.Outcomes);
        Assert.Equal([WorkOutcome.Abandoned], busy.Items[0].Endings.Outcomes);
        Pools.AddsUp(pool.GetSnapshot());
        busy.Dispose();
        Pools.NoThreadIsLeft(pool);

        static Task Disposed(FixedThreadPool pool)
        {
            pool.Dispose();
            return Task.CompletedTask;
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Disposing_of_a_drained_pool_completes_although_a_thread_does_not_end(bool inState, bool usesSystemTime)
    {
        var observer = new RecordingObserver();
        var fake = new FakeTimeProvider();
        using var release = new ManualResetEventSlim();
        using var blocked = new ManualResetEventSlim();
        FixedThreadPool pool = Pools.Make(
            time: usesSystemTime ? TimeProvider.System : fake,
            observer: observer,
            more: o => o.CreateWorkerState = _ => inState ? new Disposal(Block) : null);
        if (inState) await pool.RunAsync(static () => { }).Patiently();
        else pool.Accepted(new TestItem { WhenEnded = (_, _) => Block() });
        await pool.CloseAsync().Patiently();
        Thread disposer = Patience.OnOwnThread(pool.Dispose);
        blocked.WaitPatiently();
        Patience.Until(() => pool.Core.Stop.State >= PoolState.Stopping);
        // A concurrent stop ends too, with the same report.
        Task<ShutdownReport> stop = pool.ShutdownAsync(TimeSpan.Zero);
        Patience.Until(() =>
        {
            fake.Advance(TimeSpan.FromMilliseconds(100));
            return !disposer.IsAlive;
        });
        ShutdownReport report = await stop.Patiently();
        Assert.Equal((0, $"{pool.Name}-0"), (report.WorkersJoined, Assert.Single(report.NotJoined).Name));
        Assert.Equal((0, 0L), (report.Interrupted, report.Counts[WorkOutcome.Abandoned]));
        Assert.Single(observer.NotJoined);
        release.Set();
        Pools.NoThreadIsLeft(pool);

        void Block()
        {
            blocked.Set();
            release.WaitPatiently();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_grace_time_includes_the_disposal_of_the_states(bool disposes)
    {
        var time = new FakeTimeProvider(); // stands still, so the grace time does not expire
        FixedThreadPool pool = Pools.Make(
            time: time,
            more: o => o.CreateWorkerState = static _ => new Disposal(static () => Thread.Sleep(WorkerSet.Moment + TimeSpan.FromMilliseconds(200))));
        if (disposes) Patience.OnOwnThread(pool.Dispose).JoinPatiently();
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero).Patiently();
        Assert.Equal((1, 0), (report.WorkersJoined, report.NotJoined.Count));
        pool.Dispose();
    }

    [Fact]
    public async Task A_shutdown_without_grace_time_ends_the_wait_of_a_concurrent_Dispose()
    {
        using var release = new ManualResetEventSlim();
        var time = new FakeTimeProvider(); // stands still
        FixedThreadPool pool = Pools.Make(time: time);
        pool.Accepted(new TestItem { WhenEnded = (_, _) => release.WaitPatiently() });
        await pool.CloseAsync().Patiently();
        Thread disposer = Patience.OnOwnThread(pool.Dispose);
        Patience.Until(() => pool.Core.Stop.State >= PoolState.Stopping);
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
        Assert.Single(report.NotJoined);
        disposer.JoinPatiently();
        release.Set();
        Pools.NoThreadIsLeft(pool);
    }

    [Fact]
    public async Task The_elapsed_time_of_a_stop_counts_from_a_close_at_time_zero()
    {
        var time = new ZeroClock();
        using FixedThreadPool pool = Pools.Make(time: time);
        await pool.CloseAsync().Patiently();
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(TimeSpan.FromSeconds(5), (await pool.ShutdownAsync(TimeSpan.Zero).Patiently()).Elapsed);
    }

    [Fact]
    public async Task The_report_reads_as_one_line()
    {
        FixedThreadPool pool = Pools.Make(2, time: new Microsoft.Extensions.Time.Testing.FakeTimeProvider());
        await pool.RunAsync(static () => 1).Patiently();
        Assert.Equal("Stopped in 0.0 s: 1 of 1 completed; 2 of 2 threads joined", (await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently()).ToString());

        pool = Pools.Make(1, time: new Microsoft.Extensions.Time.Testing.FakeTimeProvider());
        using var started = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        pool.Accepted(new TestItem(_ =>
        {
            started.Set();
            release.WaitPatiently();
        })
        { KindIs = "report", OriginIs = "/v1/report" });
        started.WaitPatiently();
        foreach (string kind in new[] { "hash", "thumbnail", "hash" }) pool.Accepted(new TestItem { KindIs = kind });
        pool.CancelAll();
        string report = (await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently()).ToString();
        Assert.Equal(
            "Stopped in 0.0 s: 0 of 4 completed, 3 never ran (2 hash, 1 thumbnail), 1 abandoned; "
            + $"0 of 1 threads joined, {pool.Name}-0 has been running report (/v1/report) for 0.0 s", report);
        release.Set();
        pool.Dispose();
    }

    [Theory]
    [InlineData("state", "has no item")]
    [InlineData("item", "has been running work for 0.0 s")]
    [InlineData("end of item", "has no item")]
    [InlineData("item without labels", "has been running work for 0.0 s")]
    public async Task The_report_distinguishes_a_worker_without_an_item_from_one_whose_item_has_no_labels(string blocks, string expected)
    {
        using var started = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        void Block()
        {
            started.Set();
            release.WaitPatiently();
        }
        FixedThreadPool pool = Pools.Make(
            1, time: new Microsoft.Extensions.Time.Testing.FakeTimeProvider(), more: o => o.CreateWorkerState = _ => blocks == "state" ? new Disposal(Block) : null);
        if (blocks != "state")
        {
            pool.Accepted(blocks switch
            {
                "item" => new TestItem(_ => Block()) { KindIs = "work" },
                "end of item" => new TestItem { WhenEnded = (_, _) => Block() },
                _ => new Undescribed(Block),
            });
            started.WaitPatiently();
        }
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
        Assert.EndsWith($"; 0 of 1 threads joined, {pool.Name}-0 {expected}", report.ToString(), StringComparison.Ordinal);
        release.Set();
        pool.Dispose();
    }

    [Fact]
    public void Dispose_finishes_everything_accepted_and_then_ends_every_thread()
    {
        var observer = new RecordingObserver();
        FixedThreadPool pool = Pools.Make(3, observer: observer);
        var threads = new ConcurrentDictionary<Thread, bool>();
        var resume = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        TestItem[] items = Enumerable.Range(0, 200).Select(_ => new TestItem(_ => threads[Thread.CurrentThread] = true)).ToArray();
        var suspended = new AsyncTestItem(async _ => await resume.Task);
        pool.Accepted(suspended);
        using (pool.Occupy())
        {
            foreach (TestItem item in items) pool.Accepted(item);
        }
        Thread disposer = Patience.OnOwnThread(pool.Dispose);
        Patience.Until(() => pool.GetSnapshot() is { InFlight: 1, Suspended: 1, QueueLength: 0 } && pool.Core.Stop.State == PoolState.Draining);
        Assert.True(disposer.IsAlive); // it waits for the suspended item
        Assert.False(pool.CloseAsync().IsCompleted);
        resume.SetResult();
        disposer.JoinPatiently();
        Assert.All(items, item => Assert.Equal([WorkOutcome.Completed], item.Endings.Outcomes));
        Assert.Equal([WorkOutcome.Completed], suspended.Endings.Outcomes);
        Assert.NotEmpty(threads);
        Assert.All(threads.Keys, thread => Assert.False(thread.IsAlive));
        Pools.NoThreadIsLeft(pool);
        Assert.Equal([0, 1, 2], observer.Joined);
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal(PoolState.Stopped, pool.Core.Stop.State);
        Assert.All(snapshot.Workers, worker => Assert.Equal(WorkerState.Stopped, worker.State));
        pool.Dispose();
        Assert.Equal(3, observer.Joined.Count);
    }

    [Fact]
    public async Task A_drain_that_meets_its_deadline_loses_nothing()
    {
        var time = new FakeTimeProvider();
        FixedThreadPool pool = Pools.Make(2, time: time);
        Occupation busy = pool.Occupy();
        var waiting = new TestItem();
        pool.Accepted(waiting);
        Task<ShutdownReport> stop = pool.ShutdownAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(SubmitResult.Closed, pool.Answer(new TestItem()));
        Assert.Equal(PoolState.Draining, pool.Core.Stop.State);
        time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(stop.IsCompleted);
        busy.Dispose();
        ShutdownReport report = await stop.Patiently();
        Assert.Empty(report.NotJoined);
        Assert.Equal((0, 0), (report.NotStarted.Count, report.Interrupted));
        Assert.Equal((2, 0, 0), (report.WorkersJoined, report.NotStarted.Count, report.Interrupted));
        Assert.Equal(new Tally { Accepted = 3, Completed = 3 }, Tally.Of(report));
        Assert.Equal(TimeSpan.FromSeconds(9), report.Elapsed);
        Assert.True(pool.CloseAsync().IsCompletedSuccessfully);
        Pools.NoThreadIsLeft(pool);
        pool.Dispose();
    }

    [Fact]
    public async Task A_drain_that_misses_its_deadline_hands_back_queued_items_and_cancels_running_ones()
    {
        var time = new FakeTimeProvider();
        FixedThreadPool pool = Pools.Make(2, time: time);
        using var started = new CountdownEvent(2);
        var cooperative = new TestItem(self =>
        {
            started.Signal();
            Assert.True(self.CancellationToken.WaitHandle.WaitOne(Patience.Long));
            self.CancellationToken.ThrowIfCancellationRequested();
        });
        var completesAllTheSame = new TestItem(self =>
        {
            started.Signal();
            Assert.True(self.CancellationToken.WaitHandle.WaitOne(Patience.Long));
        });
        var waiting = new TestItem();
        pool.Accepted(cooperative);
        pool.Accepted(completesAllTheSame);
        Assert.True(started.Wait(Patience.Long, TestContext.Current.CancellationToken));
        pool.Accepted(waiting);
        Task<ShutdownReport> stop = pool.ShutdownAsync(TimeSpan.FromSeconds(10));
        time.Advance(TimeSpan.FromSeconds(10));
        ShutdownReport report = await stop.Patiently();
        Assert.Equal(WorkOutcome.Cancelled, await cooperative.Endings.First);
        Assert.Equal(WorkOutcome.Completed, await completesAllTheSame.Endings.First);
        Assert.Equal(WorkOutcome.NotStarted, await waiting.Endings.First);
        Assert.Empty(report.NotJoined);
        Assert.NotEqual((0, 0), (report.NotStarted.Count, report.Interrupted));
        Assert.Equal([waiting], report.NotStarted);
        Assert.Equal(1, report.Interrupted); // the other one completed
        Assert.Equal(new Tally { Accepted = 3, Completed = 1, Cancelled = 1, NotStarted = 1 }, Tally.Of(report));
        pool.Dispose();
    }

    [Fact]
    public async Task A_stop_with_deadline_zero_cancels_work_and_completes_before_its_grace_time_expires()
    {
        FixedThreadPool pool = Pools.Make(time: new FakeTimeProvider()); // the clock stands still
        Task call = pool.RunAsync(token => Task.Delay(Timeout.Infinite, token), CancellationToken.None).AsTask();
        Patience.Until(() => pool.GetSnapshot().Suspended == 1);
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.FromHours(1)).Patiently();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call.Patiently());
        Assert.Empty(report.NotJoined);
        Assert.Equal(new Tally { Accepted = 1, Cancelled = 1 }, Tally.Of(report));
        pool.Dispose();
    }

    [Fact]
    public async Task A_stop_on_the_system_clock_reports_the_stuck_threads_that_it_does_not_join()
    {
        var observer = new RecordingObserver();
        FixedThreadPool pool = Pools.Make(2, observer: observer);
        using Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        // The deadline expires at once, and then the grace time, after two seconds of the system clock.
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero).Patiently();
        Assert.NotEmpty(report.NotJoined);
        Assert.Equal((0, 2), (report.WorkersJoined, report.NotJoined.Count));
        Assert.Equal([0, 1], report.NotJoined.Select(w => w.Id));
        Assert.Equal([0, 1], observer.NotJoined.Select(w => w.Id));
        Assert.All(report.NotJoined, w => Assert.Equal("test", w.Kind));
        Assert.Equal(2, report.Interrupted);
        Assert.Equal(new Tally { Accepted = 3, Abandoned = 2, NotStarted = 1 }, Tally.Of(report));
        pool.Dispose();
    }

    [Fact]
    public void A_stop_does_not_cancel_an_item_that_was_resubmitted_to_another_pool_meanwhile()
    {
        using FixedThreadPool other = Pools.Make();
        FixedThreadPool pool = Pools.Make(capacity: 20_000);
        // The stop has many items to cancel before it reaches the one that has ended meanwhile.
        using var suspended = new CountdownEvent(10_000);
        AsyncTestItem[] awaiting = [.. Enumerable.Range(0, suspended.InitialCount).Select(_ => new AsyncTestItem(async self =>
        {
            Task never = Task.Delay(Timeout.Infinite, self.CancellationToken);
            suspended.Signal();
            await never.ConfigureAwait(false);
        }))];
        foreach (AsyncTestItem item in awaiting) pool.Accepted(item);
        Assert.True(suspended.Wait(Patience.Long, TestContext.Current.CancellationToken));
        using var stopped = new ManualResetEventSlim();
        using var started = new ManualResetEventSlim();
        bool? reached = null;
        var moving = new TestItem(self =>
        {
            if (FixedThreadPool.Current == pool)
            {
                started.Set();
                Patience.Until(() => awaiting[0].CancelRequested);
                return;
            }
            stopped.WaitPatiently();
            reached = self.CancelRequested || self.CancellationToken.IsCancellationRequested;
        })
        {
            WhenEnded = (self, _) =>
            {
                if (reached is null) other.Accepted(self);
            },
        };
        pool.Accepted(moving);
        started.WaitPatiently();
        pool.CancelAll();
        stopped.Set();
        Patience.Until(() => moving.Endings.Count == 2);
        Assert.False(reached);
        pool.Dispose();
    }

    [Fact]
    public async Task Every_caller_that_stops_the_pool_gets_the_same_report()
    {
        FixedThreadPool pool = Pools.Make(2);
        Task<ShutdownReport>[] stops;
        using (pool.Occupy())
        {
            stops = Enumerable.Range(0, 8).Select(_ => pool.ShutdownAsync(Timeout.InfiniteTimeSpan)).ToArray();
        }
        ShutdownReport[] reports = await Task.WhenAll(stops).Patiently();
        Assert.All(reports, r => Assert.Same(reports[0], r));
        Assert.Same(reports[0], await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently());
        pool.Dispose();
        await pool.DisposeAsync();
        Assert.Same(reports[0], await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently());
    }

    [Fact]
    public void Concurrent_stops_of_every_kind_all_return_after_the_workers_are_joined()
    {
        for (int round = 0; round < 50; round++)
        {
            FixedThreadPool pool = Pools.Make(2);
            var workers = new ConcurrentBag<Thread>();
            using var both = new Barrier(2); // so that each worker runs one
            for (int i = 0; i < 2; i++)
            {
                pool.Accepted(new TestItem(_ =>
                {
                    workers.Add(Thread.CurrentThread);
                    both.SignalAndWait(Patience.Long);
                }));
            }
            using var barrier = new Barrier(4);
            var alive = new ConcurrentQueue<int>();
            Action[] ways =
            [
                pool.Dispose,
                pool.Dispose,
                () => pool.DisposeAsync().AsTask().Wait(Patience.Long),
                () => pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Wait(Patience.Long),
            ];
            Thread[] threads = ways.Select(way => Patience.OnOwnThread(() =>
            {
                barrier.SignalAndWait(Patience.Long);
                way();
                foreach (Thread worker in workers.Where(w => w.IsAlive)) alive.Enqueue(round);
            })).ToArray();
            foreach (Thread thread in threads) thread.JoinPatiently();
            Assert.Empty(alive);
            Assert.Equal(2, workers.Count);
            Assert.Equal(PoolState.Stopped, pool.Core.Stop.State);
        }
    }

    [Fact]
    public async Task An_item_submitted_while_the_pool_closes_is_refused_or_completes()
    {
        for (int round = 0; round < 25; round++)
        {
            FixedThreadPool pool = Pools.Make(2, capacity: 500);
            var accepted = new ConcurrentQueue<TestItem>();
            using var barrier = new Barrier(3);
            Thread[] submitters = Enumerable.Range(0, 2).Select(_ => Patience.OnOwnThread(() =>
            {
                barrier.SignalAndWait(Patience.Long);
                while (true)
                {
                    var item = new TestItem();
                    SubmitResult result = pool.Answer(item);
                    if (result == SubmitResult.Accepted) accepted.Enqueue(item);
                    if (result == SubmitResult.Closed) return;
                }
            })).ToArray();
            barrier.SignalAndWait(Patience.Long, TestContext.Current.CancellationToken);
            Patience.Until(() => pool.GetSnapshot().Accepted > 50);
            await pool.DisposeAsync().Patiently();
            foreach (Thread submitter in submitters) submitter.JoinPatiently();
            Assert.All(accepted, item => Assert.Equal([WorkOutcome.Completed], item.Endings.Outcomes));
            Assert.Equal(accepted.Count, pool.GetSnapshot().Counts[WorkOutcome.Completed]);
        }
    }

    [Fact]
    public async Task A_worker_cannot_stop_its_own_pool_but_may_close_it()
    {
        FixedThreadPool pool = Pools.Make();
        using FixedThreadPool other = Pools.Make();
        await pool.RunAsync(async () =>
        {
            Assert.Throws<InvalidOperationException>(pool.Dispose);
            Assert.Throws<InvalidOperationException>(() => { _ = pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero); });
            Assert.Throws<InvalidOperationException>(() => { _ = pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero); });
            await Assert.ThrowsAsync<InvalidOperationException>(() => pool.DisposeAsync().AsTask());
            Assert.Same(pool, FixedThreadPool.Current);
            Assert.Equal(PoolState.Running, pool.Core.Stop.State);
            other.Dispose(); // a worker may dispose of another pool
            _ = pool.CloseAsync();
        }).Patiently();
        ShutdownReport report = await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        Assert.Empty(report.NotJoined);
        pool.Dispose();
    }

    [Fact]
    public void An_item_that_closes_the_pool_in_OnEnded_does_not_block_a_Dispose_that_joins()
    {
        for (int round = 0; round < 50; round++)
        {
            FixedThreadPool pool = Pools.Make();
            // In the state Stopping, Dispose has found the pool drained and joins the thread that runs this callback.
            pool.Accepted(new TestItem
            {
                WhenEnded = (_, _) =>
                {
                    Patience.Until(() => pool.Core.Stop.State == PoolState.Stopping);
                    Thread.Yield();
                    _ = pool.CloseAsync();
                    pool.CancelAll();
                },
            });
            Patience.OnOwnThread(pool.Dispose).JoinPatiently();
        }
    }

    [Fact]
    public async Task A_worker_that_exits_late_does_not_count_as_interrupted_work_in_the_report()
    {
        FixedThreadPool pool = Pools.Make();
        using var release = new ManualResetEventSlim();
        pool.Accepted(new TestItem { WhenEnded = (_, _) => release.WaitPatiently() });
        _ = pool.CloseAsync();
        await pool.CloseAsync().Patiently();
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
        Assert.NotEmpty(report.NotJoined);
        Assert.Equal((0, 0), (report.NotStarted.Count, report.Interrupted));
        release.Set();
        pool.Dispose();
    }

    [Fact]
    public async Task Cancelling_a_pool_that_has_drained_changes_nothing()
    {
        FixedThreadPool pool = Pools.Make();
        await pool.RunAsync(static () => { }).Patiently();
        _ = pool.CloseAsync();
        await pool.CloseAsync().Patiently();
        pool.CancelAll();
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
        Assert.Equal(0, report.Interrupted);
        pool.Dispose();
    }

    [Fact]
    public async Task A_cancellation_callback_that_hangs_does_not_hold_up_the_stop()
    {
        var observer = new RecordingObserver();
        FixedThreadPool pool = Pools.Make(2, observer: observer);
        using var release = new ManualResetEventSlim();
        using var started = new CountdownEvent(2);
        pool.Accepted(new TestItem(self =>
        {
            self.CancellationToken.Register(release.WaitPatiently);
            started.Signal();
            release.WaitPatiently();
        }));
        pool.Accepted(new TestItem(self =>
        {
            self.CancellationToken.Register(static () => throw new InvalidOperationException("on purpose"));
            started.Signal();
            release.WaitPatiently();
        }));
        Assert.True(started.Wait(Patience.Long, TestContext.Current.CancellationToken));
        Thread canceller = Patience.OnOwnThread(pool.CancelAll);
        canceller.JoinPatiently();
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
        Assert.Equal(2, report.Counts[WorkOutcome.Abandoned]);
        Patience.Until(() => observer.Unhandled.Count == 1);
        release.Set();
        pool.Dispose();
    }

    [Fact]
    public async Task A_negative_deadline_or_grace_time_is_refused_and_the_pool_can_still_be_stopped()
    {
        FixedThreadPool pool = Pools.Make();
        Assert.Contains("deadline must be", Assert.Throws<ArgumentOutOfRangeException>(
            () => { _ = pool.ShutdownAsync(TimeSpan.FromSeconds(-5)); }).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.FromSeconds(-5)); });
        Assert.Equal(PoolState.Running, pool.Core.Stop.State);
        ShutdownReport report;
        using (Occupation busy = pool.Occupy())
        {
            Task<ShutdownReport> stop = pool.ShutdownAsync(TimeSpan.MaxValue); // longer than a timer can count
            busy.Dispose();
            report = await stop.Patiently();
        }
        Assert.Empty(report.NotJoined);
        pool.Dispose();
    }

    private sealed class Disposal(Action action) : IDisposable
    {
        public void Dispose() => action();
    }
}
