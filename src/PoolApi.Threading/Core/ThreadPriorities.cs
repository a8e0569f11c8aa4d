using System.Runtime.InteropServices;

namespace PoolApi.Threading.Core;

/// <summary>The operating system's priority of the calling thread.</summary>
internal static partial class ThreadPriorities
{
    private const int Nicest = 19;
    private const int PriorityOfProcess = 0; // PRIO_PROCESS; on Linux 0 as the id then means the calling thread alone

    /// <summary>
    /// Lets the others go first. On Linux each thread has a nice value of its own, which needs no privilege to raise; elsewhere
    /// the nearest that the runtime offers.
    /// </summary>
    /// <param name="nice">How much nicer than the process: 0, as any thread, to 19, only what nobody else wants.</param>
    public static void SetNice(int nice)
    {
        if (nice == 0) return;
        if (OperatingSystem.IsLinux() && SetPriority(PriorityOfProcess, 0, OfWorker(GetPriority(PriorityOfProcess, (uint)Environment.ProcessId), nice)) == 0) return;
        Thread.CurrentThread.Priority = nice < 10 ? ThreadPriority.BelowNormal : ThreadPriority.Lowest;
    }

    /// <summary>
    /// The nice value of a worker. The process may have one of its own, by which all its threads begin: a worker goes behind those. Its
    /// main thread has it, and not the thread that starts the worker, which may be another worker.
    /// </summary>
    internal static int OfWorker(int ofProcess, int nice) => Math.Min(ofProcess + nice, Nicest);

    [LibraryImport("libc", EntryPoint = "getpriority")]
    private static partial int GetPriority(int which, uint who);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int value);
}
