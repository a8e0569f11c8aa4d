using System.Runtime.InteropServices;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>A count that has its cache lines to itself (two, since processors fetch them in pairs), whatever lies beside it.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct PaddedCount
{
    [FieldOffset(128)]
    public long Value;
}
