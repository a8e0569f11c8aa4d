namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>Every scenario, in the order in which they are run.</summary>
internal static class ScenarioCatalogue
{
    public static readonly IReadOnlyList<IScenario> All =
    [
        new BlockingScenario(),
        new BlockingOverloadScenario(),
        new CpuOverloadScenario(),
        new HopScenario(),
        new NeighbourScenario(),
        new SaturationScenario(),
        new ThumbnailScenario(),
        new StopScenario(),
    ];
}
