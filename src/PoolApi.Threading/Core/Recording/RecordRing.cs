using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Recording;

/// <summary>
/// The last entries that one thread wrote. The writer never waits and never fails: it overwrites the oldest. Readers are other threads;
/// they copy entries and then determine which of them may have been overwritten meanwhile.
/// </summary>
/// <remarks>
/// <code>
///   writer:  begun = n + 1 ──► the entry, in slot n ──► done = n + 1
///   reader:  done ──► the entries below it ──► begun: those more than a lap below it do not count
/// </code>
/// <para>Invariant: a reader that copied any part of entry n reads begun &gt; n afterwards. So an entry counts only if no entry a lap above it
/// had been begun when the copy was complete.</para>
/// <para>One writer at a time. The next writer (a worker's next thread, the next owner of a lock) sees what the previous one wrote. The counts
/// have 32 bits and wrap around, so only their differences are compared.</para>
/// </remarks>
/// <param name="slots">The slots of the entries.</param>
/// <param name="capacity">The number of slots, a power of two.</param>
/// <param name="first">The number of the first entry.</param>
internal sealed class RecordRing<TOps, TSlots, TEntry>(TSlots slots, int capacity, int first = 0)
    where TOps : struct, IAtomicOps
    where TSlots : IRingSlots<TEntry>
{
    private const int Begun = 0;
    private const int Done = 1;

    private readonly CacheLines _words = Words(first);
    private int _next = first; // the writer's own

    public int Capacity => capacity;

    /// <summary>Adds an entry. Called by the writer only.</summary>
    public void Write(in TEntry entry)
    {
        int next = _next + 1;
        TOps.Write(ref _words.Int(Begun), next); // fault point: record-begin
        Volatile.WriteBarrier(); // Begun is written before any part of the entry; pairs with the ReadBarrier in Read
        slots.Store(_next & (capacity - 1), entry); // fault point: record-store
        // A release: the entry is written before this number. Pairs with the first Read in Read, an acquire.
        TOps.Write(ref _words.Int(Done), next); // fault point: record-done
        _next = next; // fault point: record-next
    }

    /// <summary>Copies the entries from the cursor on, oldest first. Thread-safe.</summary>
    /// <param name="cursor">The number of the first entry to read, from 0. Advanced to the next one.</param>
    /// <param name="into">The list to which they are added.</param>
    /// <returns>The number of entries from the cursor on that were overwritten.</returns>
    public int Read(ref int cursor, List<TEntry> into)
    {
        int done = TOps.Read(ref _words.Int(Done));
        uint missed = (uint)(done - cursor);
        int from = missed > (uint)capacity ? done - capacity : cursor;
        int before = into.Count;
        for (int i = from; i != done; i++) into.Add(slots.Load(i & (capacity - 1)));
        Volatile.ReadBarrier(); // the entries are read before Begun; pairs with the WriteBarrier in Write
        int begun = TOps.Read(ref _words.Int(Begun)); // fault point: read-begun
        int torn = Math.Clamp(begun - capacity - from, 0, done - from);
        into.RemoveRange(before, torn);
        int lost = (int)Math.Min((uint)(from - cursor) + (uint)torn, int.MaxValue);
        cursor = done;
        return lost;
    }

    private static CacheLines Words(int first)
    {
        var words = new CacheLines(2);
        words.Int(Begun) = words.Int(Done) = first;
        return words;
    }
}

/// <summary>The slots of a ring. An entry is stored and loaded in pieces, so a load may mix two entries; the ring detects that.</summary>
internal interface IRingSlots<TEntry>
{
    void Store(int slot, in TEntry entry);

    TEntry Load(int slot);
}

/// <summary>An array of entries.</summary>
internal readonly struct ArraySlots<TEntry>(int capacity) : IRingSlots<TEntry>
{
    private readonly TEntry[] _entries = new TEntry[capacity];

    public void Store(int slot, in TEntry entry) => _entries[slot] = entry;

    public TEntry Load(int slot) => _entries[slot];
}
