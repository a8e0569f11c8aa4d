namespace PoolApi.EndToEnd.Harness;

/// <summary>Some promises are about every moment, so that more runs find more. POOLAPI_LONG_TESTS=1 makes it many.</summary>
internal static class LongTests
{
    /// <summary>Whether there is time.</summary>
    public static bool Wanted { get; } = Environment.GetEnvironmentVariable("POOLAPI_LONG_TESTS") == "1";
}
