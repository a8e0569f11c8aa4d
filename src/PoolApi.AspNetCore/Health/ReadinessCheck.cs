using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Health;

/// <summary>Ready while the app runs: not before it has started, and not from the moment a stop was asked for.</summary>
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
