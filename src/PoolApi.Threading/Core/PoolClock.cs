using System.Diagnostics;

namespace PoolApi.Threading.Core;

/// <summary>
/// The pool's clock, read in two ways. Precisely: about 30 ns, which is as much as all else that a tiny item costs its
/// submitter. Coarsely: 5 ns, as of one of the kernel's last ticks, good for what is counted in seconds.
/// </summary>
/// <remarks>Both are on one scale, in ticks of the precise one. A clock that is not the system's has only the precise reading.</remarks>
internal sealed class PoolClock
{
    private const int LongestTick = 10; // milliseconds; 100 Hz
    private const int Attempts = 16;

    private readonly long _ticksPerMillisecond;
    private readonly long _offset; // the precise reading at the coarse one's zero

    public PoolClock(TimeProvider time)
    {
        Time = time;
        // Elsewhere the two are not read off one clock, and may drift apart.
        HasCoarse = OperatingSystem.IsLinux() && time == TimeProvider.System && Stopwatch.Frequency % 1000 == 0;
        _ticksPerMillisecond = Stopwatch.Frequency / 1000;
        // The tick that was read may have been about to go on: a whole one less, so that the coarse reading is never ahead.
        _offset = OffsetOf(Stopwatch.GetTimestamp, () => Environment.TickCount64 * _ticksPerMillisecond) - (LongestTick * _ticksPerMillisecond);
    }

    /// <summary>
    /// The precise reading at the coarse one's zero. A thread that is preempted between the two readings gets too small an offset, which
    /// would set the coarse clock back for good: the largest of several is taken.
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

    public TimeProvider Time { get; }

    public bool HasCoarse { get; }

    public long Now => HasCoarse ? Stopwatch.GetTimestamp() : Time.GetTimestamp();

    /// <summary>Never later than <see cref="Now"/>, and never more than about 20 ms before it.</summary>
    public long Coarse => HasCoarse ? (Environment.TickCount64 * _ticksPerMillisecond) + _offset : Time.GetTimestamp();

    public long Microseconds(int count) => Time.TimestampFrequency * count / 1_000_000;

    /// <summary>Zero if one of the two has not come yet.</summary>
    public TimeSpan Elapsed(long from, long to) => from == 0 || to == 0 ? TimeSpan.Zero : Time.GetElapsedTime(from, to);

    /// <summary>A time in ticks, at most; for ever: long.MaxValue.</summary>
    public long ToTicks(TimeSpan time)
    {
        double ticks = time.TotalSeconds * Time.TimestampFrequency;
        return time == Timeout.InfiniteTimeSpan || ticks >= long.MaxValue / 2 ? long.MaxValue : (long)ticks;
    }
}
