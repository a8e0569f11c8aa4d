using System.Runtime.CompilerServices;

namespace PoolApi.Threading.Core.Atomics;

/// <summary>
/// Words that threads fight over, each alone on a pair of cache lines (processors fetch lines in pairs), in pinned memory,
/// so that the kernel can be given their address. They live as long as this object.
/// </summary>
internal readonly struct CacheLines(int count)
{
    private const int IntsPerSlot = 32; // 128 bytes

    // One slot more at each end: what lies beside the array belongs to somebody else.
    private readonly int[] _words = GC.AllocateArray<int>((count + 2) * IntsPerSlot, pinned: true);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref int Int(int slot) => ref _words[(slot + 1) * IntsPerSlot];
}
