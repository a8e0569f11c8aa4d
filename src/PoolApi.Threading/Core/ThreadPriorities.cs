using System.Runtime.InteropServices;

namespace PoolApi.Threading.Core;

/// <summary>The operating system's priority of the calling thread.</summary>
internal static partial class ThreadPriorities
{
    private const int PriorityOfProcess = 0; // PRIO_PROCESS; on Linux 0 as the id then means the calling thread alone

    /// <summary>
    /// Lets the others go first. On Linux each thread has a nice value of its own, which needs no privilege to raise; elsewhere
    /// the nearest that the runtime offers.
    /// </summary>
    /// <param name="nice">0, as any thread, to 19, only what nobody else wants.</param>
    public static void SetNice(int nice)
    {
        if (nice == 0) return;
        if (OperatingSystem.IsLinux() && SetPriority(PriorityOfProcess, 0, nice) == 0) return;
        Thread.CurrentThread.Priority = nice < 10 ? ThreadPriority.BelowNormal : ThreadPriority.Lowest;
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int value);
}
