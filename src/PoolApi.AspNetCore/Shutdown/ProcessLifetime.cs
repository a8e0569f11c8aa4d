using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>What a stop does to the process: signals, the watchdog, the exit code. A service only if the app asks for it.</summary>
/// <remarks>
/// Without it a stop is the host's alone: nothing here takes a signal, ends the process or sets its exit code.
/// The coordinator calls this; this calls the coordinator from the threads of signals and of the watchdog.
/// </remarks>
internal sealed class ProcessLifetime(IEnumerable<ILoggerProvider> logs) : IDisposable
{
    /// <summary>The watchdog had to end the process. (EX_SOFTWARE of sysexits.h.)</summary>
    public const int WatchdogExitCode = 70;

    private readonly ILoggerProvider[] _logs = [.. logs]; // at the end the container may be disposed of
    private StopSignals? _signals;
    private Watchdog? _watchdog;
    private bool _isForced;

    /// <summary>How long the watchdog waits; <see langword="null"/>: the app lets its stop take any time.</summary>
    public static TimeSpan? WatchdogTime(HostOptions host) =>
        host.ShutdownTimeout == Timeout.InfiniteTimeSpan ? null : host.ShutdownTimeout + ShutdownOptions.HostCut;

    /// <summary>The first signal from now on begins the stop, a second one ends the process.</summary>
    public void TakeSignals(ShutdownCoordinator shutdown, IHostApplicationLifetime lifetime)
    {
        _signals = new StopSignals(First, signal => ForceEnd(shutdown, signal.Name, signal.ExitCode));

        void First(StopSignal signal)
        {
            shutdown.Begin(signal.Name, lameDuck: true);
            if (signal == StopSignal.HangUp) lifetime.StopApplication();
        }
    }

    /// <summary>A stop begins.</summary>
    public void StopBegins(ShutdownCoordinator shutdown, ShutdownOptions times, HostOptions host)
    {
        if (times.Watchdog && WatchdogTime(host) is { } time) _watchdog = Watchdog.Start(time, () => ForceEnd(shutdown, "watchdog", WatchdogExitCode));
    }

    /// <summary>The stop has come to its end.</summary>
    public void StopEnds() => _watchdog?.Over();

    /// <summary>The process ends with this code, unless it is 0: a code that the app has set for a reason of its own is not cleared.</summary>
    public static void SetExitCode(int code)
    {
        if (code != 0) Environment.ExitCode = code;
    }

    public void Dispose()
    {
        StopEnds();
        _signals?.Dispose();
    }

    /// <summary>
    /// Ends the process within a second, whatever it is doing. Blocks the calling thread, which is nobody else's.
    /// </summary>
    private void ForceEnd(ShutdownCoordinator shutdown, string reason, int exitCode)
    {
        if (Interlocked.Exchange(ref _isForced, true)) return;
        ProcessEnd.At(ShutdownOptions.ForcedEnd, exitCode);
        try
        {
            shutdown.CutShort(reason, exitCode);
            // The log's last lines are written by a thread of its own; to dispose of that provider waits for them. To dispose of
            // the factory would not: providers that are services are not its own.
            foreach (ILoggerProvider provider in _logs)
            {
                try
                {
                    provider.Dispose();
                }
                catch (Exception)
                {
                    // The next one may still have something to write.
                }
            }
        }
        finally
        {
            ProcessEnd.Now(exitCode);
        }
    }
}
