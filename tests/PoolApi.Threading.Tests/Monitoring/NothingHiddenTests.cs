using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;

namespace PoolApi.Threading.Tests.Monitoring;

/// <summary>P7: a snapshot shows for each worker what it runs, since when and for whom, and shows the queue.</summary>
public class NothingHiddenTests
{
    [Fact]
    public void A_busy_worker_shows_what_it_runs_since_when_and_for_whom()
    {
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(2, time: time, stuckAfter: TimeSpan.FromSeconds(60));
        using var started = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        ActivityTraceId trace = ActivityTraceId.CreateRandom();
        pool.Accepted(new TestItem(_ =>
        {
            started.Set();
            release.WaitPatiently();
        })
        {
            KindIs = "thumbnails",
            OriginIs = "/v1/thumbnails",
            TraceIs = trace,
        });
        started.WaitPatiently();

        time.Advance(TimeSpan.FromSeconds(60));
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal((false, 1, 0), (pool.IsClosed, snapshot.InFlight, snapshot.Suspended));
        WorkerSnapshot busy = Assert.Single(snapshot.Workers, w => w.State != WorkerState.Idle);
        Assert.Equal((WorkerState.Busy, "thumbnails", "/v1/thumbnails", trace), (busy.State, busy.Kind, busy.Origin, busy.TraceId));
        Assert.Equal((TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(60)), (busy.Elapsed, busy.BusyTime));
        WorkerSnapshot idle = Assert.Single(snapshot.Workers, w => w.State == WorkerState.Idle);
        Assert.Equal((null, null, default(ActivityTraceId), null), (idle.Kind, idle.Origin, idle.TraceId, idle.Elapsed));
        Assert.Equal([$"{pool.Name}-0", $"{pool.Name}-1"], snapshot.Workers.Select(w => w.Name));

        time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(WorkerState.Stuck, pool.GetSnapshot().Workers[busy.Id].State);
        release.Set();
        pool.Dispose();
        WorkerSnapshot after = pool.GetSnapshot().Workers[busy.Id];
        Assert.Equal((1, 0, 1), (after.Completed, after.Failed, after.Finished));
        Assert.Equal(TimeSpan.FromSeconds(60) + TimeSpan.FromTicks(1), after.BusyTime);
    }

    [Fact]
    public async Task The_snapshot_shows_the_kind_and_origin_of_a_call_and_the_trace_of_its_caller()
    {
        using FixedThreadPool pool = Pools.Make();
        using var started = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        using Activity activity = new Activity("caller").Start();
        Task call = pool.RunAsync(
            () =>
            {
                started.Set();
                release.WaitPatiently();
            },
            options: new(kind: "hash", origin: "/v1/hashes")).AsTask();
        started.WaitPatiently();
        WorkerSnapshot worker = Assert.Single(pool.GetSnapshot().Workers);
        Assert.Equal(("hash", "/v1/hashes", activity.TraceId), (worker.Kind, worker.Origin, worker.TraceId));
        release.Set();
        await call.Patiently();
    }

