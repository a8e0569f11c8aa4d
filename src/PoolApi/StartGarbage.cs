using System.Runtime.CompilerServices;

namespace PoolApi;

/// <summary>
/// Most of what a start allocates is garbage when the service listens. Without load nothing collects it, and an idle container would hold it for days.
/// </summary>
internal static class StartGarbage
{
    /// <summary>The first requests do not wait for the collection, which stops all threads for some 25 ms.</summary>
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(2);

    /// <summary>Collects the garbage once, after a delay. Only in the Native AOT form: the just-in-time compiler still allocates for longer.</summary>
    /// <returns>The timer; <see langword="null"/>: nothing is to be collected. Disposing of it cancels the collection.</returns>
    public static ITimer? CollectLater() =>
        RuntimeFeature.IsDynamicCodeSupported ? null : TimeProvider.System.CreateTimer(
            static _ => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true), null, Delay, Timeout.InfiniteTimeSpan);
}
