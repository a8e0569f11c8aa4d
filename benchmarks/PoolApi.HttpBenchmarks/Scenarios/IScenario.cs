using PoolApi.HttpBenchmarks.Reporting;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>One situation that the servers are put into.</summary>
internal interface IScenario
{
    /// <summary>Its name in --only.</summary>
    string Name { get; }

    /// <summary>What happens, in one line.</summary>
    string Summary { get; }

    /// <summary>Measures, prints its tables, and adds its bars to the report and its figures to the overview.</summary>
    void Run(Settings settings, Report report, Overview overview);
}
