using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>
/// Finds a pool whose workers are all blocked while work waits that their own items caused, and brings a stand-in for it.
/// </summary>
/// <remarks>
/// <para>Blocked means: the thread waits in a managed wait (a task, a lock, a sleep). A worker that computes, or is in a system
/// call, is not blocked: it takes what it caused when it is done. One look is not enough, because a wait may be over at once: two looks must see every
/// worker blocked on the same thing.</para>
/// <para>The timer for looking is set only while such work waits and no worker is free, the one for dismissing only while a
/// stand-in rests. What the queue guarantees about the first stands in Queue/README.md.</para>
/// </remarks>
#pragma warning disable CA1001 // its timers are disposed of by Stop, when the pool has stopped
internal sealed class StandInWatch
#pragma warning restore CA1001
{
    /// <summary>A timer counts whole milliseconds.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(1);

    /// <summary>The longest between two looks, while some worker computes.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(16);

    /// <summary>Nothing has moved for so long: no stand-in is held back any more.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);

    /// <summary>Nothing has moved for so long although every stand-in is in use: that is told.</summary>
    private static readonly TimeSpan Hopeless = TimeSpan.FromSeconds(1);

    /// <summary>How long a stand-in rests before it leaves: workers that block once are likely to block again.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    /// <summary>How long no stand-in is tried for after the system gave no thread.</summary>
    private static readonly TimeSpan NoThread = TimeSpan.FromSeconds(1);

    private const int MostKinds = 64; // kinds are few; should they not be, the log is not flooded

    private readonly PoolCore _core;
    private readonly ITimer _looking;
    private readonly ITimer _dismissing;
    private readonly Lock _lock = new(); // one look at a time; before the worker set's
    private readonly HashSet<(string Kind, bool HasStandIn)> _told = [];
    private TimeSpan _next = Soon;
    private long _seen = -1; // what the workers had in hand at the last look, if all were blocked; -1: they were not
    private long _blockedSince;

    public StandInWatch(PoolCore core)
    {
        _core = core;
        _looking = core.Clock.Time.CreateTimer(
            static watch => ((StandInWatch)watch!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _dismissing = core.Clock.Time.CreateTimer(
            static watch => ((StandInWatch)watch!).Dismiss(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Stop()
    {
        _looking.Dispose();
        _dismissing.Dispose();
    }

    /// <summary>The queue has said that it must be looked at soon.</summary>
    public void SetLook() => TimerSetting.Set(_looking, Soon);

    /// <summary>The queue has said that a stand-in rests.</summary>
    public void SetDismissal() => TimerSetting.Set(_dismissing, Rest);

    /// <summary>Whether every other worker is blocked or has nothing in hand: then a stand-in that has just done something goes on.</summary>
    public bool AreOthersBlocked(Worker standIn)
    {
        foreach (Worker worker in _core.Workers.All)
        {
            if (!ReferenceEquals(worker, standIn) && worker.Ledger.Item is not null && !worker.IsBlockedGuess) return false;
        }
        return true;
    }

    private void Look()
    {
        StandInNeed need;
        WorkerSnapshot? blocked = null;
        lock (_lock)
        {
            long seen = SeeBlocked();
            bool still = seen >= 0 && seen == _seen;
            long now = _core.Clock.Time.GetTimestamp();
            if (!still) _blockedSince = now;
            _seen = seen;
            TimeSpan blockedFor = still ? _core.Clock.Time.GetElapsedTime(_blockedSince, now) : TimeSpan.Zero;
            DeferredActions after = default;
            _core.Queue.Enter();
            need = _core.Queue.LookLocked(still, blockedFor >= Patience, out PoolWorkItem? waitsFor, ref after);
            Worker? waits = waitsFor is null ? null : WaitsFor(waitsFor);
            _core.Queue.Exit();
            _core.CarryOut(ref after); // what was drained; wakes
            _next = seen >= 0 || need == StandInNeed.None ? Soon : Min(_next * 2, Longest);
            if (need == StandInNeed.None) _seen = -1;
            if (need == StandInNeed.Start && !_core.Workers.StartStandIn()) _next = NoThread;
            if (need is StandInNeed.Start or StandInNeed.Woken || (need == StandInNeed.UsedUp && blockedFor >= Hopeless))
                blocked = ToTell(waits, need != StandInNeed.UsedUp);
            else if (need == StandInNeed.UsedUp)
                _next = Longest; // a worker that comes back takes what waits, without a look
        }
        if (blocked is not null) _core.Listeners.WorkerBlocked(blocked, need != StandInNeed.UsedUp);
        if (need != StandInNeed.None) TimerSetting.Set(_looking, _next);
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

    /// <summary>What all workers have in hand, as a number that changes when any of it does; -1: one of them is not blocked.</summary>
    private long SeeBlocked()
    {
        long seen = 0;
        foreach (Worker worker in _core.Workers.All)
        {
            seen += worker.Ledger.VersionGuess;
            if (worker.Ledger.Item is not null && !worker.IsBlockedGuess) return -1;
        }
        return seen;
    }

    /// <summary>Under the gate: the worker that is blocked by it, as far as that can be known.</summary>
    private Worker? WaitsFor(PoolWorkItem item)
    {
        Worker? busy = null;
        foreach (Worker worker in _core.Workers.All)
        {
            if (ReferenceEquals(worker, item.Cause?.By) || ReferenceEquals(worker.Ledger.Item, item)) return worker;
            if (worker.Ledger.Item is not null) busy ??= worker;
        }
        return busy;
    }

    /// <summary>What is to be told of a blocked worker; null: of that kind it has been.</summary>
    private WorkerSnapshot? ToTell(Worker? worker, bool hasStandIn)
    {
        if (worker is null || _told.Count >= MostKinds) return null;
        WorkerSnapshot snapshot = _core.Views.Snapshot(worker);
        return snapshot.Kind is { } kind && _told.Add((kind, hasStandIn)) ? snapshot : null;
    }

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
