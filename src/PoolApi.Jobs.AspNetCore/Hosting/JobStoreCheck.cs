using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.AspNetCore.Hosting;

/// <summary>Reports ready while the store responds and, if it can become read-only, accepts writes. An instance with a full disk stays ready.</summary>
internal sealed class JobStoreCheck(IJobStore store) : IHealthCheck
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(Patience);
        try
        {
            await store.CheckAsync(late.Token).AsTask().WaitAsync(late.Token);
            return HealthCheckResult.Healthy("available");
        }
        catch (JobStoreException e)
        {
            return HealthCheckResult.Unhealthy(e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy("The job store does not answer.");
        }
    }
}
