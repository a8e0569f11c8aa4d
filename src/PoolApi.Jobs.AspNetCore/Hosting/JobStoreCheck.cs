using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.AspNetCore.Hosting;

/// <summary>Ready only while the store answers and, where it can be read-only, accepts writes: an instance that cannot keep a job must not be sent one.</summary>
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
