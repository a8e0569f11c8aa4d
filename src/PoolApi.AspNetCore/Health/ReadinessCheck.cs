using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Health;

/// <summary>Readiness check of the app's lifetime: healthy from the end of the start until a stop begins.</summary>
internal sealed class ReadinessCheck(ShutdownCoordinator shutdown) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ShutdownState state = shutdown.State;
        return Task.FromResult(state == ShutdownState.Running
            ? HealthCheckResult.Healthy(state.ToWord())
            : HealthCheckResult.Unhealthy(state.ToWord()));
    }
}
