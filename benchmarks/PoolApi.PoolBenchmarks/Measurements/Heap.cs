namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>The managed heap.</summary>
internal static class Heap
{
    /// <summary>Collects everything, what finalizers let go of included.</summary>
    public static void Settle()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}
