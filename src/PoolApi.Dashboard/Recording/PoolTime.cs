using PoolApi.Threading.Core;

namespace PoolApi.Dashboard.Recording;

/// <summary>Converts the time stamps of a pool's clock, as of one moment: the system's clock may be set meanwhile.</summary>
internal readonly struct PoolTime
{
    private readonly double _ticksPerMillisecond;

    public PoolTime(PoolCore pool)
    {
        Now = pool.Clock.Now;
        NowUnixMilliseconds = (pool.Clock.Time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds;
        _ticksPerMillisecond = pool.Clock.Time.TimestampFrequency / 1000.0;
    }

    public long Now { get; }

    public double NowUnixMilliseconds { get; }

    public double ToUnixMilliseconds(long timestamp) => NowUnixMilliseconds - ToMilliseconds(Now - timestamp);

    public double ToMilliseconds(long ticks) => ticks / _ticksPerMillisecond;

    public long ToTicks(TimeSpan time) => (long)(time.TotalMilliseconds * _ticksPerMillisecond);
}
