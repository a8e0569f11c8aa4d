using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>
/// The one thread that may run holds the baton, and passes it on. All threads of an explorer are pinned to one core, so this takes one
/// futex wake, one futex wait and one switch by the kernel: some microseconds, which are most of the cost of a schedule.
/// </summary>
internal sealed unsafe class Baton
{
    private const int WaitPrivate = 0 | 128;
    private const int WakePrivate = 1 | 128;
    private const int Batch = 3; // SCHED_BATCH

    private static readonly nint FutexCall = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 98 : 202;

    private readonly int[] _words = GC.AllocateArray<int>(48, pinned: true);
    private readonly SemaphoreSlim? _elsewhere = OperatingSystem.IsLinux() ? null : new(0);

    private int* Word => (int*)Unsafe.AsPointer(ref _words[16]);

    public void Give()
    {
        if (_elsewhere is not null)
        {
            _elsewhere.Release();
            return;
        }
        System.Threading.Volatile.Write(ref *Word, 1);
        _ = SystemCall(FutexCall, Word, WakePrivate, 1, 0, 0, 0);
    }

    public void Await()
    {
        if (_elsewhere is not null)
        {
            _elsewhere.Wait();
            return;
        }
        while (System.Threading.Volatile.Read(ref *Word) == 0) _ = SystemCall(FutexCall, Word, WaitPrivate, 0, 0, 0, 0);
        System.Threading.Volatile.Write(ref *Word, 0);
    }

    /// <summary>
    /// Pins the calling thread to one core, and keeps it from preempting the thread that wakes it, which is about to wait
    /// anyway. If the system refuses, everything works, but slower.
    /// </summary>
    public static void KeepOnCore(int core)
    {
        if (!OperatingSystem.IsLinux()) return;
        ulong* mask = stackalloc ulong[16];
        mask[core / 64] = 1UL << (core % 64);
        _ = SetAffinity(0, 16 * sizeof(ulong), mask);
        int priority = 0;
        _ = SetScheduler(0, Batch, &priority);
    }

    /// <summary>The cores that this process may use.</summary>
    public static int[] Cores()
    {
        if (!OperatingSystem.IsLinux()) return [.. Enumerable.Range(0, Environment.ProcessorCount)];
        ulong* mask = stackalloc ulong[16];
        _ = GetAffinity(0, 16 * sizeof(ulong), mask);
        var cores = new List<int>();
        for (int core = 0; core < 1024; core++)
        {
            if ((mask[core / 64] >> (core % 64) & 1) != 0) cores.Add(core);
        }
        return cores.Count == 0 ? [0] : [.. cores];
    }

    // DllImport, not LibraryImport: this file is also compiled where no source generator runs.
#pragma warning disable SYSLIB1054, CA5392
    [DllImport("libc", EntryPoint = "syscall")]
    private static extern nint SystemCall(nint number, int* address, nint operation, nint value, nint timeout, nint address2, nint value3);

    [DllImport("libc", EntryPoint = "sched_setaffinity")]
    private static extern int SetAffinity(int thread, nint size, ulong* mask);

    [DllImport("libc", EntryPoint = "sched_getaffinity")]
    private static extern int GetAffinity(int thread, nint size, ulong* mask);

    [DllImport("libc", EntryPoint = "sched_setscheduler")]
    private static extern int SetScheduler(int thread, int policy, int* priority);
#pragma warning restore SYSLIB1054, CA5392
}
