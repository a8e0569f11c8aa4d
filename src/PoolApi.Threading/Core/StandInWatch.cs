using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>
/// Detects that all workers of a pool are blocked while work that their own items caused is queued, and starts a stand-in for that work.
/// </summary>
/// <remarks>
/// <para>A worker is blocked if its thread is in a managed wait (a task, a lock, a sleep). A worker that computes, or is in a system call, is
/// not blocked: it takes queued work when its item ends. One check is not enough, because a wait may end at once. Two consecutive checks must
/// see every worker blocked inside the same item.</para>
/// <para>The timer for checks is set only while such work is queued and no worker is free. The timer for dismissals is set only while a
/// stand-in is idle. Queue/README.md shows why no check is missing.</para>
/// </remarks>
#pragma warning disable CA1001 // its timers are disposed of by Stop, when the pool has stopped
internal sealed class StandInWatch
#pragma warning restore CA1001
{
    /// <summary>A timer counts whole milliseconds.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(1);

    /// <summary>The longest time between two checks: while some worker computes, or while every stand-in is in use.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(16);

    /// <summary>After this time without progress, no stand-in is reserved for deeper work any more; see <c>StandIns.IsUnreserved</c>.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);

    /// <summary>After this time without progress while every stand-in is in use, the observer is notified.</summary>
    private static readonly TimeSpan Hopeless = TimeSpan.FromSeconds(1);

    /// <summary>How long a stand-in stays idle before it leaves, since workers that have blocked once are likely to block again.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    /// <summary>The pause before another try after the system gave no thread, or the state of a stand-in could not be made.</summary>
    private static readonly TimeSpan NoThread = TimeSpan.FromSeconds(1);

    private const int MostKinds = 64; // bounds the log, should there be many kinds

    private readonly PoolCore _core;
    private readonly ITimer _checking;
    private readonly ITimer _dismissing;
    private readonly Lock _lock = new(); // one check at a time; taken before the worker set's lock
    private readonly HashSet<(string? Kind, bool HasStandIn)> _notified = [];
    private TimeSpan _next = Soon;
    private long _seen = -1; // identifies the workers' items at the last check, if all were blocked; -1: they were not
    private long _blockedSince;
    private long _failedAt = long.MinValue; // when the start of a stand-in last failed on its thread; long.MinValue: never

    public StandInWatch(PoolCore core)
    {
        _core = core;
        _checking = core.Clock.Time.CreateTimer(
            static watch => ((StandInWatch)watch!).Check(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _dismissing = core.Clock.Time.CreateTimer(
            static watch => ((StandInWatch)watch!).Dismiss(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Stop()
    {
        _checking.Dispose();
        _dismissing.Dispose();
    }

    /// <summary>Schedules a check, on request of the queue.</summary>
    public void SetCheck() => TimerSetting.Set(_checking, Soon);

    /// <summary>Schedules the dismissal of an idle stand-in, on request of the queue.</summary>
    public void SetDismissal() => TimerSetting.Set(_dismissing, Rest);

    /// <summary>A stand-in has its thread but not its state, and is about to leave. Called on that thread.</summary>
    public void StartFailed() => Volatile.Write(ref _failedAt, _core.Clock.Now);

    /// <summary>Whether every other worker is blocked or idle. Only then may the stand-in take an item.</summary>
    public bool AreOthersBlocked(Worker standIn)
    {
        foreach (Worker worker in _core.Workers.All)
        {
            if (!ReferenceEquals(worker, standIn) && worker.Ledger.Item is not null && !worker.IsLikelyBlocked) return false;
        }
        return true;
    }

    private void Check()
    {
        // An exception would end the process, because the timer calls this.
        try
        {
            StartIfNeeded();
        }
        catch (OutOfMemoryException)
        {
            TimerSetting.Set(_checking, NoThread); // set again, because the queue may count the check as set
        }
    }

    private void StartIfNeeded()
    {
        StandInNeed need;
        WorkerView? blocked = null;
        TimeSpan next;
        WorkerSet.StandInStart start = default;
        DeferredActions after = default;
        lock (_lock)
        {
            long seen = SeeBlocked();
            bool still = seen >= 0 && seen == _seen;
            long now = _core.Clock.Time.GetTimestamp();
            if (!still) _blockedSince = now;
            _seen = seen;
            TimeSpan blockedFor = still ? _core.Clock.Time.GetElapsedTime(_blockedSince, now) : TimeSpan.Zero;
            _core.Queue.Enter();
            need = _core.Queue.NeedStandInLocked(still, blockedFor >= Patience, out PoolWorkItem? waitsFor, ref after);
            // Read here, since the worker may hold another item by the time of the report.
            WorkerView? waits = waitsFor is not null && WaitsFor(waitsFor) is { } worker ? WorkerView.Read(worker) : null;
            _core.Queue.Exit();
            _next = seen >= 0 || need == StandInNeed.None ? Soon : Min(_next * 2, Longest);
            if (need == StandInNeed.None) _seen = -1;
            if (need == StandInNeed.Start && PauseLeft(now) is var pause && pause > TimeSpan.Zero)
            {
                need = StandInNeed.CheckAgain;
                _next = pause > Soon ? pause : Soon;
            }
            if (need == StandInNeed.Start && !TryStart(out start)) _next = NoThread;
            if (need == StandInNeed.UsedUp) _next = Longest; // a worker that returns takes the queued work without a check
            if (need is StandInNeed.Start or StandInNeed.Woken || (need == StandInNeed.UsedUp && blockedFor >= Hopeless))
                blocked = waits;
            next = _next;
        }
        if (need != StandInNeed.None) TimerSetting.Set(_checking, next);
        // From here on code of callers runs, which may block.
        _core.CarryOut(ref after); // the wake-up of a stand-in first
        _core.Workers.Report(start);
        if (blocked is { } view) Notify(view, need != StandInNeed.UsedUp);
    }

    private void Dismiss()
    {
        long since = _core.Clock.Now - _core.Clock.ToTicks(Rest);
        DeferredActions after = default;
        _core.Queue.Enter();
        bool again = _core.Queue.DismissLocked(since, ref after);
        _core.Queue.Exit();
        _core.CarryOut(ref after);
        if (again) SetDismissal();
    }

    /// <summary>How long no stand-in is started because the start of one has failed.</summary>
    private TimeSpan PauseLeft(long now)
    {
        long failedAt = Volatile.Read(ref _failedAt);
        return failedAt == long.MinValue ? TimeSpan.Zero : NoThread - _core.Clock.Time.GetElapsedTime(failedAt, now);
    }

    /// <returns><see langword="false"/> if there was no thread, or no memory for one.</returns>
    private bool TryStart(out WorkerSet.StandInStart start)
    {
        try
        {
            start = _core.Workers.StartStandIn();
            return !start.GotNoThread;
        }
        catch (OutOfMemoryException)
        {
            start = default;
            return false;
        }
    }

    /// <summary>Computes a number that changes when any worker's item changes; -1 if a worker with an item is not blocked.</summary>
    private long SeeBlocked()
    {
        long seen = 0;
        foreach (Worker worker in _core.Workers.All)
        {
            seen += worker.Ledger.LastVersion<ProcessorOps>();
            if (worker.Ledger.Item is not null && !worker.IsLikelyBlocked) return -1;
        }
        return seen;
    }

    /// <summary>Finds the worker that waits for the item: its submitter or the worker that runs it, else any busy worker. Called under the gate.</summary>
    private Worker? WaitsFor(PoolWorkItem item)
    {
        Worker? busy = null;
        foreach (Worker worker in _core.Workers.All)
        {
            if (ReferenceEquals(worker, item.Extras?.SubmittingWorker) || ReferenceEquals(worker.Ledger.Item, item)) return worker;
            if (worker.Ledger.Item is not null) busy ??= worker;
        }
        return busy;
    }

    /// <summary>
    /// Notifies the observer of a blocked worker, unless its kind was already reported or the worker has released the item meanwhile. Items whose labels
    /// cannot be read count as one kind. Under no lock: an item's labels are code of a caller.
    /// </summary>
    private void Notify(in WorkerView worker, bool hasStandIn)
    {
        WorkerSnapshot snapshot = _core.Views.SnapshotOf(worker);
        if (snapshot.Elapsed is null || (snapshot.Kind is null && !worker.IsUnchanged)) return;
        lock (_notified)
        {
            if (_notified.Count >= MostKinds || !_notified.Add((snapshot.Kind, hasStandIn))) return;
        }
        _core.Observers.WorkerBlocked(snapshot, hasStandIn);
    }

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
