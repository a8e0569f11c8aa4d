using System.Diagnostics;

namespace PoolApi.Threading.Core;

/// <summary>
/// The pool's clock, which is read in two ways. A precise read costs about 30 ns, as much as everything else that a tiny item costs its
/// submitter. A coarse read costs 5 ns and gives the time of one of the kernel's last ticks, which is enough for times in seconds.
/// </summary>
/// <remarks>Both are on one scale, in ticks of the precise clock. A clock other than the system's has precise reads only.</remarks>
internal sealed class PoolClock
{
    private const int LongestTick = 10; // milliseconds; 100 Hz
    private const int Attempts = 16;

    private readonly long _ticksPerMillisecond;
    private readonly long _offset; // the precise time at the coarse clock's zero

    public PoolClock(TimeProvider time)
    {
        Time = time;
        // On other systems the precise and the coarse time come from different clocks, which may drift apart.
        HasCoarse = OperatingSystem.IsLinux() && time == TimeProvider.System && Stopwatch.Frequency % 1000 == 0;
        _ticksPerMillisecond = Stopwatch.Frequency / 1000;
        _offset = NeverAhead(
            OffsetOf(Stopwatch.GetTimestamp, () => Environment.TickCount64 * _ticksPerMillisecond), LongestTick * _ticksPerMillisecond);
    }

    /// <summary>
    /// Measures the precise time at the coarse clock's zero. A preemption between the two reads gives too small an offset, which
    /// would set the coarse clock back for good. So the largest of several measurements is used.
    /// </summary>
    internal static long OffsetOf(Func<long> precise, Func<long> coarse)
    {
        long offset = long.MinValue;
        for (int i = 0; i < Attempts; i++)
        {
            long first = precise();
            offset = Math.Max(offset, first - coarse());
        }
        return offset;
    }

    /// <summary>
    /// The offset that never puts the coarse clock ahead. One tick less than measured, because the tick may have been about to change. And at
    /// most 0, because both clocks have the same zero (CLOCK_MONOTONIC of Linux): a larger offset was measured during a late tick.
    /// </summary>
    internal static long NeverAhead(long measured, long tick) => Math.Min(measured, tick) - tick;

    public TimeProvider Time { get; }

    public bool HasCoarse { get; }

    public long Now => HasCoarse ? Stopwatch.GetTimestamp() : Time.GetTimestamp();

    /// <summary>Never later than <see cref="Now"/>, and at most two ticks of the kernel (about 20 ms) behind it, unless a tick comes late.</summary>
    public long Coarse => HasCoarse ? (Environment.TickCount64 * _ticksPerMillisecond) + _offset : Time.GetTimestamp();

    public long Microseconds(int count) => Time.TimestampFrequency * count / 1_000_000;

    /// <summary>The elapsed time; zero if the second time is not set.</summary>
    public TimeSpan Elapsed(long from, long to) => to == 0 ? TimeSpan.Zero : Time.GetElapsedTime(from, to);

    /// <summary>Converts a time to ticks; infinite becomes long.MaxValue.</summary>
    public long ToTicks(TimeSpan time)
    {
        double ticks = time.TotalSeconds * Time.TimestampFrequency;
        return time == Timeout.InfiniteTimeSpan || ticks >= long.MaxValue / 2 ? long.MaxValue : (long)ticks;
    }
}
