using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// Local batches: if items are so tiny that taking each under the gate costs more than running it, a worker takes a few at once and runs
/// them without passing the gate.
/// </summary>
/// <remarks>
/// An item in a local batch is queued like any other: it can be cancelled, expires, is counted and handed back. Other workers can still take it
/// if an item of its worker turns out to be long. Each local batch has a gate of its own, which its worker takes alone and other threads take
/// under the queue's gate. A worker that finds the lanes empty moves all local batches back into them before it sleeps, and so does every
/// view of the queued items. So a local batch is a part of the normal lane, except for small changes in the order. It has only normal items,
/// and a worker fills it only while no item of another priority is queued.
/// </remarks>
internal struct LocalBatches<TOps>(WorkerRegistry<TOps> registry)
    where TOps : struct, IAtomicOps
{
    private long _filled; // the number of batches ever filled

    /// <summary>Whether a worker has a local batch. Under the gate "no" is certain, because local batches are filled only there.</summary>
    public readonly bool LikelyAny
    {
        get
        {
            foreach (QueueWorker worker in registry.All)
            {
                if (worker.LikelyHasBatch<TOps>()) return true;
            }
            return false;
        }
    }

    /// <summary>Called by a worker without an item, not under the gate: takes the next item of its local batch, if there is one to run.</summary>
    public static bool TryTake(QueueWorker worker, object owner, long now, out Assignment assignment)
    {
        if (worker.LikelyHasBatch<TOps>())
        {
            Gate<TOps>.Enter(ref worker.BatchGate);
            // An expired item stays in the batch: the queue ends it, after Next has taken the batch back.
            if (worker.LocalBatch.First is { } item && item.ExpiresAt > now)
            {
                item.State = WorkItemState.InFlight;
                worker.TakeInHand<TOps>(item, owner, now, isStart: true); // fault point: batch-take
                // In this order: a thread without this gate reads the local batch first, then the worker's item, and finds the item in one of the two.
                TOps.WriteBarrier();
                worker.LocalBatch.RemoveFirst(); // fault point: batch-remove
                Gate<TOps>.Exit(ref worker.BatchGate);
                assignment = new Assignment(item, null, null); // fault point: batch-taken
                return true;
            }
            Gate<TOps>.Exit(ref worker.BatchGate);
        }
        assignment = default;
        return false;
    }

    /// <summary>The worker fills its local batch if only normal items are queued, and enough of them for all workers.</summary>
    public void Fill(QueueWorker worker, BatchPolicy batchPolicy, ref Lanes lanes)
    {
        if (batchPolicy.Most == 0 || !lanes.IsAllNormal || lanes.TakesNewestFirst) return;
        int count = Math.Min(batchPolicy.Most, lanes.Count - (batchPolicy.LeaveForEach * registry.Live));
        if (count <= 0) return;
        worker.BatchNumber = ++_filled;
        Gate<TOps>.Enter(ref worker.BatchGate);
        for (; count > 0; count--)
        {
            PoolWorkItem item = lanes.TakeNormal();
            // Left out: asynchronous items, whose start is counted under the queue's gate, and items with a limit of their own, which are in the heap.
            // Left out: items that blocked workers may wait for, since they must not be in the local batch of a worker that blocks.
            if (item.IsAsync || item.ExpiryIndex != 0 || item.Depth != 0)
            {
                lanes.PutBackNormal(item);
                break;
            }
            worker.LocalBatch.AddLast(item);
        }
        Gate<TOps>.Exit(ref worker.BatchGate);
    }

    /// <summary>
    /// Moves all local batches back into the lane, ahead of later items. Each local batch is a run of consecutive items,
    /// so the batch that was filled last goes back first.
    /// </summary>
    public readonly void EmptyAll(ref Lanes lanes)
    {
        while (true)
        {
            QueueWorker? last = null;
            foreach (QueueWorker worker in registry.All)
            {
                if (worker.LikelyHasBatch<TOps>() && (last is null || worker.BatchNumber > last.BatchNumber)) last = worker;
            }
            if (last is null) return;
            Empty(last, ref lanes);
        }
    }

    public static void Empty(QueueWorker worker, ref Lanes lanes)
    {
        Gate<TOps>.Enter(ref worker.BatchGate);
        lanes.PutBackNormal(ref worker.LocalBatch);
        Gate<TOps>.Exit(ref worker.BatchGate);
    }
}
