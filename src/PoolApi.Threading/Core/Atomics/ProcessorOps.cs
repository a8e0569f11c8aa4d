using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace PoolApi.Threading.Core.Atomics;

/// <summary>The steps as the processor and the kernel do them. Nothing here costs more than the instruction it names.</summary>
internal readonly struct ProcessorOps : IAtomicOps
{
    /// <summary>
    /// 3 µs of spinning: about what a caller needs to see its result and submit again.
    /// </summary>
    private static readonly long SpinTicks = Stopwatch.Frequency * 3 / 1_000_000;

    /// <summary>
    /// 50 µs in all: about what it takes until a thread that was woken runs. Longer cannot pay (the ski-rental bound). After
    /// the spinning each look gives the core away, so that it takes nothing from whoever would bring the work.
    /// </summary>
    private static readonly long LookTicks = Stopwatch.Frequency * 50 / 1_000_000;

    /// <summary>
    /// But so many looks at least. Where others use the core that is given away, the time goes by without a look, and the work
    /// that they bring meanwhile would find this thread asleep.
    /// </summary>
    private const int FewestYields = 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Read(ref int word) => Volatile.Read(ref word);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Read(ref long word) => Volatile.Read(ref word);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T? Read<T>(ref T? place)
        where T : class => Volatile.Read(ref place);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref int word, int value) => Volatile.Write(ref word, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref long word, long value) => Volatile.Write(ref word, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(ref T? place, T? value)
        where T : class => Volatile.Write(ref place, value);

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
    public static T? CompareExchange<T>(ref T? place, T? value, T? comparand)
        where T : class => Interlocked.CompareExchange(ref place, value, comparand);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T? Exchange<T>(ref T? place, T? value)
        where T : class => Interlocked.Exchange(ref place, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fence() => Interlocked.MemoryBarrier();

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
