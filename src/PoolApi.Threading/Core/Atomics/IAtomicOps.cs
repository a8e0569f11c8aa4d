namespace PoolApi.Threading.Core.Atomics;

/// <summary>
/// Every step of the pool's protocol that another thread can see or wait for. The pool runs on
/// <see cref="ProcessorOps"/>, which the compiler turns into the plain instructions; a test plugs in a scheduler that
/// decides, at every one of these steps, which thread continues and when a store becomes visible.
/// </summary>
/// <remarks>
/// The protocol may rely on this memory model, and on no more. Every read-modify-write is a full fence. A read is an acquire. A write is a
/// release that other threads may see late, because it stays in the processor's store buffer. They see a thread's writes in the order in which it
/// wrote them, and at the latest when that thread passes a fence or a read-modify-write, or when any thread fences all threads.
/// Integer words lie in pinned memory (<see cref="CacheLines"/>), except those of an item and those that are only changed by CompareExchange.
/// Flags are an item's.
/// </remarks>
internal interface IAtomicOps
{
    static abstract int Read(ref int word);

    static abstract bool Read(ref bool flag);

    static abstract long Read(ref long word);

    static abstract T? Read<T>(ref T? location)
        where T : class;

    /// <summary>A release store: seen by others later, at the latest at this thread's next fence or read-modify-write.</summary>
    static abstract void Write(ref int word, int value);

    /// <inheritdoc cref="Write(ref int, int)"/>
    static abstract void Write(ref bool flag, bool value);

    /// <summary>A release store.</summary>
    static abstract void Write(ref long word, long value);

    /// <inheritdoc cref="Write(ref long, long)"/>
    static abstract void Write<T>(ref T? location, T? value)
        where T : class;

    static abstract int Exchange(ref int word, int value);

    static abstract int CompareExchange(ref int word, int value, int comparand);

    static abstract long CompareExchange(ref long word, long value, long comparand);

    static abstract long Add(ref long word, long value);

    static abstract T? CompareExchange<T>(ref T? location, T? value, T? comparand)
        where T : class;

    static abstract T? Exchange<T>(ref T? location, T? value)
        where T : class;

    /// <summary>Everything written before is seen by others before anything is read after.</summary>
    static abstract void Fence();

    /// <summary>A full fence on every thread of the process. Costs microseconds, and spares the other threads their own.</summary>
    static abstract void FenceEveryThread();

    /// <summary>Other threads see the writes before the barrier before they see the writes after it.</summary>
    static abstract void WriteBarrier();

    /// <summary>This thread does the reads before the barrier before it does the reads after it.</summary>
    static abstract void ReadBarrier();

    /// <summary>Acquires the object's monitor. An interrupt of the thread is deferred until the thread next waits.</summary>
    static abstract void EnterLock(object monitor);

    /// <summary>Releases the object's monitor.</summary>
    static abstract void ExitLock(object monitor);

    /// <summary>Pauses for about 40 ns for each iteration, without access to the contended cache line.</summary>
    static abstract void Pause(int iterations);

    /// <summary>Lets another thread have the processor, if one is ready.</summary>
    static abstract void Yield();

    /// <summary>
    /// Sleeps until woken, if the word has the value. May return at any time without a reason, so the caller reads the word again.
    /// </summary>
    static abstract void Wait(ref int word, int value);

    /// <summary>Wakes one thread that sleeps on the word, if there is one.</summary>
    static abstract void Wake(ref int word);

    /// <summary>Pauses for a moment between two reads of a worker that spins. Returns false when the worker has spun for long enough.</summary>
    /// <param name="spin">The state of this wait: a new one at the first call, which this method updates.</param>
    static abstract bool KeepSpinning(ref SpinState spin);
}
