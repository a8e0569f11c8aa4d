namespace PoolApi.JobBenchmarks.Scenarios;

/// <summary>One measurement of durable jobs.</summary>
internal interface IScenario
{
    /// <summary>Its name in --only.</summary>
    string Name { get; }

    /// <summary>What is measured, in one line.</summary>
    string Summary { get; }

    /// <summary>Measures, prints its table, and adds its bars to the report.</summary>
    Task RunAsync(Settings settings, Report report);
}
