using PoolApi.Threading;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>
/// Posts items that it reuses, as code does that must not allocate for each item.
/// </summary>
/// <remarks>
/// The items form a ring in the order in which they were posted, and a flag marks an item as free. Rejected: a stack that the
/// workers push onto and the producer pops from. All items would contend for the cache line of its head, a cost that no peer
/// has. The flag is on a line that the worker has just used and the producer uses next.
/// The pool takes items roughly in order, so the oldest item is most likely free, and usually the first check finds it. A ring
/// of a fixed size would have to be as large as the queue for each producer, and producers would walk through memory that
/// the queue does not need. So the ring grows, when none of the oldest items is free, to the size that the queue's depth
/// needs. A measurement posts enough items beforehand.
/// </remarks>
internal sealed class ReusedItemProducer : IProducer
{
    // A preempted worker may still hold an item while those after it have ended. The producer skips at most this many items.
    // Without the limit it would walk through a full queue in vain.
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
