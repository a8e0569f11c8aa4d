using System.Runtime.InteropServices;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Handles the stop signals from the first line of the program until the host starts.</summary>
/// <remarks>
/// Without handlers these signals kill a process without a log line, and PID 1 of a container does not get them at all. So an app that
/// calls <c>AddPoolProcessLifetime</c> registers in its first line. Until the host starts the pools, no work is accepted: the first signal
/// ends the process at once, with exit code 0 and the usual last line.
/// </remarks>
public static class EarlyStopSignals
{
    private static readonly Lock Gate = new();
    private static PosixSignalRegistration[] _registrations = [];
    private static bool _isHandedOver;
    private static Action<StopSignal, PosixSignalContext>? _successor;

    /// <summary>Handles SIGTERM, SIGINT, SIGQUIT and SIGHUP from now on, until the host's pools start and handle them. A second call does nothing. Thread-safe.</summary>
    /// <param name="write">Writes a line to the app's log.</param>
    /// <exception cref="ArgumentNullException"><paramref name="write"/> is <see langword="null"/>.</exception>
    public static void Register(Action<string> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        lock (Gate)
        {
            if (_registrations.Length > 0) return;
            _registrations = [.. StopSignal.All.Where(static signal => signal.IsWanted).Select(signal => signal.Register(context => End(signal, context, write)))];
        }
    }

    /// <summary>Registers the host's handlers and removes the early ones, under the lock. So exactly one of the two handles a signal.</summary>
    /// <param name="register">Registers the host's handlers.</param>
    /// <param name="successor">
    /// Handles a signal for which the runtime had chosen these handlers before, and perhaps those of the host too; <see langword="null"/>: the app leaves
    /// signals to the host.
    /// </param>
    internal static void HandOver(Action register, Action<StopSignal, PosixSignalContext>? successor)
    {
        lock (Gate)
        {
            register();
            _isHandedOver = true;
            _successor = successor;
            foreach (PosixSignalRegistration registration in _registrations) registration.Dispose();
        }
    }

    /// <summary>Removes the handlers: the host has started without <c>AddPoolProcessLifetime</c> and handles the signals itself.</summary>
    internal static void End() => HandOver(static () => { }, successor: null);

    internal static void End(StopSignal signal, PosixSignalContext context, Action<string> write)
    {
        if (!TryEnd(signal, context, write)) Volatile.Read(ref _successor)?.Invoke(signal, context);
    }

    private static bool TryEnd(StopSignal signal, PosixSignalContext context, Action<string> write)
    {
        lock (Gate)
        {
            if (_isHandedOver) return false;
            context.Cancel = true;
            ProcessEnd.At(ShutdownOptions.EarlyEnd, static () => 0); // a blocked stdout must not keep the process
            // A host that starts meanwhile may log. The framework's console logger writes to this writer, under this lock, so it adds no line after the
            // last one. A logger with a stream of its own may.
#pragma warning disable CA2002 // the writer is its own lock (TextWriter.Synchronized)
            lock (Console.Out)
#pragma warning restore CA2002
            {
                try
                {
                    write(ShutdownLog.StoppedBeforeStart(signal.Name));
                    write(ShutdownLog.NothingAccepted);
                }
                catch (Exception)
                {
                    // The log itself has failed, and the process ends.
                }
                ProcessEnd.Now(0);
            }
        }
        return true;
    }
}
