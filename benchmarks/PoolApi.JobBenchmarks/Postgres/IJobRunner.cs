using PoolApi.JobBenchmarks.Load;

namespace PoolApi.JobBenchmarks.Postgres;

/// <summary>Stores jobs without work in a PostgreSQL database and runs them.</summary>
internal interface IJobRunner : IAsyncDisposable
{
    /// <summary>Accepts the given number of jobs from concurrent callers.</summary>
    Task<CallResult> AcceptAsync(int callers, int jobs);

    /// <summary>Runs the accepted jobs.</summary>
    /// <returns>Jobs per second, from the start until none is left.</returns>
    Task<double> RunAllAsync();

    /// <summary>Accepts a job while no other job is queued or runs.</summary>
    /// <returns>The time from before it was accepted to its first instruction, in milliseconds.</returns>
    Task<double> AcceptToStartAsync();
}
