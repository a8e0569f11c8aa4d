using System.Collections.Concurrent;
using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Recording;
using Ring = PoolApi.Threading.Core.Recording.RecordRing<PoolApi.Threading.Core.Atomics.ProcessorOps, PoolApi.Threading.Core.Recording.ArraySlots<PoolApi.Threading.Core.Recording.ItemRecord>, PoolApi.Threading.Core.Recording.ItemRecord>;

namespace PoolApi.Threading.Core;

/// <summary>The pool's own records beside those of its workers: ends on no worker, counts of refusals, and the callback for the next work.</summary>
internal sealed class PoolRecords(PoolCore core, bool isOn)
{
    // The rings of 64 workers, in one pool or in several, take 7 MiB: 16 are large and 48 are small.
    private const int LargeRing = 4096;
    private const int SmallRing = 1024;
    private const int MostLargeRings = 16;

    private static int s_largeRings; // of the process

    private readonly CacheLines _lines = new(1);
    private readonly ConcurrentDictionary<string, RefusalCount> _refused = new(StringComparer.Ordinal);
    private int _ownLargeRings; // below zero once the pool has given them back
    private Ring? _elsewhere; // written under the lock
    private Action? _onWork;

    /// <summary>Whether the workers record what they do.</summary>
    public bool IsOn => isOn;

    /// <summary>Called before a ring is made; a test makes it fail.</summary>
    public Action? RingMaking { get; set; }

    /// <summary>The capacity of a worker's ring.</summary>
    public int RingCapacity()
    {
        // A ring that late work creates after the stop would never be given back, so it is small.
        if (Interlocked.Increment(ref s_largeRings) <= MostLargeRings && Interlocked.Increment(ref _ownLargeRings) > 0) return LargeRing;
        Interlocked.Decrement(ref s_largeRings);
        return SmallRing;
    }

    /// <summary>Makes a ring for a worker.</summary>
    /// <returns>Null if there is no memory for it.</returns>
    public Ring? TryMakeRing()
    {
        int capacity = RingCapacity();
        Ring? ring = TryMakeRing(capacity);
        if (ring is null && capacity == LargeRing) GiveBackLargeRing();
        return ring;
    }

    /// <summary>
    /// Returns the pool's large rings to the process's limit when the pool has stopped, so that another pool may create large rings. Their
    /// memory is freed with the pool.
    /// </summary>
    public void Release() => Interlocked.Add(ref s_largeRings, -Math.Max(0, Interlocked.Exchange(ref _ownLargeRings, int.MinValue)));

    /// <summary>Registers a callback that runs once, on a worker's thread, when a worker next takes an item.</summary>
    /// <remarks>
    /// A worker takes an item under the gate, a full fence, and then reads the callback. The caller sets it, passes a fence, and then reads the
    /// pool under the gate. So either the worker sees the callback, or the caller sees the item.
    /// </remarks>
    public void OnWork(Action callback)
    {
        Volatile.Write(ref _onWork, callback);
        Interlocked.MemoryBarrier(); // pairs with the gate before NoteWork
    }

    /// <summary>A worker has taken an item at the gate.</summary>
    public void NoteWork()
    {
        if (Volatile.Read(ref _onWork) is not null) Interlocked.Exchange(ref _onWork, null)?.Invoke();
    }

    /// <summary>Records an item that has ended on no worker, before it is notified. Not called under the gate.</summary>
    public void EndedElsewhere(PoolWorkItem item, WorkOutcome outcome)
    {
        var record = new ItemRecord
        {
            Kind = PoolInstruments.KindOf(item),
            Origin = WorkerRecorder.OriginOf(item),
            Trace = WorkerRecorder.TraceOf(item),
            Mark = item.SubmittedAt,
            Started = item.StartedAt,
            Ended = item.EndedAt == 0 ? core.Clock.Now : item.EndedAt,
            Count = 1,
            Form = RecordForm.End,
            Outcome = outcome,
        };
        // Not under the lock, where an exception would leave it held. Without memory the record is left out: the end must be notified anyway.
        Ring? made = Volatile.Read(ref _elsewhere) is null ? TryMakeRing(SmallRing) : null;
        Gate<ProcessorOps>.Enter(ref _lines.Int(0));
        Ring? ring = _elsewhere;
        if (ring is null && made is not null) Volatile.Write(ref _elsewhere, ring = made);
        ring?.Write(record);
        Gate<ProcessorOps>.Exit(ref _lines.Int(0));
    }

    /// <summary>Reads the ends on no worker. Thread-safe.</summary>
    /// <inheritdoc cref="RecordRing{TOps, TSlots, TEntry}.Read"/>
    public int ReadElsewhere(ref int cursor, List<ItemRecord> into) => Volatile.Read(ref _elsewhere)?.Read(ref cursor, into) ?? 0;

    public void Refused(string reason, int items)
    {
        RefusalCount count = _refused.GetOrAdd(reason, static _ => new RefusalCount());
        count.Add(items);
    }

    /// <summary>The number of refusals so far, by reason.</summary>
    public IEnumerable<KeyValuePair<string, long>> Refusals => _refused.Select(static r => KeyValuePair.Create(r.Key, r.Value.Total));

    private Ring? TryMakeRing(int capacity)
    {
        try
        {
            RingMaking?.Invoke();
            return new Ring(new ArraySlots<ItemRecord>(capacity), capacity);
        }
        catch (OutOfMemoryException)
        {
            return null;
        }
    }

    private void GiveBackLargeRing()
    {
        int own;
        do
        {
            own = Volatile.Read(ref _ownLargeRings);
            if (own <= 0) return; // Release has given it back
        }
        while (Interlocked.CompareExchange(ref _ownLargeRings, own - 1, own) != own);
        Interlocked.Decrement(ref s_largeRings);
    }

    /// <summary>A counter for many concurrent submitters: a few words, each on its own cache lines.</summary>
    private sealed class RefusalCount
    {
        private const int Stripes = 4;
        private const int Spacing = 16; // longs: 128 bytes

        private readonly long[] _counts = new long[(Stripes + 1) * Spacing];

        public long Total
        {
            get
            {
                long sum = 0;
                for (int i = 1; i <= Stripes; i++) sum += Volatile.Read(ref _counts[i * Spacing]);
                return sum;
            }
        }

        public void Add(int items) => Interlocked.Add(ref _counts[((Thread.GetCurrentProcessorId() & (Stripes - 1)) + 1) * Spacing], items);
    }
}
