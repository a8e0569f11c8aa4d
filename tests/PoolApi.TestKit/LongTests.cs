namespace PoolApi.TestKit;

/// <summary>
/// Whether tests repeat what they show much more often. Some promises hold at every moment, so more runs find more faults; a short run shows
/// each promise all the same. <c>POOLAPI_LONG_TESTS=1</c> asks for the long runs.
/// </summary>
public static class LongTests
{
    /// <summary>Whether the long runs are wanted.</summary>
    public static bool Wanted { get; } = Environment.GetEnvironmentVariable("POOLAPI_LONG_TESTS") == "1";
}
