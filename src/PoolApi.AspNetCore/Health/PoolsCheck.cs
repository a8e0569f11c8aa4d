using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Health;

/// <summary>
/// Ready while every pool is open and has a worker that is not stuck. An instance whose workers all hang must not be sent more requests,
/// and it may recover, so it is not dead either. Degraded while some workers are stuck.
/// </summary>
/// <remarks>A closed pool is no fault during a stop, which <see cref="ReadinessCheck"/> tells of.</remarks>
internal sealed class PoolsCheck(PoolContexts pools, ShutdownCoordinator shutdown) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        HealthStatus worst = HealthStatus.Healthy;
        var faults = new List<string>();
        foreach (PoolContext pool in pools.All)
        {
            (HealthStatus status, string? fault) = Judge(pool.Threads.GetSnapshot());
            if (status < worst) worst = status; // the worst is the least
            if (fault is not null) faults.Add(fault);
        }
        return Task.FromResult(new HealthCheckResult(worst, string.Join("; ", faults)));
    }

    private (HealthStatus Status, string? Fault) Judge(PoolSnapshot pool)
    {
        if (pool.State != PoolState.Running)
            return shutdown.IsStopping ? (HealthStatus.Healthy, null) : (HealthStatus.Unhealthy, $"the pool '{pool.Name}' is closed");
        // With the stand-ins, which are there to help out; without those that have left.
        int live = pool.Workers.Count(static worker => worker.State != WorkerState.Stopped);
        int stuck = pool.Workers.Count(static worker => worker.State == WorkerState.Stuck);
        if (live == 0) return (HealthStatus.Unhealthy, $"the pool '{pool.Name}' has no worker");
        if (stuck == 0) return (HealthStatus.Healthy, null);
        return stuck == live
            ? (HealthStatus.Unhealthy, $"all {live} workers of the pool '{pool.Name}' are stuck")
            : (HealthStatus.Degraded, $"{stuck} of {live} workers of the pool '{pool.Name}' are stuck");
    }
}
