using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Health;

/// <summary>
/// Readiness check of the pools: healthy while every pool is open and none of its workers is stuck, degraded while some workers of a pool are
/// stuck, unhealthy when all of them are. Stuck workers may recover, so they affect readiness and not liveness.
/// </summary>
/// <remarks>During a stop a closed pool is healthy here, because <see cref="ReadinessCheck"/> reports the stop.</remarks>
internal sealed class PoolsCheck(PoolContexts pools, ShutdownCoordinator shutdown) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        HealthStatus worst = HealthStatus.Healthy;
        var faults = new List<string>();
        foreach (PoolContext pool in pools.All)
        {
            (HealthStatus status, string? fault) = HealthOf(pool.Threads);
            if (status < worst) worst = status; // Unhealthy is the smallest value
            if (fault is not null) faults.Add(fault);
        }
        return Task.FromResult(new HealthCheckResult(worst, string.Join("; ", faults)));
    }

    private (HealthStatus Status, string? Fault) HealthOf(FixedThreadPool pool)
    {
        if (pool.IsClosed)
            return shutdown.IsStopping ? (HealthStatus.Healthy, null) : (HealthStatus.Unhealthy, $"the pool '{pool.Name}' is closed");
        // Stand-ins count, because they run work. Stand-ins that have ended do not.
        IReadOnlyList<WorkerSnapshot> workers = pool.GetSnapshot().Workers;
        int live = workers.Count(static worker => worker.State != WorkerState.Stopped);
        int stuck = workers.Count(static worker => worker.State == WorkerState.Stuck);
        if (live == 0) return (HealthStatus.Unhealthy, $"the pool '{pool.Name}' has no worker");
        if (stuck == 0) return (HealthStatus.Healthy, null);
        return stuck == live
            ? (HealthStatus.Unhealthy, $"all {live} workers of the pool '{pool.Name}' are stuck")
            : (HealthStatus.Degraded, $"{stuck} of {live} workers of the pool '{pool.Name}' are stuck");
    }
}
