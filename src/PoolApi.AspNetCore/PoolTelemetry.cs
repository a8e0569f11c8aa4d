namespace PoolApi.AspNetCore;

/// <summary>The names by which an app collects the traces of the pools' requests. Their metrics are in <see cref="Threading.FixedThreadPool.MeterName"/>.</summary>
public static class PoolTelemetry
{
    /// <summary>The source of the spans: one for the time in the queue, one for the time on a worker, both children of the request's.</summary>
    public const string ActivitySourceName = "PoolApi";
}
