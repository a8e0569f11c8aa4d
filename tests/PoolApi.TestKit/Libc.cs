using System.ComponentModel;
using System.Runtime.InteropServices;

namespace PoolApi.TestKit;

/// <summary>What .NET cannot do by itself: send a signal other than KILL.</summary>
public static partial class Libc
{
    /// <summary>Sends a signal to one process.</summary>
    public static void Send(int processId, UnixSignal signal)
    {
        if (Kill(processId, (int)signal) != 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"kill({processId}, {signal})");
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int Kill(int processId, int signal);
}
