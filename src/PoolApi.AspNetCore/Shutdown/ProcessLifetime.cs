using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Process policy: handles the stop signals, runs the watchdog and sets the exit code. Registered by <c>AddPoolProcessLifetime</c> only.</summary>
/// <remarks>
/// Without it the library handles no signal, does not end the process and sets no exit code. The coordinator calls this type when a stop
/// begins and ends. This type calls the coordinator on the threads of the signals and of the watchdog.
/// </remarks>
internal sealed class ProcessLifetime(IEnumerable<ILoggerProvider> logs) : IDisposable
{
    /// <summary>The exit code when the watchdog ends the process (EX_SOFTWARE of sysexits.h).</summary>
    public const int WatchdogExitCode = 70;

    private readonly ILoggerProvider[] _logs = [.. logs]; // resolved now, because the container may be disposed of at the end
    private StopSignals? _signals;
    private Watchdog? _watchdog;
    private bool _isForced;

    /// <summary>The longest time that a thread can wait for: about 24 days.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(int.MaxValue);

    /// <summary>
    /// How long the watchdog waits; <see langword="null"/>: the app has set a ShutdownTimeout that is infinite or longer than a thread can wait, and
    /// there is no watchdog.
    /// </summary>
    public static TimeSpan? WatchdogTime(HostOptions host) =>
        host.ShutdownTimeout == Timeout.InfiniteTimeSpan || host.ShutdownTimeout > LongestWait - ShutdownOptions.HostCut
            ? null
            : host.ShutdownTimeout + ShutdownOptions.HostCut;

    /// <summary>Handles the stop signals from now on: the first begins the stop, a second one ends the process.</summary>
    public void TakeSignals(ShutdownCoordinator shutdown, IHostApplicationLifetime lifetime)
    {
        _signals = new StopSignals(First, signal => ForceEnd(shutdown, signal.Name, signal.ExitCode));

        void First(StopSignal signal)
        {
            shutdown.Begin(signal.Name, lameDuck: true);
            // The host has no handler for SIGHUP, and the runtime may have chosen the handlers of another signal before the host had registered its own.
            lifetime.StopApplication();
        }
    }

    /// <summary>The stop has begun: starts the watchdog.</summary>
    public void StopBegins(ShutdownCoordinator shutdown, ShutdownOptions times, HostOptions host)
    {
        if (!times.Watchdog || WatchdogTime(host) is not { } time) return;
        try
        {
            _watchdog = Watchdog.Start(time, () => ForceEnd(shutdown, "watchdog", WatchdogExitCode));
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            // The system gives no thread. A stop without a watchdog is better than none, and a signal's thread calls this without a guard.
        }
    }

    /// <summary>The stop has ended: ends the watchdog.</summary>
    public void StopEnds() => _watchdog?.Over();

    /// <summary>Sets the exit code of the process. 0 changes nothing, so that a code that the app has set stays.</summary>
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
    /// Ends the process within a second, even if the stop hangs. Blocks the calling thread, which is a signal's or the watchdog's.
    /// </summary>
    private void ForceEnd(ShutdownCoordinator shutdown, string reason, int exitCode)
    {
        if (Interlocked.Exchange(ref _isForced, true)) return;
        try
        {
            ProcessEnd.At(ShutdownOptions.ForcedEnd, Code);
            shutdown.CutShort(reason, exitCode);
            // The console logger writes on a thread of its own, and its disposal waits for the last lines. The logger factory does not dispose
            // of providers that the container owns.
            foreach (ILoggerProvider provider in _logs)
            {
                try
                {
                    provider.Dispose();
                }
                catch (Exception)
                {
                    // The other providers may still have lines to write.
                }
            }
        }
        finally
        {
            ProcessEnd.Now(Code());
        }

        // If the stop has written its last line, the exit code in that line counts. As at the end of the program, 0 does not replace a code of the app.
        int Code() => shutdown.ExitCode switch { null => exitCode, 0 => Environment.ExitCode, { } code => code };
    }
}
