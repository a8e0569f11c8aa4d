namespace PoolApi.Dashboard.Recording;

/// <summary>The pauses of the last garbage collections of the process, each with its time. It costs one object a collection, and no timer.</summary>
/// <remarks>
/// An object that nobody holds is finalized after the next collection; its finalizer notes the collection and makes the next such object.
/// The finalizer's thread runs at once after the pause, so the end that is noted is late by what that thread takes to wake.
/// </remarks>
internal static class GcWatch
{
    private const int Kept = 256;

    private static readonly GcPause[] Pauses = new GcPause[Kept];
    private static readonly object Lock = new();
    private static long s_count; // guarded by the lock
    private static int s_isOn;

    /// <summary>From now on, for the life of the process.</summary>
    public static void Start()
    {
        if (Interlocked.Exchange(ref s_isOn, 1) == 0) _ = new Sentinel();
    }

    /// <summary>The pauses that ended at that time or later, oldest first; they do not overlap.</summary>
    public static List<GcPause> Since(DateTime utc)
    {
        var pauses = new List<GcPause>();
        lock (Lock)
        {
            for (long i = Math.Max(0, s_count - Kept); i < s_count; i++)
            {
                GcPause pause = Pauses[i % Kept];
                if (pause.EndUtc >= utc) pauses.Add(pause);
            }
        }
        return pauses;
    }

    private static void Note()
    {
        GCMemoryInfo last = GC.GetGCMemoryInfo(GCKind.Any);
        DateTime now = DateTime.UtcNow;
        TimeSpan length = TimeSpan.Zero;
        foreach (TimeSpan pause in last.PauseDurations) length += pause;
        lock (Lock)
        {
            GcPause before = s_count == 0 ? default : Pauses[(s_count - 1) % Kept];
            if (last.Index == before.Index) return;
            if (now - length < before.EndUtc) length = now > before.EndUtc ? now - before.EndUtc : TimeSpan.Zero;
            Pauses[s_count++ % Kept] = new GcPause(last.Index, last.Generation, now, length, last.Compacted);
        }
    }

    private sealed class Sentinel
    {
        ~Sentinel()
        {
            if (AppDomain.CurrentDomain.IsFinalizingForUnload() || Environment.HasShutdownStarted) return;
            Note();
            _ = new Sentinel();
        }
    }
}

/// <summary>One collection.</summary>
/// <param name="Index">Its number.</param>
/// <param name="Generation">0 to 2.</param>
/// <param name="EndUtc">When its pause ended.</param>
/// <param name="Length">How long the process stood still.</param>
/// <param name="IsCompacting">Whether it moved objects.</param>
internal readonly record struct GcPause(long Index, int Generation, DateTime EndUtc, TimeSpan Length, bool IsCompacting);
