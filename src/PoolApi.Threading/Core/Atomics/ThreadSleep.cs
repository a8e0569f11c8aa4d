using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PoolApi.Threading.Core.Atomics;

/// <summary>
/// Puts a thread to sleep on a word, and wakes one: by futex(2) on Linux, by monitors elsewhere.
/// </summary>
/// <remarks>
/// A futex is one system call where the runtime's own primitives take several and a lock each. The address must not move
/// while a thread sleeps on it: the words come from <see cref="CacheLines"/>, which pins them, and stay alive because the
/// sleeping thread's caller holds their array.
/// </remarks>
internal static unsafe partial class ThreadSleep
{
    private const int FutexWaitPrivate = 0 | 128;
    private const int FutexWakePrivate = 1 | 128;

    // A parking lot, as in WebKit's WTF: threads that sleep on any of many words share a few monitors.
    private static readonly object[] Monitors = [.. Enumerable.Range(0, 64).Select(static _ => new object())];

    private static readonly nint FutexCall = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 202,
        Architecture.Arm64 => 98,
        _ => 0,
    };

    private static bool s_hasFutex = HasFutex();

    /// <summary>Whether the futex is used. A test turns it off, to run everything on the monitors.</summary>
    public static bool UsesFutex
    {
        get => s_hasFutex;
        set => s_hasFutex = value && HasFutex();
    }

    /// <summary>Sleeps while the word has the value, until woken. May return early.</summary>
    public static void Wait(ref int word, int value)
    {
        int* address = (int*)Unsafe.AsPointer(ref word); // pinned
        if (UsesFutex)
        {
            _ = SysCall(FutexCall, address, FutexWaitPrivate, value, 0, 0, 0); // after EAGAIN or EINTR the caller looks again
            return;
        }
        object monitor = MonitorOf(address);
        bool interrupted = false;
        using (new UninterruptibleLock(monitor))
        {
            try
            {
                if (Volatile.Read(ref word) == value) Monitor.Wait(monitor);
            }
            catch (ThreadInterruptedException)
            {
                interrupted = true; // the wait returns early, and the interrupt is raised again below
            }
        }
        if (interrupted) Thread.CurrentThread.Interrupt();
    }

    /// <summary>Wakes one thread that sleeps on the word. Without a futex, wakes all threads that share its monitor; each reads its word again.</summary>
    public static void Wake(ref int word)
    {
        int* address = (int*)Unsafe.AsPointer(ref word);
        if (UsesFutex)
        {
            _ = SysCall(FutexCall, address, FutexWakePrivate, 1, 0, 0, 0);
            return;
        }
        object monitor = MonitorOf(address);
        using (new UninterruptibleLock(monitor)) Monitor.PulseAll(monitor);
    }

    private static object MonitorOf(int* address) => Monitors[(int)(((ulong)address >> 6) % (uint)Monitors.Length)];

    private static bool HasFutex()
    {
        if (!OperatingSystem.IsLinux() || FutexCall == 0) return false;
        try
        {
            int word = 0;
            return SysCall(FutexCall, &word, FutexWakePrivate, 1, 0, 0, 0) == 0; // 0: no thread sleeps there
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    // Without SetLastError, because the caller looks again after any error.
    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SysCall(nint number, int* address, nint operation, nint value, nint timeout, nint address2, nint value3);
}
