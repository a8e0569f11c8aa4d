using System.Diagnostics;
using PoolApi.Jobs.Running;
using PoolApi.Threading;

namespace PoolApi.Dashboard.History;

/// <summary>Finds the jobs that this instance runs, and the workers that run them. Thread-safe. Each call walks over the running jobs.</summary>
/// <remarks>A worker and an attempt belong together if they have the same trace id. Every attempt has one, also if its trace is not recorded.</remarks>
internal sealed class RunningJobs(IServiceProvider services, PoolMonitor monitor)
{
    /// <summary>Finds the job that a worker runs.</summary>
    /// <param name="attempts">The result of <see cref="Started"/>.</param>
    /// <param name="worker">The worker.</param>
    /// <param name="trace">The trace id of its item.</param>
    public static Guid? JobOf(IReadOnlyList<JobAttempt> attempts, string worker, ActivityTraceId trace)
    {
        if (trace == default) return null;
        Guid? other = null;
        foreach (JobAttempt attempt in attempts)
        {
            if (attempt.TraceId != trace) continue;
            if (attempt.WorkerName == worker) return attempt.Claim.Job.Id;
            other = other is null ? attempt.Claim.Job.Id : Guid.Empty;
        }
        // An asynchronous item may continue on another worker. If several attempts have the same trace id, the job is unknown.
        return other == Guid.Empty ? null : other;
    }

    /// <summary>Returns the attempts that a worker has taken.</summary>
    public IReadOnlyList<JobAttempt> Started()
    {
        // Resolved late: resolving the dispatchers before the host starts would read settings that are not validated.
        if (monitor.Pools.Count == 0 || services.GetService<JobDispatchers>() is not { } dispatchers) return [];
        return [.. dispatchers.Attempts.Where(static attempt => attempt.HasStarted)];
    }

    /// <summary>Finds the trace id of a job's attempt on this instance, and the worker that runs it.</summary>
    public (string? Trace, string? Pool, string? Worker) Find(Guid job)
    {
        IReadOnlyList<JobAttempt> attempts = Started();
        if (attempts.FirstOrDefault(attempt => attempt.Claim.Job.Id == job) is not { } found) return default;
        string? trace = found.TraceId == default ? null : found.TraceId.ToHexString();
        foreach (PoolHistory pool in monitor.Pools)
        {
            foreach (WorkerSnapshot worker in pool.Pool.Threads.GetSnapshot().Workers)
            {
                if (worker.TraceId == found.TraceId && JobOf(attempts, worker.Name, worker.TraceId) == job) return (trace, pool.Name, worker.Name);
            }
        }
        return (trace, null, null);
    }
}
