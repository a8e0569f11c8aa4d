using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PoolApi.TestKit;

/// <summary>
/// A shell script starts its background jobs with SIGINT and SIGQUIT ignored, and <c>nohup</c> with SIGHUP ignored. A process inherits that and passes it on, so the
/// programs under test would ignore the signals that tests send them. This restores the defaults before a test starts a program.
/// </summary>
internal static partial class InheritedSignals
{
    private const string IgnoredSignals = "SigIgn:";

    // A library should have none, but this must be done before the first test, whichever that is.
#pragma warning disable CA2255
    [ModuleInitializer]
    internal static void RestoreDefaults()
#pragma warning restore CA2255
    {
        if (!OperatingSystem.IsLinux()) return;
        string line = File.ReadLines("/proc/self/status").First(static line => line.StartsWith(IgnoredSignals, StringComparison.Ordinal));
        ulong ignored = ulong.Parse(line.AsSpan(IgnoredSignals.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        foreach (UnixSignal signal in (UnixSignal[])[UnixSignal.HangUp, UnixSignal.Interrupt, UnixSignal.Quit])
        {
            if ((ignored >> ((int)signal - 1) & 1) != 0) _ = SetHandler((int)signal, handler: 0); // 0 is SIG_DFL; a valid signal cannot fail
        }
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial nint SetHandler(int signal, nint handler);
}
