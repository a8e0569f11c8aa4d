namespace PoolApi.PoolBenchmarks.Metrics;

/// <summary>Collects every metric of the pool's meter until it is disposed of.</summary>
internal interface IMetricsCollector : IDisposable
{
    /// <summary>The instrument that counts every item once.</summary>
    const string FinishedInstrument = "poolapi.work.finished";

    /// <summary>Collects the observable instruments.</summary>
    /// <returns>How many items have been reported as finished so far.</returns>
    long CollectFinished();
}
