using System.Runtime.InteropServices;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Ends the process, whatever else it is doing.</summary>
internal static partial class ProcessEnd
{
#pragma warning disable RS0030 // A timer needs a ThreadPool that may be starved by then; and this is what ends the process.
    /// <summary>Ends the process after so long, unless it has ended by then. From a thread of its own: nothing else may still work.</summary>
    public static void At(TimeSpan time, int exitCode)
    {
        var last = new Thread(() =>
        {
            Thread.Sleep(time);
            Now(exitCode);
        })
        { IsBackground = true, Name = "shutdown-last-resort" };
        last.UnsafeStart();
    }

    /// <summary>Ends the process on the spot: no handler runs, nothing is disposed of.</summary>
    public static void Now(int exitCode)
    {
        if (OperatingSystem.IsLinux() || OperatingSystem.IsMacOS()) Exit(exitCode);
        Environment.Exit(exitCode);
    }
#pragma warning restore RS0030

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void Exit(int status);
}
