using System.Globalization;

namespace PoolApi.TestKit.Processes;

/// <summary>The sets of signals that Linux keeps for each process, in <c>/proc/…/status</c>.</summary>
public static class SignalMask
{
    /// <summary>The signals that the process has a handler for.</summary>
    public const string Caught = "SigCgt:";

    /// <summary>The signals that the process ignores.</summary>
    public const string Ignored = "SigIgn:";

    /// <summary>Whether a set has a signal.</summary>
    public static bool Contains(int processId, string mask, UnixSignal signal)
    {
        string line = File.ReadLines($"/proc/{processId}/status").Single(line => line.StartsWith(mask, StringComparison.Ordinal));
        ulong signals = ulong.Parse(line.AsSpan(mask.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return (signals >> ((int)signal - 1) & 1) != 0;
    }
}
