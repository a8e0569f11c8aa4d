using PoolApi.Jobs.AspNetCore.Hosting;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Has the jobs counted before the metrics are collected.</summary>
public static class JobCountsExtensions
{
    /// <summary>
    /// On the endpoint that collects the metrics: the store is asked, for a second at most, how many jobs are in each state. Without this the
    /// metric shows what was known at the collection before.
    /// </summary>
    /// <param name="metrics">The endpoint.</param>
    public static IEndpointConventionBuilder WithJobCounts(this IEndpointConventionBuilder metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        metrics.Finally(static endpoint =>
        {
            if (endpoint.ApplicationServices.GetService<JobCounts>() is not { } counts || endpoint.RequestDelegate is not { } collect) return;
            endpoint.RequestDelegate = async context =>
            {
                await counts.RefreshAsync(context.RequestAborted);
                await collect(context);
            };
        });
        return metrics;
    }
}
