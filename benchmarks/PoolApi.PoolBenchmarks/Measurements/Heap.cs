namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>The managed heap.</summary>
internal static class Heap
{
    /// <summary>Collects all garbage, including objects that finalizers release.</summary>
    public static void Settle()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}
