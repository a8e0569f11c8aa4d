using System.Runtime.CompilerServices;

namespace PoolApi;

/// <summary>
/// Collects the garbage of the start. Most of what a start allocates is garbage when the service listens. Without load nothing collects it, and an
/// idle container would hold it for days.
/// </summary>
internal static class StartGarbage
{
    /// <summary>The first requests do not wait for the collection, which stops all threads of an idle service for some 25 ms.</summary>
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Collects once, after a delay, unless load has caused a full collection by then. Only in the Native AOT form: the just-in-time compiler still
    /// allocates for longer.
    /// </summary>
    /// <returns>The timer; <see langword="null"/>: nothing is to be collected. Disposing of it cancels the collection.</returns>
    public static ITimer? CollectLater() =>
        RuntimeFeature.IsDynamicCodeSupported ? null : TimeProvider.System.CreateTimer(
            static _ => Collect(), null, Delay, Timeout.InfiniteTimeSpan);

    private static void Collect()
    {
        if (GC.CollectionCount(GC.MaxGeneration) == 0) GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }
}
