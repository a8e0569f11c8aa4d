using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace PoolApi.Threading.Core.Atomics;

/// <summary>The steps as instructions of the processor and calls of the kernel. None costs more than the instruction that it names.</summary>
internal readonly struct ProcessorOps : IAtomicOps
{
    /// <summary>
    /// The time of spinning, 3 µs: about what a caller needs to take its result and submit again.
    /// </summary>
    private static readonly long SpinTicks = Stopwatch.Frequency * 3 / 1_000_000;

    /// <summary>
    /// The time until a worker goes to sleep, 50 µs: about what a woken thread needs until it runs. Longer does not pay (the ski-rental bound).
    /// After the spinning, the worker yields its core between two reads, so that it does not slow the thread that submits the next item.
    /// </summary>
    private static readonly long LookTicks = Stopwatch.Frequency * 50 / 1_000_000;

    /// <summary>
    /// The minimum number of yields. If other threads use the yielded core, the time passes without a read, and work that is submitted
    /// meanwhile would find this thread asleep.
    /// </summary>
    private const int FewestYields = 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Read(ref int word) => Volatile.Read(ref word);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Read(ref bool flag) => Volatile.Read(ref flag);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Read(ref long word) => Volatile.Read(ref word);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T? Read<T>(ref T? location)
        where T : class => Volatile.Read(ref location);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref int word, int value) => Volatile.Write(ref word, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref bool flag, bool value) => Volatile.Write(ref flag, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref long word, long value) => Volatile.Write(ref word, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(ref T? location, T? value)
        where T : class => Volatile.Write(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Exchange(ref int word, int value) => Interlocked.Exchange(ref word, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CompareExchange(ref int word, int value, int comparand) => Interlocked.CompareExchange(ref word, value, comparand);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long CompareExchange(ref long word, long value, long comparand) =>
        Interlocked.CompareExchange(ref word, value, comparand);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Add(ref long word, long value) => Interlocked.Add(ref word, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T? CompareExchange<T>(ref T? location, T? value, T? comparand)
        where T : class => Interlocked.CompareExchange(ref location, value, comparand);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T? Exchange<T>(ref T? location, T? value)
        where T : class => Interlocked.Exchange(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fence() => Interlocked.MemoryBarrier();

    public static void FenceEveryThread() => Interlocked.MemoryBarrierProcessWide();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WriteBarrier() => Volatile.WriteBarrier();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ReadBarrier() => Volatile.ReadBarrier();

    public static void EnterLock(object monitor) => UninterruptibleLock.Enter(monitor);

    public static void ExitLock(object monitor) => Monitor.Exit(monitor);

    public static void Pause(int iterations) => Thread.SpinWait(iterations);

    public static void Yield() => Thread.Yield();

    public static void Wait(ref int word, int value) => ThreadSleep.Wait(ref word, value);

    public static void Wake(ref int word) => ThreadSleep.Wake(ref word);

    public static bool KeepSpinning(ref SpinState spin)
    {
        long now = Stopwatch.GetTimestamp();
        if (spin.Since == 0) spin.Since = now;
        long spent = now - spin.Since;
        if (spent < SpinTicks)
        {
            Thread.SpinWait(2);
            return true;
        }
        Thread.Yield();
        return ++spin.Yields < FewestYields || spent < LookTicks;
    }
}
