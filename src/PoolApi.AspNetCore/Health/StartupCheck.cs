using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Health;

/// <summary>Whether the app has ever been ready. It stays true while the app stops.</summary>
internal sealed class StartupCheck(ShutdownCoordinator shutdown) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(shutdown.State == ShutdownState.Starting ? HealthCheckResult.Unhealthy("starting") : HealthCheckResult.Healthy("started"));
}
