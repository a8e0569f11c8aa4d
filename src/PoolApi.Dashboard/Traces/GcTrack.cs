using PoolApi.Dashboard.Recording;
using PoolApi.Dashboard.Traces.Formats;

namespace PoolApi.Dashboard.Traces;

/// <summary>Places the pauses of garbage collections on their track.</summary>
/// <remarks>
/// Times are whole ticks. A pause may begin in the tick in which the one before ended, and rounding would make them overlap. A pause that
/// began before the trace is cut where the trace begins.
/// </remarks>
internal static class GcTrack
{
    /// <summary>Returns the pauses that are in the trace, oldest first, each with its slice.</summary>
    /// <param name="pauses">The pauses, oldest first.</param>
    /// <param name="zero">Where the trace begins, on the clock of the pauses.</param>
    /// <param name="process">The process of the track.</param>
    /// <param name="track">The track.</param>
    public static IEnumerable<(GcPause Pause, TraceSlice Slice)> Place(IEnumerable<GcPause> pauses, DateTime zero, int process, int track)
    {
        long last = 0; // the end of the previous pause
        foreach (GcPause pause in pauses)
        {
            long end = (pause.EndUtc - zero).Ticks;
            if (end < last) continue; // before the trace, or after the system clock was set back
            long start = Math.Max(last, end - pause.Length.Ticks);
            last = end;
            yield return (pause, new TraceSlice(
                process, track, start * TimeSpan.NanosecondsPerTick, (end - start) * TimeSpan.NanosecondsPerTick, $"generation {pause.Generation}"));
        }
    }
}
