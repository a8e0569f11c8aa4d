using PoolApi.Threading;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>
/// Posts items that it uses again and again, which is how this pool is used where an allocation for each item is too much.
/// </summary>
/// <remarks>
/// The items form a ring in the order in which they were posted; an item gives itself back by a flag. Rejected: a stack that
/// the workers push onto and the producer pops from, because its head would be a cache line that every item fights for, a
/// cost that no peer has; the flag is on a line that the worker has just used and the producer is about to.
/// The pool takes items roughly in order, so the oldest is the one most likely free: usually the first look finds it. A ring
/// of a fixed size would have to be as large as the queue for each producer, and producers would walk through memory that
/// the queue does not need; so it grows, when none of the oldest is free, to what the queue's depth demands. Whoever
/// measures posts enough beforehand.
/// </remarks>
internal sealed class ReusedItemProducer : IProducer
{
    // An item may be held back, by a worker that the system has taken the processor from, while those after it have ended.
    // It is looked past: so far, and no further, or a full queue would be walked for nothing.
    private const int Lookahead = 16;

    private readonly FixedThreadPool _pool;
    private readonly Action _work;
    private readonly bool _isTimed;
    private ReusedItem _last;

    public ReusedItemProducer(FixedThreadPool pool, Action work, bool isTimed)
    {
        _pool = pool;
        _work = work;
        _isTimed = isTimed;
        _last = new ReusedItem(work, isTimed);
        _last.NextInRing = _last;
    }

    public void Post(int count)
    {
        for (int i = 0; i < count; i++)
        {
            ReusedItem item = NextFree();
            item.Take();
            while (!_pool.TrySubmit(item))
            {
                if (!_pool.WaitForSpaceAsync().AsTask().GetAwaiter().GetResult()) throw new InvalidOperationException("The pool was closed.");
            }
        }
    }

    private ReusedItem NextFree()
    {
        ReusedItem item = _last.NextInRing!;
        for (int i = 0; i < Lookahead; i++)
        {
            if (item.IsFree) return _last = item;
            item = item.NextInRing!;
        }
        var made = new ReusedItem(_work, _isTimed) { NextInRing = _last.NextInRing };
        _last.NextInRing = made;
        return _last = made;
    }
}
