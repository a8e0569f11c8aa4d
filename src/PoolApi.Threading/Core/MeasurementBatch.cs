using System.Diagnostics;

using PoolApi.Threading.Core.Atomics;
namespace PoolApi.Threading.Core;

/// <summary>
/// What a worker has measured of tiny items and not yet recorded. Recording costs as much as several tiny items, most of it
/// the transfer of the listener's cache lines between workers that record at once; a worker that records a batch transfers
/// them once.
/// </summary>
/// <remarks>
/// Nothing is kept back from who looks: a batch is recorded when it is full, when its worker has nothing more to run, when its
/// items are no longer tiny, and whenever somebody collects the pool's metrics. Its lock is taken by its worker and by who
/// collects; code of listeners runs under it, as it does for any instrument's caller, and may come back to it.
/// </remarks>
internal sealed class MeasurementBatch
{
    private const int Size = 64;

    private readonly Measured[] _items = new Measured[Size];
    private int _count; // guarded by this object's lock; also read without it, as a guess

    public bool IsEmptyGuess => Volatile.Read(ref _count) == 0;

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
        if (IsEmptyGuess) return;
        using (new UninterruptibleLock(this)) RecordLocked(pool);
    }

    private void RecordLocked(PoolCore pool)
    {
        Debug.Assert(Monitor.IsEntered(this));
        int count = _count;
        Volatile.Write(ref _count, 0); // first: a listener that throws, or comes back to here, finds nothing twice
        Span<Measured> items = _items.AsSpan(0, count);
        // The current trace is another's.
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

/// <summary>What the instruments want to know of an item that has ended.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Outcome">How it ended, as the metrics say it.</param>
/// <param name="QueueTicks">How long it waited, in ticks of the pool's clock.</param>
/// <param name="RunTicks">How long it ran; −1 if it did not.</param>
internal readonly record struct Measured(string Kind, string Outcome, long QueueTicks, long RunTicks);
