using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;
using PoolApi.JobBenchmarks.Load;
using PoolApi.JobBenchmarks.Stores;
using PoolApi.Jobs;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.PostgreSql;
using PoolApi.Threading;

namespace PoolApi.JobBenchmarks.Postgres;

/// <summary>The store, the dispatcher and a pool, connected as in the service. The jobs do no work.</summary>
internal sealed class PoolApiRunner : IJobRunner, IJobExecutor
{
    private static readonly AttemptEnd Done =
        new(AttemptOutcome.Succeeded, new JobResult(200, "text/plain", "done\n"u8.ToArray()), null, MayRetry: false);

    private static readonly TimeSpan JoinTime = TimeSpan.FromSeconds(10), LongestStart = TimeSpan.FromSeconds(30);

    private readonly Meter _meter = new("benchmark");
    private readonly PostgreSqlJobStore _store;
    private readonly FixedThreadPool _pool;
    private readonly JobDispatcher _dispatcher;
    private int _accepted, _executed;
    private Guid _expected;
    private TaskCompletionSource<long> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private PoolApiRunner(string connectionString, int workers)
    {
        _store = new PostgreSqlJobStore(connectionString);
        _pool = new FixedThreadPool(new FixedThreadPoolOptions { Workers = workers });
        _dispatcher = new JobDispatcher(
            _store, this, _pool, new JobWatch(_store), new JobOptions(),
            new JobInstruments(_meter, static () => new Dictionary<JobState, long>()), TimeProvider.System, NullLogger<JobDispatcher>.Instance);
    }

    public static async Task<IJobRunner> OpenAsync(string connectionString, int workers)
    {
        var runner = new PoolApiRunner(connectionString, workers);
        await runner._store.OpenAsync(CancellationToken.None);
        return runner;
    }

    public async Task<CallResult> AcceptAsync(int callers, int jobs)
    {
        _accepted += jobs;
        return await Callers.TimesAsync(callers, jobs, async _ => await _store.AcceptAsync(SampleJobs.Noop(), CancellationToken.None));
    }

    public async Task<double> RunAllAsync()
    {
        long startedAt = Stopwatch.GetTimestamp();
        _dispatcher.Start();
        // AttemptCount is 0 only after the end of each job is committed.
        while (Volatile.Read(ref _executed) < _accepted || _dispatcher.AttemptCount > 0) await Task.Delay(1);
        double rate = _accepted / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
        await CheckAsync();
        return rate;
    }

    public async Task<double> AcceptToStartAsync()
    {
        NewJob job = SampleJobs.Noop();
        _started = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        _expected = job.Id;
        long acceptedAt = Stopwatch.GetTimestamp();
        await _dispatcher.AcceptAsync(job, isWaitedFor: false, CancellationToken.None); // as in the service
        return Stopwatch.GetElapsedTime(acceptedAt, await _started.Task.WaitAsync(LongestStart)).TotalMilliseconds;
    }

    public async ValueTask<AttemptEnd> ExecuteAsync(JobAttempt attempt, CancellationToken cancellation)
    {
        await _pool.RunAsync(
            static s => s.Runner.Work(s.Attempt), (Runner: this, Attempt: attempt), cancellation, new(priority: attempt.Priority));
        return Done;
    }

    public async ValueTask DisposeAsync()
    {
        await _dispatcher.StopAsync(CancellationToken.None);
        await _dispatcher.DisposeAsync();
        await _pool.ShutdownAsync(JoinTime);
        await _store.DisposeAsync();
        _meter.Dispose();
    }

    private void Work(JobAttempt attempt)
    {
        long now = Stopwatch.GetTimestamp();
        attempt.Started();
        Interlocked.Increment(ref _executed);
        if (attempt.Claim.Job.Id == _expected) _started.TrySetResult(now);
    }

    /// <summary>Throws if a job has not succeeded, since the measurement is invalid then.</summary>
    private async Task CheckAsync()
    {
        foreach (JobState state in JobStates.All)
        {
            if (state == JobState.Succeeded) continue;
            JobPage page = await _store.ListAsync(new JobQuery { State = state, Limit = 1 }, CancellationToken.None);
            if (page.Jobs.Count > 0) throw new InvalidOperationException($"Job {page.Jobs[0].Id} is {state.ToWord()}: {page.Jobs[0].Error}.");
        }
    }
}
