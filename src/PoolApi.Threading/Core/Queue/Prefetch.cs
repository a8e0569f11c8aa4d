using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// Asks the processor to fetch an item that will be needed next: its cache lines are most likely in another core's cache, and
/// to wait for them there costs as much as a tiny item takes. A hint; where there is no such instruction, nothing.
/// </summary>
internal static class Prefetch
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Item(PoolWorkItem item)
    {
        if (!Sse.IsSupported) return;
        // Not pinned: should the object move meanwhile, the wrong line is fetched, and no harm done.
        byte* start = (byte*)Unsafe.AsPointer(ref item.Previous);
        Sse.Prefetch0(start);
        Sse.Prefetch0(start + 64);
    }
}
