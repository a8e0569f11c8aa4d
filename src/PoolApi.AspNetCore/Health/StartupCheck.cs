using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Health;

/// <summary>Startup check: healthy from the end of the start on, also while the app stops.</summary>
internal sealed class StartupCheck(ShutdownCoordinator shutdown) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(shutdown.State == ShutdownState.Starting ? HealthCheckResult.Unhealthy("starting") : HealthCheckResult.Healthy("started"));
}