    [Fact]
    public async Task Work_that_awaits_holds_no_worker_and_is_counted_as_suspended()
    {
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(1, time: time);
        var resume = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var resumed = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        var item = new AsyncTestItem(async _ =>
        {
            await resume.Task;
            resumed.Set();
            release.WaitPatiently();
        });
        pool.Accepted(item);
        Patience.Until(() => pool.GetSnapshot() is { InFlight: 1, Suspended: 1, QueueLength: 0 });
        Assert.Equal(WorkerState.Idle, pool.GetSnapshot().Workers[0].State);
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently()); // the only worker is free
        Pools.AllSleep(pool); // an awake worker may have read the clock already, and would count the seven seconds as busy time
        time.Advance(TimeSpan.FromSeconds(7));
        resume.SetResult();
        resumed.WaitPatiently();
        time.Advance(TimeSpan.FromSeconds(2));
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal((1, 0), (snapshot.InFlight, snapshot.Suspended));
        Assert.Equal(("async", TimeSpan.FromSeconds(2)), (snapshot.Workers[0].Kind, snapshot.Workers[0].Elapsed));
        release.Set();
        await item.Endings.First;
        Assert.Equal(TimeSpan.FromSeconds(9), item.RunTime);
        pool.Dispose();
        Assert.Equal(TimeSpan.FromSeconds(2), pool.GetSnapshot().Workers[0].BusyTime);
    }

    [Fact]
    public async Task The_snapshot_shows_the_length_of_the_queue_and_the_age_of_its_oldest_item()
    {
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(1, capacity: 7, time: time);
        Assert.Null(pool.GetSnapshot().OldestAge);
        TestItem first = new();
        using (pool.Occupy())
        {
            pool.Accepted(first);
            time.Advance(TimeSpan.FromSeconds(3));
            pool.Accepted(new TestItem());
            time.Advance(TimeSpan.FromSeconds(2));
            PoolSnapshot snapshot = pool.GetSnapshot();
            Assert.Equal((2, 7, TimeSpan.FromSeconds(5)), (snapshot.QueueLength, snapshot.QueueCapacity, snapshot.OldestAge));
        }
        await first.Endings.First;
        Assert.Equal((TimeSpan.FromSeconds(5), $"{pool.Name}-0"), (first.QueueTime, first.WorkerName));
    }

    [Fact]
    public async Task An_item_whose_Kind_throws_still_runs_and_is_shown_without_a_kind()
    {
        var observer = new RecordingObserver();
        using FixedThreadPool pool = Pools.Make(observer: observer);
        using ManualResetEventSlim started = new(), release = new();
        pool.Accepted(new Undescribed(() =>
        {
            started.Set();
            release.WaitPatiently();
        }));
        started.WaitPatiently();
        WorkerSnapshot worker = Assert.Single(pool.GetSnapshot().Workers);
        Assert.Equal((WorkerState.Busy, null), (worker.State, worker.Kind));
        release.Set();
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently());
        Assert.Empty(observer.Replaced);
    }

    [Fact]
    public async Task The_snapshot_omits_the_kind_of_an_item_that_was_resubmitted_meanwhile()
    {
        using FixedThreadPool pool = Pools.Make(time: new FakeTimeProvider()); // so that both submissions have the same time
        var item = new Renamed();
        pool.Accepted(item);
        item.Started.WaitPatiently();
        item.WhenAsked = () =>
        {
            // Runs while the snapshot reads the item's labels, after it has read the worker's state.
            item.Go.Set();
            Patience.Until(() => item.Ended == 1);
            item.Name = "second";
            pool.Accepted(item);
        };
        WorkerSnapshot worker = Assert.Single(pool.GetSnapshot().Workers);
        Assert.Equal((WorkerState.Busy, null), (worker.State, worker.Kind));
        await Task.Run(() => Patience.Until(() => item.Ended == 2), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task The_wait_is_estimated_from_the_queue_and_the_mean_run_time()
    {
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(2, time: time);
        Assert.Equal(TimeSpan.Zero, ((IPoolAdmission)pool).EstimateQueueTime());
        using (pool.Occupy())
        {
            for (int i = 0; i < 6; i++) pool.Accepted(new TestItem());
            time.Advance(TimeSpan.FromSeconds(4));
            // No item has ended yet. The running items have taken 4 s so far: 6 × 4 s ÷ 2 workers.
            Assert.Equal(12, ((IPoolAdmission)pool).EstimateQueueTime().TotalSeconds, 3);
            time.Advance(TimeSpan.FromDays(2));
            Assert.Equal(TimeSpan.FromDays(1), ((IPoolAdmission)pool).EstimateQueueTime());
        }
        await pool.DisposeAsync();
        Assert.Equal(TimeSpan.Zero, ((IPoolAdmission)pool).EstimateQueueTime());
    }

    [Fact]
    public async Task The_estimated_queue_time_follows_the_run_times_of_recent_items()
    {
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(1, time: time);
        for (int i = 0; i < 5; i++) await pool.RunAsync(() => time.Advance(TimeSpan.FromSeconds(2))).Patiently();
        using Occupation busy = pool.Occupy();
        for (int i = 0; i < 3; i++) pool.Accepted(new TestItem());
        Assert.Equal(6, ((IPoolAdmission)pool).EstimateQueueTime().TotalSeconds, 3);
    }

    [Fact]
    public async Task An_observer_that_throws_is_notified_once_of_each_start_and_the_pool_continues()
    {
        var observer = new RecordingObserver(throws: true);
        FixedThreadPool pool = Pools.Make(2, observer: observer);
        var item = new AsyncTestItem(async _ => await Task.Yield())
        {
            WhenEnded = (_, _) => throw new InvalidOperationException("on purpose"),
        };
        pool.Accepted(item);
        Assert.Equal(WorkOutcome.Completed, await item.Endings.First);
        ShutdownReport report = await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        Assert.Empty(report.NotJoined);
        Assert.Same(item, Assert.Single(observer.Started).Item);
        Assert.Same(item, Assert.Single(observer.Unhandled).Item);
        Assert.Equal([0, 1], observer.Joined);
        Assert.Empty(observer.Replaced);
        pool.Dispose();
    }

    /// <summary>An item that runs an action of the test when its kind is first read, before it returns the kind.</summary>
    private sealed class Renamed : PoolWorkItem
    {
        private volatile int _ended;

        public ManualResetEventSlim Started { get; } = new();

        public ManualResetEventSlim Go { get; } = new();

        public Action? WhenAsked { get; set; }

        public string Name { get; set; } = "first";

        public int Ended => _ended;

        public override string Kind
        {
            get
            {
                if (WhenAsked is { } first)
                {
                    WhenAsked = null;
                    first();
                }
                return Name;
            }
        }

        protected override void Execute()
        {
            Started.Set();
            Go.WaitPatiently();
        }

        protected override void OnEnded(WorkOutcome outcome, Exception? exception) => Interlocked.Increment(ref _ended);
    }
}
