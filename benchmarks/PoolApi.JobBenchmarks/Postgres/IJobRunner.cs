using PoolApi.JobBenchmarks.Load;

namespace PoolApi.JobBenchmarks.Postgres;

/// <summary>Something that keeps jobs of no work in a PostgreSQL database and runs them.</summary>
internal interface IJobRunner : IAsyncDisposable
{
    /// <summary>Accepts so many jobs from so many callers at once.</summary>
    Task<CallResult> AcceptAsync(int callers, int jobs);

    /// <summary>Runs what has been accepted.</summary>
    /// <returns>How many each second, from its start until none is left.</returns>
    Task<double> RunAllAsync();

    /// <summary>Accepts a job while nothing else is to be done.</summary>
    /// <returns>The time from before it was accepted to its first instruction, in milliseconds.</returns>
    Task<double> AcceptToStartAsync();
}
