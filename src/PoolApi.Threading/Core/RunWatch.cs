using System.Diagnostics;
using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>
/// Limits on running. An item that runs too long ends here as timed out, while its code may still hold its worker; a worker that does
/// not come back then is reported as stuck.
/// </summary>
/// <remarks>
/// <code>
///   a worker starts an item with a limit: due ──► Look: what is due ends ──► a moment later: whose code still runs is stuck
/// </code>
/// <para>One timer for the pool, set for the next limit among the items that run. As with <see cref="ExpiryTimer"/> it is left alone when
/// that item ends: firing once for nothing is cheaper. A pool without limits never sets it.</para>
/// <para>Why no limit is missed: a worker publishes the item's start, passes a fence, and reads until when the timer covers the pool. A
/// look first says that it covers nothing, passes a fence on every thread, and reads what the workers run.</para>
/// <para>Why no other submission is ended: a look pins what it finds in a worker's hand; see <see cref="PoolCore.Pins"/>.</para>
/// </remarks>
#pragma warning disable CA1001 // its timer is disposed of by Stop, when the pool has stopped
internal sealed class RunWatch
#pragma warning restore CA1001
{
    /// <summary>What listens to its token comes back within this, and is not worth a report.</summary>
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan OneMillisecond = TimeSpan.FromMilliseconds(1);

    private readonly PoolCore _core;
    private readonly ITimer _timer;
    private readonly long _momentTicks;
    private long _due = long.MaxValue; // the timer fires by then; long.MaxValue: it is not set. Written under this object's lock

    public RunWatch(PoolCore core)
    {
        _core = core;
        _momentTicks = core.Clock.ToTicks(Moment);
        _timer = core.Clock.Time.CreateTimer(
            static watch => ((RunWatch)watch!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Stop() => _timer.Dispose();

    /// <summary>An item has started that may run until then. Its start was published, and a full fence passed, before this.</summary>
    public void Started(long due)
    {
        if (due < Volatile.Read(ref _due)) Set(due, _core.Clock.Now);
    }

    private void Set(long due, long now)
    {
        using (new UninterruptibleLock(this)) SetLocked(due, now);
    }

    private void SetLocked(long due, long now)
    {
        Debug.Assert(Monitor.IsEntered(this));
        if (due >= _due) return;
        _due = due;
        TimeSpan left = due <= now ? TimeSpan.Zero : _core.Clock.Time.GetElapsedTime(now, due);
        // It counts whole milliseconds, and may fire a little early. Fired too early, it is set again.
        TimerSetting.Set(_timer, left < OneMillisecond ? OneMillisecond : left);
    }

    private void Look()
    {
        long now = _core.Clock.Now; // never read under the gate
        var ended = new List<TimedOutItem>();
        var stuck = new List<(Worker Worker, long Since)>();
        DeferredActions after = default;
        using (new UninterruptibleLock(this))
        {
            _due = long.MaxValue;
            _core.Pin(PinReason.Looking);
            _core.Queue.Enter();
            long next = EndDueLocked(now, ended, stuck);
            if (ended.Count > 0) _core.Queue.NothingLeftLocked(ref after);
            _core.Queue.Exit();
            _core.Unpin(PinReason.Looking);
            SetLocked(next, now);
        }
        _core.CarryOut(ref after);
        // Not awaited: a callback that does not come back must hold up nobody. Each reports its own failure.
        foreach (TimedOutItem one in ended) _ = PoolStop.CancelAsync(_core, one.Item, one.Source);
        foreach (TimedOutItem one in ended) _core.Records.EndedElsewhere(one.Item, WorkOutcome.TimedOut);
        foreach (TimedOutItem one in ended) _core.Listeners.Ended(one.Item, WorkOutcome.TimedOut, new WorkTimedOutException(_core.Name, one.Limit));
        foreach ((Worker worker, long since) in stuck) _core.Workers.NoteStuck(worker, since);
    }

    /// <returns>When to look again; long.MaxValue: nothing runs that has a limit.</returns>
    private long EndDueLocked(long now, List<TimedOutItem> ended, List<(Worker Worker, long Since)> stuck)
    {
        _core.Queue.AssertLocked();
        long next = long.MaxValue;
        foreach (PoolWorkItem item in _core.Async.UnderWayLocked())
        {
            if (IsDue(item, out long due)) End(item);
            else next = Math.Min(next, due);
        }
        foreach (Worker worker in _core.Workers.All)
        {
            if (worker.Ledger.Item is not { } item) continue;
            if (!item.IsAsync)
            {
                if (IsDue(item, out long due)) End(item);
                else next = Math.Min(next, due);
            }
            if (item.State != WorkItemState.TimedOut || Volatile.Read(ref worker.StuckSince) != 0) continue;
            long patience = Math.Max(item.EndedAt, worker.Ledger.ItemSince) + _momentTicks;
            if (now >= patience) stuck.Add((worker, worker.Ledger.ItemSince));
            else next = Math.Min(next, patience);
        }
        return next;

        bool IsDue(PoolWorkItem item, out long due)
        {
            long start = Volatile.Read(ref item.StartedAt);
            long limit = _core.RunLimitOf(item);
            // Its worker is between taking it and publishing its start; then it sets the timer itself.
            due = start == 0 || limit == long.MaxValue || item.State != WorkItemState.InFlight ? long.MaxValue : start + limit;
            return due <= now;
        }

        void End(PoolWorkItem item)
        {
            long limit = _core.RunLimitOf(item);
            if (_core.TryTimeOutLocked(item, now, out CancellationTokenSource? source))
                ended.Add(new TimedOutItem(item, source, _core.Clock.Time.GetElapsedTime(0, limit)));
        }
    }

    private readonly record struct TimedOutItem(PoolWorkItem Item, CancellationTokenSource? Source, TimeSpan Limit);
}
