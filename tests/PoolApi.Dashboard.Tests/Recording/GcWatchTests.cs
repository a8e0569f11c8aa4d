using System.Runtime.CompilerServices;
using PoolApi.Dashboard.Recording;

namespace PoolApi.Dashboard.Tests.Recording;

/// <summary>Each collection is reported on the finalizer thread, where an exception would end the process.</summary>
public sealed class GcWatchTests
{
    [Fact]
    public async Task Later_collections_are_reported_after_one_could_not_be_recorded_for_lack_of_memory()
    {
        int collections = 0;
        Watch(() =>
        {
            if (Interlocked.Increment(ref collections) == 1) throw new InsufficientMemoryException("planted");
        });
        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return Volatile.Read(ref collections) >= 3;
            },
            "the third collection");
    }

    /// <summary>Apart, so that no local of the test holds the object.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Watch(Action collected) => _ = new GcWatch.Sentinel(collected);
}
