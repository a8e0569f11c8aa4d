using System.Diagnostics;
using PoolApi.Dashboard.History;
using PoolApi.Jobs.Running;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Jobs;

/// <summary>Which jobs this instance runs, and on which workers. Thread-safe; costs a walk over the jobs in hand.</summary>
/// <remarks>A worker and an attempt belong together where both say the same trace: an attempt has one also where nobody records it.</remarks>
internal sealed class RunningJobs(IServiceProvider services, PoolMonitor monitor)
{
    /// <summary>The job of the item that a worker runs.</summary>
    /// <param name="runs">What <see cref="Started"/> has returned.</param>
    /// <param name="worker">The worker.</param>
    /// <param name="trace">The trace of its item.</param>
    public static Guid? JobOf(IReadOnlyList<JobRun> runs, string worker, ActivityTraceId trace)
    {
        if (trace == default) return null;
        Guid? other = null;
        foreach (JobRun run in runs)
        {
            if (run.TraceId != trace) continue;
            if (run.WorkerName == worker) return run.Claim.Job.Id;
            other = other is null ? run.Claim.Job.Id : Guid.Empty;
        }
        // An asynchronous item goes on at another worker. Of several with the same trace, nobody knows which it is.
        return other == Guid.Empty ? null : other;
    }

    /// <summary>Those that a worker has begun with.</summary>
    public IReadOnlyList<JobRun> Started()
    {
        // Asked for late: to make the dispatchers before the host does would read settings that nobody has checked.
        if (monitor.Pools.Count == 0 || services.GetService<JobDispatchers>() is not { } dispatchers) return [];
        return [.. dispatchers.Runs.Where(static run => run.HasStarted)];
    }

    /// <summary>The trace of a job's attempt that runs here, and the worker that has it.</summary>
    public (string? Trace, string? Pool, string? Worker) Find(Guid job)
    {
        IReadOnlyList<JobRun> runs = Started();
        if (runs.FirstOrDefault(run => run.Claim.Job.Id == job) is not { } found) return default;
        string? trace = found.TraceId == default ? null : found.TraceId.ToHexString();
        foreach (PoolHistory pool in monitor.Pools)
        {
            foreach (WorkerSnapshot worker in pool.Pool.Threads.GetSnapshot().Workers)
            {
                if (worker.TraceId == found.TraceId && JobOf(runs, worker.Name, worker.TraceId) == job) return (trace, pool.Name, worker.Name);
            }
        }
        return (trace, null, null);
    }
}
