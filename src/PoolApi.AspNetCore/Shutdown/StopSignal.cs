using System.Globalization;
using System.Runtime.InteropServices;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>A signal that asks a process to stop.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Number">Its number.</param>
/// <param name="Signal">Its name in .NET.</param>
internal sealed record StopSignal(string Name, int Number, PosixSignal Signal)
{
    /// <summary>SIGHUP: the terminal has closed, or a supervisor uses it instead of SIGTERM. The host has no handler for it.</summary>
    public static readonly StopSignal HangUp = new("SIGHUP", 1, PosixSignal.SIGHUP);

    /// <summary>All signals that stop the process.</summary>
    public static readonly StopSignal[] All =
    [
        new("SIGTERM", 15, PosixSignal.SIGTERM),
        new("SIGINT", 2, PosixSignal.SIGINT),
        new("SIGQUIT", 3, PosixSignal.SIGQUIT),
        HangUp,
    ];

    /// <summary>The exit code of a process that this signal ends: 128 and its number.</summary>
    public int ExitCode => 128 + Number;

    /// <summary>Whether the process handles this signal. It does not handle SIGHUP if its parent has set it to be ignored, as <c>nohup</c> does.</summary>
    public bool IsWanted => this != HangUp || !IsIgnored(Number);

    /// <summary>Registers a handler.</summary>
    public PosixSignalRegistration Register(Action<PosixSignalContext> handler) => PosixSignalRegistration.Create(Signal, handler);

    /// <summary>Whether the process ignores a signal. It inherits this at its start, and nothing here changes it.</summary>
    private static bool IsIgnored(int signal)
    {
        const string Mask = "SigIgn:";
        if (!OperatingSystem.IsLinux()) return false;
        try
        {
            string? line = File.ReadLines("/proc/self/status").FirstOrDefault(static line => line.StartsWith(Mask, StringComparison.Ordinal));
            return line is not null && ulong.TryParse(line.AsSpan(Mask.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong mask)
                && (mask >> (signal - 1) & 1) != 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // without /proc the signal is handled
        }
    }
}
