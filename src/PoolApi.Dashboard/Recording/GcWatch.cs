namespace PoolApi.Dashboard.Recording;

/// <summary>Records the pauses of the process's garbage collections with their times. Costs one object for each collection and no timer. Thread-safe.</summary>
/// <remarks>
/// An unreachable object is finalized after the next collection. Its finalizer records the collection and creates the next such object. The
/// finalizer thread runs right after the pause, so the recorded end is late by the time that this thread takes to wake.
/// </remarks>
internal static class GcWatch
{
    private const int Kept = 256;

    private static readonly GcPause[] Pauses = new GcPause[Kept];
    private static readonly Lock Gate = new();
    private static long s_count; // guarded by the lock
    private static int s_isOn;

    /// <summary>Starts recording, for the life of the process. A second call does nothing.</summary>
    public static void Start()
    {
        if (Interlocked.Exchange(ref s_isOn, 1) == 0) _ = new Sentinel(Note);
    }

    /// <summary>Returns the pauses that ended at the given time or later, oldest first. They do not overlap.</summary>
    public static List<GcPause> Since(DateTime utc)
    {
        var pauses = new List<GcPause>();
        lock (Gate)
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
        lock (Gate)
        {
            GcPause before = s_count == 0 ? default : Pauses[(s_count - 1) % Kept];
            if (last.Index == before.Index) return;
            if (now - length < before.EndUtc) length = now > before.EndUtc ? now - before.EndUtc : TimeSpan.Zero;
            Pauses[s_count++ % Kept] = new GcPause(last.Index, last.Generation, now, length, last.Compacted);
        }
    }

    /// <summary>Calls an action on the finalizer thread after each collection, for the life of the process.</summary>
    internal sealed class Sentinel(Action collected)
    {
#pragma warning disable MA0055 // the finalizer is the notification of a collection
        ~Sentinel()
#pragma warning restore MA0055
        {
            if (AppDomain.CurrentDomain.IsFinalizingForUnload() || Environment.HasShutdownStarted) return;
            try
            {
                collected();
                _ = new Sentinel(collected);
            }
            catch (OutOfMemoryException)
            {
                // An exception of a finalizer ends the process, and right after a collection the heap may be full. This object needs no memory to be
                // finalized again, after a later collection.
                GC.ReRegisterForFinalize(this);
            }
        }
    }
}

/// <summary>The pause of one garbage collection.</summary>
/// <param name="Index">The number of the collection.</param>
/// <param name="Generation">The generation, 0 to 2.</param>
/// <param name="EndUtc">The end of the pause.</param>
/// <param name="Length">The length of the pause.</param>
/// <param name="IsCompacting">Whether the collection compacted the heap.</param>
internal readonly record struct GcPause(long Index, int Generation, DateTime EndUtc, TimeSpan Length, bool IsCompacting);
