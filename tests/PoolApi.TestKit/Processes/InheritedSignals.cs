using System.Runtime.CompilerServices;

namespace PoolApi.TestKit.Processes;

/// <summary>
/// A shell script starts its background jobs with SIGINT and SIGQUIT ignored, and <c>nohup</c> with SIGHUP ignored. A process inherits that and passes it on, so the
/// programs under test would ignore the signals that tests send them. This restores the defaults before a test starts a program.
/// </summary>
internal static class InheritedSignals
{
    // A library should have no module initializer, but this must run before the first test, whichever that is.
#pragma warning disable CA2255
    [ModuleInitializer]
    internal static void RestoreDefaults()
#pragma warning restore CA2255
    {
        if (!OperatingSystem.IsLinux()) return;
        foreach (UnixSignal signal in (UnixSignal[])[UnixSignal.HangUp, UnixSignal.Interrupt, UnixSignal.Quit])
        {
            if (SignalMask.Contains(Environment.ProcessId, SignalMask.Ignored, signal)) Libc.RestoreDefault(signal);
        }
    }
}
