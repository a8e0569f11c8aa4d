using PoolApi.Threading.Core;

namespace PoolApi.Dashboard.Recording;

/// <summary>Converts time stamps of a pool's clock to times of day. Valid for one moment, because the system clock may be set.</summary>
internal readonly struct PoolTime
{
    private readonly long _ticksPerSecond;

    public PoolTime(PoolCore pool)
    {
        Now = pool.Clock.Now;
        NowUnixMilliseconds = (pool.Clock.Time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds;
        _ticksPerSecond = pool.Clock.Time.TimestampFrequency;
    }

    public long Now { get; }

    public double NowUnixMilliseconds { get; }

    public double ToUnixMilliseconds(long timestamp) => NowUnixMilliseconds - ToMilliseconds(Now - timestamp);

    public double ToMilliseconds(long ticks) => ticks / TicksPerMillisecond;

    public double TicksPerMillisecond => _ticksPerSecond / 1000.0;

    /// <summary>Converts without rounding if the clock counts nanoseconds or coarser units.</summary>
    public long ToNanoseconds(long ticks) => (long)((Int128)ticks * 1_000_000_000 / _ticksPerSecond);

    public long ToTicks(TimeSpan time) => (long)(time.TotalMilliseconds * TicksPerMillisecond);
}
