using System.Globalization;
using System.Runtime.InteropServices;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>A signal that asks a process to stop.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Number">Its number.</param>
/// <param name="Signal">Its name in .NET.</param>
internal sealed record StopSignal(string Name, int Number, PosixSignal Signal)
{
    /// <summary>The terminal has gone, or a supervisor uses it in place of SIGTERM. The host has no handler for it.</summary>
    public static readonly StopSignal HangUp = new("SIGHUP", 1, PosixSignal.SIGHUP);

    /// <summary>All of them.</summary>
    public static readonly StopSignal[] All =
    [
        new("SIGTERM", 15, PosixSignal.SIGTERM),
        new("SIGINT", 2, PosixSignal.SIGINT),
        new("SIGQUIT", 3, PosixSignal.SIGQUIT),
        HangUp,
    ];

    /// <summary>The exit code of a process that ends by it.</summary>
    public int ExitCode => 128 + Number;

    /// <summary>Whether it is for this process: <c>nohup</c> starts a program with SIGHUP ignored, and it stays so.</summary>
    public bool IsWanted => this != HangUp || !IsIgnored(Number);

    /// <summary>Registers a handler.</summary>
    public PosixSignalRegistration Register(Action<PosixSignalContext> handler) => PosixSignalRegistration.Create(Signal, handler);

    /// <summary>Whether the process ignores a signal. It is so from its start or never: nothing here sets that.</summary>
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
            return false; // no /proc: as it would be without this
        }
    }
}
