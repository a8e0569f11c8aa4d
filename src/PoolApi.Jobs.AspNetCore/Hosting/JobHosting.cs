using System.Diagnostics;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Jobs.AspNetCore.Responses;
using PoolApi.Jobs.AspNetCore.Endpoints;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.AspNetCore.Hosting;

/// <summary>Opens the store before the server listens, runs jobs while the app runs, and writes the results of the last attempts when it stops.</summary>
/// <remarks>
/// An app that drains claims no more jobs, and jobs that no worker has taken go back to the store. The stop waits for running attempts as it
/// does for requests, within the same deadline, and before it stops any hosted service. So when <see cref="StopAsync"/> is called, only the
/// results of the last attempts remain to be written. If the drain has missed its deadline, attempts and requests may still run. The pool may
/// still be open, because other hosted services use it.
/// </remarks>
internal sealed partial class JobHosting(IServiceProvider services, ILogger<JobHosting> logger) : IHostedLifecycleService, IUnfinishedWork
{
    /// <summary>
    /// The shortest time for which failed writes of the last results are retried. If the drain has more time left, the retries use it. A job whose
    /// result is not written runs again after its lease, elsewhere or after the next start.
    /// </summary>
    public static readonly TimeSpan LastWrites = TimeSpan.FromSeconds(3);

    /// <summary>How long counting the results that were not written may take.</summary>
    private static readonly TimeSpan LastCount = TimeSpan.FromMilliseconds(200);

    private CancellationTokenRegistration _draining;
    private long? _drainsSince; // a timestamp; null: the app does not drain
    private JobDispatchers? _dispatchers;
    private IJobStore? _store;

    /// <summary>The number of attempts that had started and whose end is not written. Their jobs run again, although their work may be done.</summary>
    public int Count { get; private set; }

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        // Not in the constructor: hosted services are made before the settings are validated. The dispatchers first: they listen to the store.
        _ = services.GetRequiredService<JobPools>().Default; // a wrong configuration stops the start before anything is opened
        _dispatchers = services.GetRequiredService<JobDispatchers>();
        _store = services.GetRequiredService<IJobStore>();
        await _store.OpenAsync(cancellationToken);
        LogOpened(_store.Location);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        JobKinds kinds = services.GetRequiredService<JobKinds>();
        if (kinds.AreRequested) _ = services.GetRequiredService<JobsPath>().Value; // an app without routes for its jobs does not start
        services.GetRequiredService<JobInstruments>().DeclareKinds(kinds.All);
        _dispatchers!.Start();
        _draining = services.GetRequiredService<IPoolLifetime>().Draining.Register(() =>
        {
            _drainsSince = Stopwatch.GetTimestamp();
            _dispatchers.Close();
        });
        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(TimeForWrites());
        if (_dispatchers is not null) await _dispatchers.StopAsync(late.Token, cancellationToken);
        await _draining.DisposeAsync();
        if (_store is not null) await _store.DisposeAsync();
        if (_dispatchers is null) return;
        using var over = new CancellationTokenSource(LastCount);
        Count = await _dispatchers.CountUnwrittenAsync(over.Token);
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>The time for the last writes: what is left of the drain's time, and at least <see cref="LastWrites"/>.</summary>
    private TimeSpan TimeForWrites()
    {
        if (_drainsSince is not { } since) return LastWrites;
        TimeSpan left = services.GetRequiredService<IOptions<ShutdownOptions>>().Value.Drain - Stopwatch.GetElapsedTime(since);
        return left > LastWrites ? left : LastWrites;
    }

    [LoggerMessage(42, LogLevel.Information, "Jobs are kept in {place}")]
    private partial void LogOpened(string place);
}
