using PoolApi.PoolBenchmarks.Reporting;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>One measurement of the pool and its peers.</summary>
internal interface IMeasurement
{
    /// <summary>Its name in --only.</summary>
    string Name { get; }

    /// <summary>What it measures, in one line.</summary>
    string Summary { get; }

    /// <summary>Measures, prints its tables, and adds its bars to the report.</summary>
    void Run(Settings settings, Report report);
}
