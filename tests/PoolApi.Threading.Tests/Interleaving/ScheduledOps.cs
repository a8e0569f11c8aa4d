using System.Runtime.CompilerServices;
using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>
/// The atomic steps of the protocol under a scheduler: another thread may continue before each step, and after each step that other
/// threads can see. A store stays in the thread's store buffer until chance or a fence publishes it.
/// Outside a schedule (during its setup and its check) the steps are plain.
/// </summary>
internal readonly unsafe struct ScheduledOps : IAtomicOps
{
    public static int Read(ref int word)
    {
        if (VirtualThread.Current is not { } thread) return word;
        thread.Schedule.Step(thread);
        Place place = thread.Schedule.PlaceOf(ref word);
        int value = thread.Load(place);
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, $"Read {thread.Schedule.NameOf(place)}: {value}");
        return value;
    }

    public static bool Read(ref bool flag)
    {
        if (VirtualThread.Current is not { } thread) return flag;
        thread.Schedule.Step(thread);
        Place place = thread.Schedule.PlaceOf(ref flag);
        bool value = thread.LoadFlag(place);
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, $"Read {thread.Schedule.NameOf(place)}: {value}");
        return value;
    }

    public static long Read(ref long word)
    {
        if (VirtualThread.Current is not { } thread) return word;
        thread.Schedule.Step(thread);
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, $"Read long: {word}");
        return word;
    }

    public static T? Read<T>(ref T? location)
        where T : class
    {
        if (VirtualThread.Current is not { } thread) return location;
        thread.Schedule.Step(thread);
        T? value = thread.HasStores && thread.Schedule.FieldOfItem(ref location) is { } field ? (T?)thread.LoadReference(field) : location;
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, $"Read reference: {value ?? (object)"null"}");
        return value;
    }

    public static void Write(ref int word, int value)
    {
        if (VirtualThread.Current is not { } thread)
        {
            word = value;
            return;
        }
        thread.Schedule.Step(thread);
        Place place = thread.Schedule.PlaceOf(ref word);
        thread.Store(place, value);
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, $"Write {thread.Schedule.NameOf(place)} = {value}");
    }

    public static void Write(ref bool flag, bool value)
    {
        if (VirtualThread.Current is not { } thread)
        {
            flag = value;
            return;
        }
        thread.Schedule.Step(thread);
        Place place = thread.Schedule.PlaceOf(ref flag);
        thread.Store(place, value);
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, $"Write {thread.Schedule.NameOf(place)} = {value}");
    }

    /// <summary>Other threads see the store at once: the word is not pinned, so the store cannot stay in a buffer.</summary>
    public static void Write(ref long word, long value)
    {
        if (VirtualThread.Current is { } thread)
        {
            thread.Schedule.Step(thread);
            if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, $"Write long = {value}");
        }
        word = value;
    }

    /// <summary>Other threads may see a field of an item late, and any other reference at once: it is not pinned, so no buffer can hold it.</summary>
    public static void Write<T>(ref T? location, T? value)
        where T : class
    {
        if (VirtualThread.Current is { } thread)
        {
            thread.Schedule.Step(thread);
            if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, $"Write reference = {value ?? (object)"null"}");
            if (thread.Schedule.FieldOfItem(ref location) is { } field)
            {
                thread.Store(field, value);
                return;
            }
        }
        location = value;
    }

    public static int Exchange(ref int word, int value)
    {
        if (Before() is not { } thread) return Swap(ref word, value);
        int was = Swap(ref word, value);
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, $"Exchange {NameOf(ref word)}: {was} → {value}");
        thread.Schedule.Step(thread);
        return was;
    }

    public static int CompareExchange(ref int word, int value, int comparand)
    {
        VirtualThread? thread = Before();
        int was = word;
        if (was == comparand) word = value;
        if (thread is null) return was;
        if (thread.Schedule.IsTracing)
            thread.Schedule.Trace(thread, $"CompareExchange {thread.Schedule.NameOfIfKnown(Address(ref word))}: {was}{(was == comparand ? $" → {value}" : ", refused")}");
        thread.Schedule.Step(thread);
        return was;
    }

    public static long CompareExchange(ref long word, long value, long comparand)
    {
        VirtualThread? thread = Before();
        long was = word;
        if (was == comparand) word = value;
        if (thread is null) return was;
        if (thread.Schedule.IsTracing)
            thread.Schedule.Trace(thread, $"CompareExchange long: {was}{(was == comparand ? $" → {value}" : ", refused")}");
        thread.Schedule.Step(thread);
        return was;
    }

    public static long Add(ref long word, long value)
    {
        VirtualThread? thread = Before();
        long now = word += value;
        if (thread is null) return now;
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, $"Add {value}: {now}");
        thread.Schedule.Step(thread);
        return now;
    }

    public static T? CompareExchange<T>(ref T? location, T? value, T? comparand)
        where T : class
    {
        VirtualThread? thread = Before();
        T? was = location;
        bool same = ReferenceEquals(was, comparand);
        if (same) location = value;
        if (thread is null) return was;
        if (thread.Schedule.IsTracing)
            thread.Schedule.Trace(thread, $"CompareExchange reference: {was ?? (object)"null"}{(same ? $" → {value ?? (object)"null"}" : ", refused")}");
        thread.Schedule.Step(thread);
        return was;
    }

    public static T? Exchange<T>(ref T? location, T? value)
        where T : class
    {
        VirtualThread? thread = Before();
        T? was = location;
        location = value;
        if (thread is null) return was;
        if (thread.Schedule.IsTracing)
            thread.Schedule.Trace(thread, $"Exchange reference: {was ?? (object)"null"} → {value ?? (object)"null"}");
        thread.Schedule.Step(thread);
        return was;
    }

    public static void Fence()
    {
        if (Before() is { } thread && thread.Schedule.IsTracing) thread.Schedule.Trace(thread, "Fence");
    }

    public static void FenceEveryThread()
    {
        if (Before() is not { } thread) return;
        thread.Schedule.FlushEveryThread();
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, "FenceEveryThread");
        thread.Schedule.Step(thread);
    }

    /// <summary>Does nothing: stores become visible in the order of the thread that wrote them.</summary>
    public static void WriteBarrier() { }

    /// <summary>Does nothing: each read takes place where it stands.</summary>
    public static void ReadBarrier() { }

    public static void EnterLock(object monitor)
    {
        if (Before() is not { } thread)
        {
            Monitor.Enter(monitor);
            return;
        }
        while (!Monitor.TryEnter(monitor)) thread.Schedule.StepAside(thread);
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, "EnterLock");
    }

    public static void ExitLock(object monitor)
    {
        VirtualThread? thread = Before();
        Monitor.Exit(monitor);
        if (thread is null) return;
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, "ExitLock");
        thread.Schedule.Step(thread);
    }

    public static void Pause(int iterations)
    {
        if (VirtualThread.Current is { } thread) thread.Schedule.StepAside(thread);
    }

    public static void Yield()
    {
        if (VirtualThread.Current is { } thread) thread.Schedule.StepAside(thread);
    }

    public static void Wait(ref int word, int value)
    {
        if (Before() is not { } thread) throw new InvalidOperationException("Outside a schedule no thread could wake the sleeper.");
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, $"Wait {NameOf(ref word)} while {value}: it is {word}");
        if (word == value) thread.Schedule.Sleep(thread, Address(ref word));
    }

    public static void Wake(ref int word)
    {
        if (Before() is not { } thread) return;
        if (thread.Schedule.IsTracing) thread.Schedule.Trace(thread, $"Wake {NameOf(ref word)}");
        thread.Schedule.Wake(Address(ref word));
        thread.Schedule.Step(thread);
    }

    public static bool KeepSpinning(ref SpinState spin)
    {
        if (VirtualThread.Current is not { } thread) return false;
        thread.Schedule.StepAside(thread);
        return ++spin.Yields <= thread.Schedule.Looks;
    }

    /// <summary>A place between two plain accesses of shared memory where another thread may continue.</summary>
    public static void Spot()
    {
        if (VirtualThread.Current is { } thread) thread.Schedule.Step(thread);
    }

    private static VirtualThread? Before()
    {
        if (VirtualThread.Current is not { } thread) return null;
        thread.Schedule.Step(thread);
        thread.FlushAll();
        return thread;
    }

    private static int Swap(ref int word, int value)
    {
        int was = word;
        word = value;
        return was;
    }

    private static int* Address(ref int word) => (int*)Unsafe.AsPointer(ref word); // pinned, see CacheLines

    private static string NameOf(ref int word) => VirtualThread.Current!.Schedule.NameOf(Address(ref word));
}
