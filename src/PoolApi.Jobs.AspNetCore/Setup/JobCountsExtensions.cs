using PoolApi.Jobs.AspNetCore.Hosting;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Refreshes the counts of jobs before metrics are collected.</summary>
public static class JobCountsExtensions
{
    /// <summary>
    /// For the endpoint that exports the metrics: before it runs, it asks the store how many jobs are in each state, for a second at most.
    /// Without this, the metric shows the counts of the previous collection.
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
