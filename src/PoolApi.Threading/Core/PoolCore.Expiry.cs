using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <content>
/// Limits on waiting. An item that waits too long is ended by whoever sees it first: the worker that would take it, or one
/// timer, set for the next to expire, so that its caller is told even while every worker is busy.
/// </content>
/// <remarks>
/// The timer is left alone when that item starts or is cancelled: firing once for nothing is cheaper than setting it anew for
/// every item. An idle pool has none running, or one that fires once more.
/// </remarks>
internal sealed partial class PoolCore
{
    private static readonly TimeSpan OneMillisecond = TimeSpan.FromMilliseconds(1);

    /// <summary>The longest that a timer is set for, which takes 49 days at most; then it is set again.</summary>
    public static readonly TimeSpan LongestTimer = TimeSpan.FromDays(1);

    private readonly ITimer _expiry;
    private readonly Lock _expirySetting = new(); // so that of two who set the timer the one who looked last has the last word
    private readonly bool _hasShortLimit; // so short that the coarse clock would cut it
    private readonly long _maxQueueTicks; // of the clock; long.MaxValue: no limit

    /// <summary>A time in the clock's ticks, at most; for ever: long.MaxValue.</summary>
    private long ToTicks(TimeSpan time)
    {
        double ticks = time.TotalSeconds * _time.TimestampFrequency;
        return time == Timeout.InfiniteTimeSpan || ticks >= long.MaxValue / 2 ? long.MaxValue : (long)ticks;
    }

    private void SetExpiryTimer()
    {
        Aftermath after = default;
        lock (_expirySetting)
        {
            _queue.Enter();
            long? due = _queue.TimerDueLocked(ref after);
            _queue.Exit();
            try
            {
                if (due is { } at) _expiry.Change(DueIn(at), Timeout.InfiniteTimeSpan);
            }
            catch (ObjectDisposedException)
            {
                // The pool has stopped meanwhile.
            }
        }
        CarryOut(ref after);
    }

    private void ExpireWaiting()
    {
        Aftermath after = default;
        long now = Now; // never read under the gate: a clock that a test moves may run timers there, this one too
        _queue.Enter();
        _queue.ExpireLocked(now, ref after);
        _queue.Exit();
        CarryOut(ref after);
    }

    /// <summary>A timer counts whole milliseconds, and may fire a little early. Fired too early, it is set again.</summary>
    private TimeSpan DueIn(long at)
    {
        long left = at - Now;
        TimeSpan time = left <= 0 ? TimeSpan.Zero : _time.GetElapsedTime(0, left);
        return time < OneMillisecond ? OneMillisecond : time > LongestTimer ? LongestTimer : time;
    }
}
