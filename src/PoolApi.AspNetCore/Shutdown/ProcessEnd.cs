using System.Runtime.InteropServices;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Ends the process even if all of its other threads are blocked.</summary>
internal static partial class ProcessEnd
{
#pragma warning disable RS0030 // Sleep: a timer needs the .NET ThreadPool, which may be starved. Exit: this type is where the process ends.
    /// <summary>Ends the process when <paramref name="time"/> is over. Uses its own thread, because timers and the .NET ThreadPool may no longer work.</summary>
    /// <param name="time">The time.</param>
    /// <param name="exitCode">Called at that time. Returns the exit code, and must not block.</param>
    public static void At(TimeSpan time, Func<int> exitCode)
    {
        var last = new Thread(() =>
        {
            Thread.Sleep(time);
            Now(exitCode());
        })
        { IsBackground = true, Name = "shutdown-last-resort" };
        try
        {
            last.UnsafeStart();
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            // The system gives no thread. The caller ends the process anyway, unless it hangs.
        }
    }

    /// <summary>Ends the process at once: no exit handler runs and nothing is disposed of.</summary>
    public static void Now(int exitCode)
    {
        if (OperatingSystem.IsLinux() || OperatingSystem.IsMacOS()) Exit(exitCode);
        Environment.Exit(exitCode);
    }
#pragma warning restore RS0030

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void Exit(int status);
}
