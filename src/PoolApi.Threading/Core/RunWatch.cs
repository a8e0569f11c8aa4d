using System.Diagnostics;
using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;
using PoolApi.Threading.Core.Stopping;

namespace PoolApi.Threading.Core;

/// <summary>
/// Enforces limits on run time. An item that runs too long ends here as timed out, while its code may still hold its worker. A worker that does
/// not return soon is reported as stuck.
/// </summary>
/// <remarks>
/// <code>
///   a worker starts an item with a limit: due ──► Check: due items end ──► a moment later: a worker whose code still runs is stuck
/// </code>
/// <para>One timer for the pool, set for the next limit of the running items. As with <see cref="ExpiryTimer"/> it is not changed when
/// that item ends: one unneeded check is cheaper. A pool without limits never sets it.</para>
/// <para>Why no limit is missed: a worker publishes the item's start, passes a fence, and reads the timer's due time. A check clears the due
/// time, passes a fence on every thread, and reads the workers' items. At least one of the two sees the other's write.</para>
/// <para>Why no other submission is ended: a check pins the items that it finds on the workers; see <see cref="ItemPins{TOps}"/>.</para>
/// </remarks>
#pragma warning disable CA1001 // its timer is disposed of by Stop, when the pool has stopped
internal sealed class RunWatch
#pragma warning restore CA1001
{
    /// <summary>Work that observes its token returns within this time, and its worker is not reported as stuck.</summary>
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
            static watch => ((RunWatch)watch!).Check(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Stop() => _timer.Dispose();

    /// <summary>An item with this limit has started. Its start was published before this call, and a full fence passed.</summary>
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
        // A timer counts whole milliseconds and may fire early. Then it is set again.
        TimerSetting.Set(_timer, left < OneMillisecond ? OneMillisecond : left);
    }

    private void Check()
    {
        // An exception would end the process, because the timer calls this.
        try
        {
            EndDue();
        }
        catch (OutOfMemoryException)
        {
            using (new UninterruptibleLock(this))
            {
                _due = long.MaxValue; // the timer has fired
                SetLocked(long.MinValue, 0); // in a millisecond, because only a check finds the next limit
            }
        }
    }

    private void EndDue()
    {
        long now = _core.Clock.Now; // never read under the gate
        var ended = new List<TimedOutItem>();
        var stuck = new List<(Worker Worker, long Since)>();
        DeferredActions after = default;
        try
        {
            using (new UninterruptibleLock(this)) SetLocked(EndDueUnderGate(now, ended, stuck, ref after), now);
        }
        finally
        {
            Notify(ended, ref after); // also if the memory ran out after some items had ended
        }
        foreach ((Worker worker, long since) in stuck) _core.Workers.NoteStuck(worker, since);
    }

    /// <returns>When to check again; long.MaxValue: no item with a limit runs.</returns>
    private long EndDueUnderGate(long now, List<TimedOutItem> ended, List<(Worker Worker, long Since)> stuck, ref DeferredActions after)
    {
        _due = long.MaxValue;
        _core.Stop.Pins.Pin(PinReason.RunWatch);
        _core.Queue.Enter();
        try
        {
            return EndDueLocked(now, ended, stuck);
        }
        finally
        {
            if (ended.Count > 0) _core.Queue.CheckDrainedLocked(ref after);
            _core.Queue.Exit();
            _core.Stop.Pins.Unpin(PinReason.RunWatch);
        }
    }

    private void Notify(List<TimedOutItem> ended, ref DeferredActions after)
    {
        try
        {
            _core.CarryOut(ref after);
        }
        finally
        {
            foreach (TimedOutItem one in ended) _core.CancelToken(one.Item, one.Source);
            foreach (TimedOutItem one in ended) _core.Records.EndedElsewhere(one.Item, WorkOutcome.TimedOut);
            foreach (TimedOutItem one in ended) _core.Observers.Ended(one.Item, WorkOutcome.TimedOut, one.Error);
        }
    }

    /// <returns>When to check again; long.MaxValue: no item with a limit runs.</returns>
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
            // If the start is 0, the worker has not published it yet. After it has, the worker sets the timer itself.
            due = start == 0 || limit == long.MaxValue || item.State != WorkItemState.InFlight ? long.MaxValue : start + limit;
            return due <= now;
        }

        void End(PoolWorkItem item)
        {
            // Allocates first, because an item that has ended must be notified.
            var error = new WorkTimedOutException(_core.Name, _core.Clock.Time.GetElapsedTime(0, _core.RunLimitOf(item)));
            ended.EnsureCapacity(ended.Count + 1);
            if (_core.TryTimeOutLocked(item, now, out CancellationTokenSource? source)) ended.Add(new TimedOutItem(item, source, error));
        }
    }

    private readonly record struct TimedOutItem(PoolWorkItem Item, CancellationTokenSource? Source, WorkTimedOutException Error);
}
