using PoolApi.Jobs;
using PoolApi.Jobs.Stores;

namespace PoolApi.JobService;

/// <summary>How many jobs are in each state, for metrics: they are read without waiting, the store is not.</summary>
internal sealed class JobCounts(IJobStore store)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private volatile IReadOnlyDictionary<JobState, long> _known = JobStates.All.ToDictionary(static s => s, static _ => 0L);

    /// <summary>As of the last <see cref="RefreshAsync"/>.</summary>
    public IReadOnlyDictionary<JobState, long> Known => _known;

    /// <summary>Asks the store, for a second at most. Before the metrics are collected.</summary>
    public async Task RefreshAsync(CancellationToken cancellation)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        late.CancelAfter(Patience);
        try
        {
            _known = await store.CountAsync(late.Token).AsTask().WaitAsync(late.Token);
        }
        catch (Exception e) when (e is JobStoreException or OperationCanceledException)
        {
            // What was known is shown on.
        }
    }
}

/// <summary>Has the jobs counted before the metrics are collected.</summary>
internal static class JobCountsExtensions
{
    /// <summary>On the endpoint that collects them.</summary>
    public static IEndpointConventionBuilder WithJobCounts(this IEndpointConventionBuilder metrics)
    {
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
