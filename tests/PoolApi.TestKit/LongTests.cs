namespace PoolApi.TestKit;

/// <summary>
/// Whether tests use many more repetitions. Some promises must hold at every moment, so more repetitions find more faults. A short run checks each
/// promise too. <c>POOLAPI_LONG_TESTS=1</c> requests the long runs.
/// </summary>
public static class LongTests
{
    /// <summary>Whether the long runs are wanted.</summary>
    public static bool Wanted { get; } = Environment.GetEnvironmentVariable("POOLAPI_LONG_TESTS") == "1";
}
