using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>
/// Enforces limits on queue time. An expired item is ended by the worker that would take it, or by this single timer, which is set for the
/// next item to expire. So an item ends soon after its limit even while every worker is busy.
/// </summary>
/// <remarks>
/// The timer is not changed when that item starts or is cancelled: one unneeded check is cheaper than setting it for
/// every item. In an idle pool it is not set, or fires once more.
/// </remarks>
#pragma warning disable CA1001 // its timer is disposed of by Stop, when the pool has stopped
internal sealed class ExpiryTimer
#pragma warning restore CA1001
{
    private static readonly TimeSpan OneMillisecond = TimeSpan.FromMilliseconds(1);

    private readonly PoolCore _core;
    private readonly ITimer _timer;

    public ExpiryTimer(PoolCore core)
    {
        _core = core;
        _timer = core.Clock.Time.CreateTimer(
            static expiry => ((ExpiryTimer)expiry!).Expire(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Stop() => _timer.Dispose();

    /// <summary>Sets the timer for the next item to expire, unless it is already set for an earlier time.</summary>
    public void Set(ref DeferredActions after)
    {
        after.NeedsTimer = false;
        using (new UninterruptibleLock(this)) // so that two threads set the timer in the order in which they read the queue
        {
            _core.Queue.Enter();
            long? due = _core.Queue.TimerDueLocked(ref after);
            _core.Queue.Exit();
            if (due is { } at) TimerSetting.Set(_timer, DueIn(at));
        }
    }

    private void Expire()
    {
        // An exception would end the process, because the timer calls this.
        try
        {
            EndExpired();
        }
        catch (OutOfMemoryException)
        {
            TimerSetting.Set(_timer, OneMillisecond); // set again, because the queue may count the timer as set
        }
    }

    private void EndExpired()
    {
        DeferredActions after = default;
        long now = _core.Clock.Now; // not read under the gate: a fake clock may run timers when it is read, also this one
        _core.Queue.Enter();
        _core.Queue.ExpireLocked(now, ref after);
        _core.Queue.Exit();
        _core.CarryOut(ref after);
    }

    /// <summary>Rounds up, because a timer counts whole milliseconds. If it fires early, it is set again.</summary>
    private TimeSpan DueIn(long at)
    {
        long left = at - _core.Clock.Now;
        TimeSpan time = left <= 0 ? TimeSpan.Zero : _core.Clock.Time.GetElapsedTime(0, left);
        return time < OneMillisecond ? OneMillisecond : time;
    }
}
