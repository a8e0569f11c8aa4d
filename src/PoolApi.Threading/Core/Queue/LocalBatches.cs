using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// Where items are so tiny that taking each under the gate costs more than running it, a worker takes a few along, and runs
/// them without coming back.
/// </summary>
/// <remarks>
/// What is in a local batch waits like any other item: it is cancelled, expires, is counted and handed back; and it is not the
/// worker's own, should one of its items turn out to be long. Each local batch has a gate of its own, that its worker takes alone and
/// whoever wants something of it takes under the queue's. A worker that finds the lanes empty empties the local batches into them
/// before it rests; so does everything that looks at what waits. So for all but the order within the same moment a local batch is a
/// part of the normal lane. Only normal items are carried, and only while nothing else waits.
/// </remarks>
internal struct LocalBatches<TOps>(WorkerRegistry<TOps> registry)
    where TOps : struct, IAtomicOps
{
    private long _filled; // batches, ever

    /// <summary>Whether a worker carries anything. Under the gate "no" is certain: local batches are filled there alone.</summary>
    public readonly bool AnyGuess
    {
        get
        {
            foreach (QueueWorker worker in registry.All)
            {
                if (worker.HasBatchGuess<TOps>()) return true;
            }
            return false;
        }
    }

    /// <summary>Called by a worker that has nothing in hand, not under the gate: the next item in its local batch, if there is one to be run.</summary>
    public static bool TryTake(QueueWorker worker, object owner, long now, out Assignment assignment)
    {
        if (worker.HasBatchGuess<TOps>())
        {
            Gate<TOps>.Enter(ref worker.BatchGate);
            // One that has waited too long is the queue's to end: Next takes the local batch back.
            if (worker.LocalBatch.First is { } item && item.ExpiresAt > now)
            {
                item.State = WorkItemState.InFlight;
                worker.TakeInHand<TOps>(item, owner, now, isStart: true); // fault point: batch-take
                // In this order: who looks without this gate looks into the local batch first, and finds it there or in the hand.
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

    /// <summary>The worker takes a few along, if only normal items wait and enough for all.</summary>
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
            // An asynchronous item's start is counted under the queue's gate; one with a limit of its own is in the heap.
            // One that blocked workers may wait for must not wait in the local batch of a worker that blocks.
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
    /// Whatever the workers carry waits in its lane again, ahead of what came later: each local batch is a run of items that came one
    /// after the other, so the last one filled goes back first.
    /// </summary>
    public readonly void EmptyAll(ref Lanes lanes)
    {
        while (true)
        {
            QueueWorker? last = null;
            foreach (QueueWorker worker in registry.All)
            {
                if (worker.HasBatchGuess<TOps>() && (last is null || worker.BatchNumber > last.BatchNumber)) last = worker;
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
