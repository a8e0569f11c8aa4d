using System.Runtime.InteropServices;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>The signals that ask a process to stop, before it has a host that could.</summary>
/// <remarks>
/// A process without handlers dies of these signals without a word; as PID 1 of a container it does not even get them. So an app
/// whose process belongs to its pools registers in its first line. Until the host starts the pools, nothing is accepted and
/// nothing runs: the first signal ends the process at once, with exit code 0 and the usual last line.
/// </remarks>
public static class EarlyStopSignals
{
    private static readonly Lock Gate = new();
    private static PosixSignalRegistration[] _registrations = [];
    private static bool _isHandedOver;

    /// <summary>Takes SIGTERM, SIGINT, SIGQUIT and SIGHUP from now on; the host's pools take them over when they start.</summary>
    /// <param name="write">Writes a line to where the log goes.</param>
    public static void Register(Action<string> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        lock (Gate)
        {
            if (_registrations.Length > 0) return;
            _registrations = [.. StopSignal.All.Where(static signal => signal.IsWanted).Select(signal => signal.Register(context => End(signal, context, write)))];
        }
    }

    /// <summary>The host's own handlers are registered under the lock: a signal meets either these or those.</summary>
    internal static void HandOver(Action register)
    {
        lock (Gate)
        {
            register();
            _isHandedOver = true;
            foreach (PosixSignalRegistration registration in _registrations) registration.Dispose();
        }
    }

    /// <summary>The host has started, and signals are its own from now on.</summary>
    internal static void End() => HandOver(static () => { });

    private static void End(StopSignal signal, PosixSignalContext context, Action<string> write)
    {
        lock (Gate)
        {
            if (_isHandedOver) return;
            context.Cancel = true;
            ProcessEnd.At(ShutdownOptions.ForcedEnd, 0); // a log that nobody reads must not keep the process
            // A host that starts meanwhile logs that it stops. Its log writes to the same writer, under the same lock: nothing comes behind
            // the last line.
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
                    // There is nobody left to tell.
                }
                ProcessEnd.Now(0);
            }
        }
    }
}
