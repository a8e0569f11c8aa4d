using System.Diagnostics;
using Hangfire;
using Hangfire.PostgreSql;
using Hangfire.PostgreSql.Factories;
using PoolApi.JobBenchmarks.Load;

namespace PoolApi.JobBenchmarks.Postgres;

/// <summary>Hangfire with its fastest documented settings: notifications, and a poll every 50 ms behind them. Its client blocks, so each caller is a thread.</summary>
internal sealed class HangfireRunner : IJobRunner
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50), LongestStart = TimeSpan.FromSeconds(30);

    private readonly PostgreSqlStorage _storage;
    private readonly BackgroundJobClient _client;
    private readonly int _workers;
    private BackgroundJobServer? _server;
    private int _accepted;

    private HangfireRunner(string connectionString, int workers)
    {
        _workers = workers;
        var options = new PostgreSqlStorageOptions { QueuePollInterval = Poll, EnableLongPolling = true, PrepareSchemaIfNecessary = true };
        _storage = new PostgreSqlStorage(new NpgsqlConnectionFactory(connectionString, options), options);
        _client = new BackgroundJobClient(_storage);
        HangfireWork.Reset();
    }

    public static Task<IJobRunner> OpenAsync(string connectionString, int workers) =>
        Task.FromResult<IJobRunner>(new HangfireRunner(connectionString, workers));

    public Task<CallResult> AcceptAsync(int callers, int jobs)
    {
        _accepted += jobs;
        return Task.Factory.StartNew(
            () => Callers.TimesOnThreads(callers, jobs, () => _client.Enqueue(() => HangfireWork.Nothing())),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public async Task<double> RunAllAsync()
    {
        long startedAt = Stopwatch.GetTimestamp();
        _server = new BackgroundJobServer(new BackgroundJobServerOptions { WorkerCount = _workers }, _storage);
        // Hangfire commits the success of a job a moment later. This is not waited for, to Hangfire's advantage.
        while (HangfireWork.Done < _accepted) await Task.Delay(1);
        return _accepted / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
    }

    public async Task<double> AcceptToStartAsync()
    {
        Task<long> started = HangfireWork.Expect();
        long acceptedAt = Stopwatch.GetTimestamp();
        _client.Enqueue(() => HangfireWork.Stamp());
        return Stopwatch.GetElapsedTime(acceptedAt, await started.WaitAsync(LongestStart)).TotalMilliseconds;
    }

    public ValueTask DisposeAsync()
    {
        _server?.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>The work of the jobs. Hangfire finds methods by their names, so they are public and their count is static.</summary>
public static class HangfireWork
{
    private static int s_done;
    private static TaskCompletionSource<long> s_started = NewSignal();

    internal static int Done => Volatile.Read(ref s_done);

    public static void Nothing() => Interlocked.Increment(ref s_done);

    public static void Stamp() => s_started.TrySetResult(Stopwatch.GetTimestamp());

    internal static void Reset() => s_done = 0;

    internal static Task<long> Expect() => (s_started = NewSignal()).Task;

    private static TaskCompletionSource<long> NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
