using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace PoolApi.Threading.Tests.Workers;

/// <summary>The pool reports a worker that is stuck in an item, and may start a stand-in for it.</summary>
public class StuckTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);

    private readonly FakeTimeProvider _time = new();
    private readonly RecordingObserver _observer = new();

    [Fact]
    public void The_observer_is_notified_once_per_item_when_a_worker_is_stuck_and_when_it_recovers()
    {
        using FixedThreadPool pool = Make(2, standIns: 0);
        for (int round = 1; round <= 2; round++)
        {
            using var started = new ManualResetEventSlim();
            using var release = new ManualResetEventSlim();
            var item = new TestItem(_ =>
            {
                started.Set();
                release.WaitPatiently();
            })
            {
                KindIs = "slow",
                OriginIs = "/v1/slow",
            };
            pool.Accepted(item);
            started.WaitPatiently();
            Advance(Minute);
            Assert.Equal(round - 1, _observer.Stuck.Count);
            Advance(Millisecond * 2);
            Patience.Until(() => _observer.Stuck.Count == round);
            Advance(10 * Minute);
            Assert.Equal(round, _observer.Stuck.Count);
            WorkerSnapshot stuck = _observer.Stuck.Last();
            Assert.Equal((WorkerState.Stuck, "slow", "/v1/slow"), (stuck.State, stuck.Kind, stuck.Origin));
            Assert.InRange(stuck.Elapsed!.Value, Minute, Minute + TimeSpan.FromSeconds(1));
            Assert.Equal(item.WorkerName, stuck.Name);
            Assert.Equal(round - 1, _observer.Recovered.Count);
            release.Set();
            Patience.Until(() => _observer.Recovered.Count == round);
            Assert.Equal(stuck.Id, _observer.Recovered.Last());
            Patience.Until(() => item.Endings.Count == 1);
            Assert.Equal([WorkOutcome.Completed], item.Endings.Outcomes);
        }
        Assert.Empty(_observer.Replaced);
        Assert.Equal(2, pool.GetSnapshot().Workers.Count);
    }

    [Fact]
    public void A_worker_that_runs_many_short_items_in_a_row_is_not_stuck()
    {
        using FixedThreadPool pool = Make(1, standIns: 1);
        for (int i = 0; i < 20; i++)
        {
            using Occupation busy = pool.Occupy();
            Advance(Minute / 2);
        }
        Assert.Empty(_observer.Stuck);
    }

    [Fact]
    public async Task A_stand_in_runs_queued_items_and_stops_when_the_stuck_worker_recovers()
    {
        using FixedThreadPool pool = Make(1, standIns: 1);
        Occupation busy = pool.Occupy();
        var waiting = new TestItem();
        pool.Accepted(waiting);
        Advance(Minute + (2 * Millisecond));
        Assert.Equal(WorkOutcome.Completed, await waiting.Endings.First);
        Assert.Equal(1, pool.Workers);
        Assert.Equal([WorkerState.Stuck, WorkerState.Idle], States(pool));
        Assert.Equal($"{pool.Name}-1", waiting.WorkerName);
        busy.Dispose();
        // Two threads report this, in any order: the worker that recovers, and the stand-in that leaves.
        Patience.Until(() => _observer.WorkersStopped.Count == 1 && _observer.Recovered.Count == 1);
        Assert.Equal([0], _observer.Recovered);
        Patience.Until(() => Pools.ThreadsNamed($"{pool.Name}-").Count == 1);
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently());
        Assert.Single(States(pool), s => s != WorkerState.Stopped);
    }

    [Fact]
    public async Task The_pool_starts_no_more_stand_ins_than_MaxStandIns_allows()
    {
        using FixedThreadPool pool = Make(2, standIns: 1);
        Occupation first = pool.Occupy();
        Advance(Minute + (2 * Millisecond));
        Patience.Until(() => _observer.Stuck.Count == 2);
        Patience.Until(() => _observer.WorkersStarted.Count == 3);
        // The stand-in gets stuck too.
        using var started = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        pool.Accepted(new TestItem(_ =>
        {
            started.Set();
            release.WaitPatiently();
        }));
        started.WaitPatiently();
        Advance(Minute + (2 * Millisecond));
        Patience.Until(() => _observer.Stuck.Count == 3);
        var waiting = new TestItem();
        pool.Accepted(waiting);
        Assert.Equal(3, Pools.ThreadsNamed($"{pool.Name}-").Count);
        Assert.Equal(0, waiting.Endings.Count);
        release.Set();
        first.Dispose();
        Assert.Equal(WorkOutcome.Completed, await waiting.Endings.First);
        Patience.Until(() => _observer.Recovered.Count == 3);
        Patience.Until(() => Pools.ThreadsNamed($"{pool.Name}-").Count == 2);
        using (pool.Occupy()) Assert.Equal(2, pool.GetSnapshot().InFlight); // as many as before
    }

    [Fact]
    public async Task A_stop_joins_the_stand_in_and_reports_the_stuck_worker_as_not_joined()
    {
        FixedThreadPool pool = Make(1, standIns: 1);
        Occupation busy = pool.Occupy();
        Advance(Minute + (2 * Millisecond));
        Patience.Until(() => _observer.WorkersStarted.Count == 2);
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
        Assert.Equal((1, 1), (report.WorkersJoined, report.NotJoined.Count));
        Assert.Equal(WorkerState.Stuck, report.NotJoined[0].State);
        busy.Dispose();
        Pools.NoThreadIsLeft(pool);
        pool.Dispose();
    }

    [Fact]
    public async Task A_stuck_worker_that_dies_without_a_replacement_is_no_longer_counted_as_stuck()
    {
        bool refuse = false;
        int starts = 0; // only this thread writes: the fake clock runs the timers in Advance
        using FixedThreadPool pool = Pools.Make(1, time: _time, observer: _observer, stuckAfter: Minute, more: o =>
        {
            o.MaxStandIns = 1;
            o.StartThread = thread =>
            {
#pragma warning disable CA2201 // the exception that the runtime throws
                if (Volatile.Read(ref refuse)) throw new OutOfMemoryException("on purpose");
#pragma warning restore CA2201
                starts++;
                thread.UnsafeStart();
            };
        });
        var deadly = new SlowlyDeadlyItem();
        pool.Accepted(deadly);
        deadly.Started.WaitPatiently();
        Advance(Minute + (2 * Millisecond));
        Patience.Until(() => _observer.WorkersStarted.Count == 2);
        Volatile.Write(ref refuse, true);
        deadly.Release.Set();
        Patience.Until(() => _observer.Lost.Count == 1);
        Volatile.Write(ref refuse, false);
        pool.Resize(1); // the stand-in becomes the pool's one worker
        Assert.Equal(2, starts);
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently());
        Patience.Until(() => Pools.ThreadsNamed($"{pool.Name}-").Count == 1);
        pool.Resize(2);
        using (pool.Occupy()) Assert.Equal(2, Pools.ThreadsNamed($"{pool.Name}-").Count);
    }

    [Fact]
    public void The_observer_is_notified_of_a_recovery_only_after_it_was_notified_of_the_stuck_worker()
    {
        var notifications = new ConcurrentQueue<(bool IsStuck, string? Kind)>();
        Occupation? busy = null;
        TestItem? next = null;
        using FixedThreadPool pool = Pools.Make(time: _time, stuckAfter: Minute, observer: new HealthObserver(worker =>
        {
            if (worker.State == WorkerState.Stuck)
            {
                busy!.Dispose();
                Patience.Until(() => next!.Endings.Count == 1); // by then the worker has recovered
            }
            notifications.Enqueue((worker.State == WorkerState.Stuck, worker.Kind));
        }));
        for (int round = 1; round <= 2; round++)
        {
            busy = pool.Occupy();
            next = new TestItem();
            pool.Accepted(next);
            Advance(Minute + (2 * Millisecond));
            Assert.Equal(2 * round, notifications.Count);
        }
        Assert.Equal([true, false, true, false], notifications.Select(static n => n.IsStuck));
        Assert.All(notifications.Where(static n => n.IsStuck), static n => Assert.Equal("test", n.Kind));
    }

    public static TheoryData<TimeSpan> NoLimits => [TimeSpan.MaxValue, Timeout.InfiniteTimeSpan];

    [Theory]
    [MemberData(nameof(NoLimits), DisableDiscoveryEnumeration = true)]
    public async Task With_an_infinite_StuckAfter_no_worker_is_reported_as_stuck(TimeSpan never)
    {
        FixedThreadPoolOptions options = Pools.Options(1, time: _time, observer: _observer, stuckAfter: never);
        options.MaxStandIns = 1;
        using var pool = new FixedThreadPool(options);
        using (pool.Occupy())
        {
            for (int day = 0; day < 400; day++) _time.Advance(TimeSpan.FromDays(1));
            Assert.Equal(WorkerState.Busy, pool.GetSnapshot().Workers[0].State);
        }
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently());
        Assert.Empty(_observer.Stuck);
        Assert.Empty(_observer.Replaced);
        Assert.Equal(never, options.StuckAfter); // the caller's own settings are not touched
    }

    [Fact]
    public void A_MaxStandIns_out_of_range_is_refused()
    {
        foreach (int wrong in new[] { -1, 65 })
        {
            var error = Assert.Throws<ArgumentOutOfRangeException>(() => Pools.Make(more: o => o.MaxStandIns = wrong));
            Assert.Equal("MaxStandIns", error.ParamName);
            Assert.StartsWith("MaxStandIns must be 0 to 64, or null", error.Message, StringComparison.Ordinal);
        }
    }

    private FixedThreadPool Make(int workers, int standIns) => Pools.Make(
        workers, time: _time, observer: _observer, stuckAfter: Minute, more: o => o.MaxStandIns = standIns);

    /// <summary>Advances in small steps, so that a timer that is set again also fires.</summary>
    private void Advance(TimeSpan by)
    {
        for (int i = 0; i < 4; i++) _time.Advance(by / 4);
    }

    private static IEnumerable<WorkerState> States(FixedThreadPool pool)
    {
        Patience.Until(() => pool.GetSnapshot().Workers.All(static w => w.State != WorkerState.Busy));
        return pool.GetSnapshot().Workers.Select(static w => w.State);
    }

    private sealed class HealthObserver(Action<WorkerSnapshot> changed) : IFixedThreadPoolObserver
    {
        public void WorkerHealthChanged(WorkerSnapshot worker) => changed(worker);
    }

    private sealed class SlowlyDeadlyItem : PoolWorkItem
    {
        public ManualResetEventSlim Started { get; } = new();

        public ManualResetEventSlim Release { get; } = new();

        protected override void Execute()
        {
        }

        internal override void Start(PoolCore core, Worker worker)
        {
            Started.Set();
            Release.WaitPatiently();
            throw new InvalidOperationException("on purpose");
        }
    }
}
