using System.Runtime.CompilerServices;

namespace PoolApi.Threading.Core.Atomics;

/// <summary>
/// Contended words, each alone on a pair of cache lines (processors fetch lines in pairs), in pinned memory,
/// so that the kernel can be given their address. They live as long as this object.
/// </summary>
internal readonly struct CacheLines(int count)
{
    private const int IntsPerSlot = 32; // 128 bytes

    // One more slot at each end, because other data lies beside the array.
    private readonly int[] _words = GC.AllocateArray<int>((count + 2) * IntsPerSlot, pinned: true);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref int Int(int slot) => ref _words[(slot + 1) * IntsPerSlot];
}
