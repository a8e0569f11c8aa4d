namespace PoolApi.JobBenchmarks.Scenarios;

/// <summary>Every scenario, in the order in which they are run.</summary>
internal static class ScenarioCatalogue
{
    public static readonly IReadOnlyList<IScenario> All =
    [
        new SqliteAcceptScenario(),
        new HttpAcceptScenario(),
        new PostgresScenario(),
        new MillionScenario(),
        new BacklogScenario(),
    ];
}
