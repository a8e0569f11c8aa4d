using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Starts the pools with the host and stops them with it.</summary>
/// <remarks>
/// The stop runs in <see cref="StoppingAsync"/>: that is before any hosted service's StopAsync, and so while Kestrel still
/// listens, answers probes and enforces its time limits. From its StopAsync on it does none of these.
/// </remarks>
internal sealed class PoolHostedService(IServiceProvider services) : IHostedLifecycleService, IDisposable
{
    private readonly List<PosixSignalRegistration> _signals = [];
    private ShutdownCoordinator? _coordinator;

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        // Not in the constructor: hosted services are made before the settings are validated.
        _coordinator = services.GetRequiredService<ShutdownCoordinator>();
        services.GetRequiredService<AppInstruments>();
        // Not in StartedAsync: this service's comes before those of services that were added later.
        services.GetRequiredService<IHostApplicationLifetime>().ApplicationStarted.Register(_coordinator.Started);
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => _coordinator.Because("SIGTERM")));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => _coordinator.Because("SIGINT")));
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => _coordinator?.StopAsync() ?? Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        int code = _coordinator?.Complete() ?? 0;
        // A code that the app has set for a reason of its own is not cleaned away.
        if (code != 0) Environment.ExitCode = code;
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration signal in _signals) signal.Dispose();
    }
}
