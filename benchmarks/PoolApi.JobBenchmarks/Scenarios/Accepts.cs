using PoolApi.JobBenchmarks.Load;

namespace PoolApi.JobBenchmarks.Scenarios;

/// <summary>The figures of accepting jobs.</summary>
internal static class Accepts
{
    public const string Rate = "accepts/s", Median = "p50, ms", Slowest = "p99, ms";

    public static Figure[] Of(CallResult calls) =>
        [new(Rate, calls.PerSecond), new(Median, calls.Percentile(50)), new(Slowest, calls.Percentile(99))];
}
