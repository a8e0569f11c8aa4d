using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// Prefetches an item that is needed next. Its cache lines are most likely in another core's cache, and
/// waiting for them costs as much as a tiny item. Only a hint: without such an instruction it does nothing.
/// </summary>
internal static class Prefetch
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Item(PoolWorkItem item)
    {
        if (!Sse.IsSupported) return;
        // Not pinned: if the object moves meanwhile, a wrong line is fetched, which does no harm.
        byte* start = (byte*)Unsafe.AsPointer(ref item.Previous);
        Sse.Prefetch0(start);
        Sse.Prefetch0(start + 64);
    }
}
