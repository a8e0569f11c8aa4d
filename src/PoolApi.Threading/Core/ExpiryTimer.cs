using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>
/// Limits on waiting. An item that waits too long is ended by whoever sees it first: the worker that would take it, or this
/// one timer, set for the next to expire, so that its caller is told even while every worker is busy.
/// </summary>
/// <remarks>
/// The timer is left alone when that item starts or is cancelled: firing once for nothing is cheaper than setting it anew for
/// every item. An idle pool has none running, or one that fires once more.
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

    /// <summary>Sets it for the next to expire, if it is not set so early.</summary>
    public void Set(ref DeferredActions after)
    {
        after.NeedsTimer = false;
        using (new UninterruptibleLock(this)) // so that of two who set it the one who looked last has the last word
        {
            _core.Queue.Enter();
            long? due = _core.Queue.TimerDueLocked(ref after);
            _core.Queue.Exit();
            if (due is { } at) TimerSetting.Set(_timer, DueIn(at));
        }
    }

    private void Expire()
    {
        DeferredActions after = default;
        long now = _core.Clock.Now; // never read under the gate: a clock that a test moves may run timers there, this one too
        _core.Queue.Enter();
        _core.Queue.ExpireLocked(now, ref after);
        _core.Queue.Exit();
        _core.CarryOut(ref after);
    }

    /// <summary>A timer counts whole milliseconds, and may fire a little early. Fired too early, it is set again.</summary>
    private TimeSpan DueIn(long at)
    {
        long left = at - _core.Clock.Now;
        TimeSpan time = left <= 0 ? TimeSpan.Zero : _core.Clock.Time.GetElapsedTime(0, left);
        return time < OneMillisecond ? OneMillisecond : time;
    }
}
