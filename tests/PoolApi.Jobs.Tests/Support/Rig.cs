using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Jobs.Running;
using PoolApi.Threading;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests;

/// <summary>A small instance: a dispatcher with its own pool and a store in memory, which other instances may share.</summary>
internal sealed class Rig : IAsyncDisposable
{
    private readonly Meter _meter = new("test");

    private Rig(InMemoryJobs jobs, bool isShared, int workers, JobOptions options, Func<FixedThreadPool, IJobExecutor> executor, int capacity,
        JobInstruments? instruments, TimeProvider? time, ILogger<JobDispatcher>? logger)
    {
        Jobs = jobs;
        Store = new InMemoryJobStore(jobs, time) { IsShared = isShared };
        Pool = new FixedThreadPool(new FixedThreadPoolOptions { Name = "rig", Workers = workers, QueueCapacity = capacity });
        Watch = new JobWatch(Store);
        Executor = executor(Pool);
        Dispatcher = new JobDispatcher(
            Store, Executor, Pool, Watch, options,
            instruments ?? new JobInstruments(_meter, static () => new Dictionary<JobState, long>()), time ?? TimeProvider.System,
            logger ?? NullLogger<JobDispatcher>.Instance);
    }

    public InMemoryJobs Jobs { get; }

    public InMemoryJobStore Store { get; }

    public FixedThreadPool Pool { get; }

    public JobWatch Watch { get; }

    public IJobExecutor Executor { get; }

    public JobDispatcher Dispatcher { get; }

    public ScriptedExecutor Script => (ScriptedExecutor)Executor;

    /// <summary>Starts an instance whose workers run the script for each job.</summary>
    public static Task<Rig> StartAsync(
        Func<JobAttempt, CancellationToken, AttemptEnd>? script = null, int workers = 2, JobOptions? options = null, InMemoryJobs? jobs = null,
        bool isShared = false, int capacity = 1024, JobInstruments? instruments = null, TimeProvider? time = null, ILogger<JobDispatcher>? logger = null) =>
        StartAsync(
            pool => new ScriptedExecutor(pool, script ?? (static (_, _) => ScriptedExecutor.Success)), workers, options, jobs, isShared, capacity, instruments, time, logger);

    /// <summary>Starts an instance with the test's own executor.</summary>
    public static async Task<Rig> StartAsync(
        Func<FixedThreadPool, IJobExecutor> executor, int workers = 2, JobOptions? options = null, InMemoryJobs? jobs = null, bool isShared = false,
        int capacity = 1024, JobInstruments? instruments = null, TimeProvider? time = null, ILogger<JobDispatcher>? logger = null)
    {
        // No job goes first, and no lease runs out, unless the test sets its own options.
        options ??= Options;
        var rig = new Rig(jobs ?? new InMemoryJobs(), isShared, workers, options, executor, capacity, instruments, time, logger);
        await rig.Store.OpenAsync(Token);
        rig.Dispatcher.Start();
        return rig;
    }

    public static JobOptions Options => new() { Share = 0, Lease = TimeSpan.FromHours(1), RetryDelay = TimeSpan.FromMilliseconds(20) };

    /// <summary>Opens a store of another instance, or of a client of it, on the same jobs.</summary>
    public async Task<InMemoryJobStore> OpenAnotherAsync()
    {
        var other = new InMemoryJobStore(Jobs);
        await other.OpenAsync(Token);
        return other;
    }

    public async Task<Job> AcceptAsync(NewJob? job = null) => (await Store.AcceptAsync(job ?? Tests.Jobs.New(), Token)).Job;

    /// <summary>Reads the job past the store, so also during a fault of the store.</summary>
    public Job Look(Guid id)
    {
        lock (Jobs.Gate) return Jobs.Rows[id].Job;
    }

    /// <summary>Waits until the dispatcher has claimed and maintained at least once, and sleeps until an event.</summary>
    public async Task QuietAsync()
    {
        await Patience.UntilAsync(() => Store.Calls("claim") > 0 && Store.Calls("maintain") > 0);
        await AsleepAsync();
    }

    /// <summary>Waits until the dispatcher has handled all notifications and will claim next only after a further event.</summary>
    public Task AsleepAsync() => Patience.UntilAsync(() => Dispatcher.IsAsleep(TimeSpan.FromSeconds(1)), "That the dispatcher sleeps");

    /// <summary>Advances the clock in steps. After each step the dispatcher completes what is due then.</summary>
    public async Task PassAsync(FakeTimeProvider clock, TimeSpan time, TimeSpan step)
    {
        for (TimeSpan passed = TimeSpan.Zero; passed < time; passed += step)
        {
            clock.Advance(step);
            await Patience.UntilAsync(() => Dispatcher.IsAsleep(TimeSpan.Zero), "That the dispatcher sleeps");
        }
    }

    /// <summary>Whether the job's result is deleted, or the whole job.</summary>
    public bool IsSwept(Guid id)
    {
        lock (Jobs.Gate) return !Jobs.Rows.TryGetValue(id, out var row) || row.IsSwept;
    }

    public async Task<Job> UntilAsync(Guid id, JobState state)
    {
        await Patience.UntilAsync(() => Look(id).State == state, $"That the job is {state}");
        return Look(id);
    }

    public async ValueTask DisposeAsync()
    {
        Store.Fault = null;
        Dispatcher.Close();
        Pool.CancelAll();
        using (var late = new CancellationTokenSource(Long)) await Dispatcher.StopAsync(late.Token, late.Token);
        await Dispatcher.DisposeAsync();
        await Pool.ShutdownAsync(TimeSpan.Zero, Long);
        await Pool.DisposeAsync();
        await Store.DisposeAsync();
        _meter.Dispose();
    }
}
