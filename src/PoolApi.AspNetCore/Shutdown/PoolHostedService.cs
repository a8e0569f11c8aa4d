using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Starts the pools with the host and stops them with it.</summary>
/// <remarks>
/// <para><see cref="StoppingAsync"/> drains the requests. The host calls it before any hosted service's StopAsync, so Kestrel still listens,
/// answers probes and enforces its time limits. After its own StopAsync Kestrel does none of these.</para>
/// <para><see cref="StopAsync"/> drains the pools. The host stops its services in the reverse order of their registration, so the services
/// that were registered after the pool, and may use it, have stopped by then. If the host stops its services concurrently,
/// <see cref="StoppedAsync"/> drains the pools, because the host calls it after all of them.</para>
/// </remarks>
internal sealed partial class PoolHostedService(IServiceProvider services, ILogger<PoolHostedService> logger) : IHostedLifecycleService
{
    private ShutdownCoordinator? _coordinator;
    private ProcessLifetime? _process; // null without AddPoolProcessLifetime
    private bool _stopConcurrently; // read at the start, because a second stop of the host may come after its services are disposed of

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        if (services.GetRequiredService<ShutdownPools>().All.Count == 0)
            throw new InvalidOperationException("AddPoolProcessLifetime() needs a pool, and the app has none: call services.AddFixedThreadPool().");
        // Not in the constructor: the host creates hosted services before it validates the settings.
        ShutdownCoordinator coordinator = _coordinator = services.GetRequiredService<ShutdownCoordinator>();
        _stopConcurrently = services.GetRequiredService<IOptions<HostOptions>>().Value.ServicesStopConcurrently;
        services.GetRequiredService<IAppInstruments>();
        // StartedAsync would be too early: the host calls this service's before that of services that were added later.
        var lifetime = services.GetRequiredService<IHostApplicationLifetime>();
        lifetime.ApplicationStarted.Register(coordinator.Started);
        if (services.GetRequiredService<HostTime>().Replaced is { } tooShort)
            LogHostTime(tooShort, services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout);
        _process = services.GetService<ProcessLifetime>();
        if (_process is not null) _process.TakeSignals(coordinator, lifetime);
        else EarlyStopSignals.End();
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        // The server has started, so all routes are mapped. Reading them builds every endpoint: an endpoint that names an unknown pool fails
        // now, not at its first request.
        services.GetRequiredService<IAppInstruments>().DeclareKinds(services.GetService<EndpointDataSource>());
        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => _coordinator?.DrainRequestsAsync() ?? Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) =>
        _coordinator is null || _stopConcurrently ? Task.CompletedTask : _coordinator.OnServicesStoppedAsync();

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        if (_coordinator is null) return;
        await _coordinator.OnServicesStoppedAsync();
        await _coordinator.FlushAsync();
        int code = _coordinator.Complete();
        if (_process is not null) ProcessLifetime.SetExitCode(code);
    }

    [LoggerMessage(
        16, LogLevel.Warning,
        "HostOptions.ShutdownTimeout is raised from {set} to {given}, the sum of the phases of a stop and some seconds more. Set it to at least that time, "
        + "or shorten the phases")]
    private partial void LogHostTime(TimeSpan set, TimeSpan given);
}
