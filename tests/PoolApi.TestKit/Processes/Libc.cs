using System.ComponentModel;
using System.Runtime.InteropServices;

namespace PoolApi.TestKit.Processes;

/// <summary>What .NET cannot do by itself: send a signal other than KILL, and give a signal its default effect again.</summary>
public static partial class Libc
{
    /// <summary>Sends a signal to one process.</summary>
    public static void Send(int processId, UnixSignal signal)
    {
        if (Kill(processId, (int)signal) != 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"kill({processId}, {signal})");
    }

    /// <summary>Gives a signal its default effect in this process, and in the programs that it starts.</summary>
    public static void RestoreDefault(UnixSignal signal) => _ = SetHandler((int)signal, handler: 0); // 0 is SIG_DFL; a valid signal cannot fail

    [LibraryImport("libc", EntryPoint = "signal")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial nint SetHandler(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int Kill(int processId, int signal);
}
