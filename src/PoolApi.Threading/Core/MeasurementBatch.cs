using System.Diagnostics;

using PoolApi.Threading.Core.Atomics;
namespace PoolApi.Threading.Core;

/// <summary>
/// The measurements of tiny items that a worker has not yet recorded. Recording costs as much as several tiny items, most of it
/// the transfer of the listener's cache lines between workers that record at once; a worker that records a batch transfers
/// them once.
/// </summary>
/// <remarks>
/// A collection of the metrics sees every measurement: a batch is recorded when it is full, when its worker has nothing to run, when its
/// items are no longer tiny, and at each collection of the pool's metrics. The worker and the collector take its lock. Code of
/// listeners runs under this lock, unlike that of a plain instrument, and may re-enter it. While a listener collects, it must not hold a lock that its
/// callbacks take.
/// </remarks>
internal sealed class MeasurementBatch
{
    private const int Size = 64;

    private readonly Measured[] _items = new Measured[Size];
    private int _count; // guarded by this object's lock; also read without it, as an estimate

    public bool IsLikelyEmpty => Volatile.Read(ref _count) == 0;

    public void Add(PoolCore pool, in Measured measured)
    {
        using (new UninterruptibleLock(this))
        {
            _items[_count] = measured;
            Volatile.Write(ref _count, _count + 1);
            if (_count == Size) RecordLocked(pool);
        }
    }

    public void Record(PoolCore pool)
    {
        if (IsLikelyEmpty) return;
        using (new UninterruptibleLock(this)) RecordLocked(pool);
    }

    private void RecordLocked(PoolCore pool)
    {
        Debug.Assert(Monitor.IsEntered(this));
        int count = _count;
        Volatile.Write(ref _count, 0); // first, so that no measurement is recorded twice if a listener throws or re-enters
        Span<Measured> items = _items.AsSpan(0, count);
        // The current trace belongs to another item.
        Activity? current = Activity.Current;
        if (current is not null) Activity.Current = null;
        try
        {
            pool.Instruments.Ended(pool, items);
        }
        finally
        {
            if (current is not null) Activity.Current = current;
            items.Clear();
        }
    }
}

/// <summary>The measurements of an item that has ended.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Outcome">The outcome, as the metrics name it.</param>
/// <param name="QueueTicks">The queue time, in ticks of the pool's clock.</param>
/// <param name="RunTicks">The run time; −1 if it did not run.</param>
internal readonly record struct Measured(string Kind, string Outcome, long QueueTicks, long RunTicks);
