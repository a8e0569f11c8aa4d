namespace PoolApi.PoolBenchmarks.Metrics;

/// <summary>Somebody who collects every metric of the pool's meter for as long as it lives.</summary>
internal interface IMetricsCollector : IDisposable
{
    /// <summary>The instrument that counts every item once.</summary>
    const string FinishedInstrument = "poolapi.work.finished";

    /// <summary>Collects what there is to observe.</summary>
    /// <returns>How many items have been reported as finished so far.</returns>
    long CollectFinished();
}
