using System.Runtime.InteropServices;

namespace PoolApi.Threading.Core;

/// <summary>Sets the operating system's priority of the calling thread.</summary>
internal static partial class ThreadPriorities
{
    private const int Nicest = 19;
    private const int PriorityOfProcess = 0; // PRIO_PROCESS; on Linux 0 as the id then means the calling thread alone

    /// <summary>
    /// Lowers the priority. On Linux each thread has a nice value of its own, which needs no privilege to raise. On other systems it uses
    /// the nearest priority that the runtime offers.
    /// </summary>
    /// <param name="nice">The value to add to the process's own nice value, 0 to 19.</param>
    public static void SetNice(int nice)
    {
        if (nice == 0) return;
        if (OperatingSystem.IsLinux() && SetPriority(PriorityOfProcess, 0, OfWorker(GetPriority(PriorityOfProcess, (uint)Environment.ProcessId), nice)) == 0) return;
        Thread.CurrentThread.Priority = nice < 10 ? ThreadPriority.BelowNormal : ThreadPriority.Lowest;
    }

    /// <summary>
    /// Computes the nice value of a worker: the worker's own value is added to the process's. The caller reads the process's value from its main
    /// thread, because the thread that starts the worker may be another worker, whose value is already raised.
    /// </summary>
    internal static int OfWorker(int ofProcess, int nice) => Math.Min(ofProcess + nice, Nicest);

    [LibraryImport("libc", EntryPoint = "getpriority")]
    private static partial int GetPriority(int which, uint who);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int value);
}
