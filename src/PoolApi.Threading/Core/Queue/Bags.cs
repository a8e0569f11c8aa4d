using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// Where items are so tiny that taking each under the gate costs more than running it, a worker takes a few along, and runs
/// them without coming back.
/// </summary>
/// <remarks>
/// What is in a bag waits like any other item: it is cancelled, expires, is counted and handed back; and it is not the
/// worker's own, should one of its items turn out to be long. Each bag has a gate of its own, that its worker takes alone and
/// whoever wants something of it takes under the queue's. A worker that finds the lanes empty empties the bags into them
/// before it rests; so does everything that looks at what waits. So for all but the order within the same moment a bag is a
/// part of the normal lane. Only normal items are carried, and only while nothing else waits.
/// </remarks>
internal struct Bags<TOps>(Crew crew)
    where TOps : struct, IAtomicOps
{
    private long _filled; // bags, ever

    /// <summary>Whether a worker carries anything. Under the gate "no" is certain: bags are filled there alone.</summary>
    public readonly bool AnyGuess
    {
        get
        {
            foreach (QueueWorker worker in crew.All)
            {
                if (worker.HasBagGuess) return true;
            }
            return false;
        }
    }

    /// <summary>Called by a worker that has nothing in hand, not under the gate: the next item in its bag, if there is one to be run.</summary>
    public static bool TryTake(QueueWorker worker, object owner, long now, out Assignment assignment)
    {
        if (worker.HasBagGuess)
        {
            Gate<TOps>.Enter(ref worker.BagGate);
            // One that has waited too long is the queue's to end: Next takes the bag back.
            if (worker.Bag.First is { } item && item.ExpiresAt > now)
            {
                item.State = WorkItemState.InFlight;
                worker.TakeInHand(item, owner, now, isStart: true);
                // In this order: who looks without this gate looks into the bag first, and finds it there or in the hand.
                Volatile.WriteBarrier();
                worker.Bag.RemoveFirst();
                Gate<TOps>.Exit(ref worker.BagGate);
                assignment = new Assignment(item, null, null);
                return true;
            }
            Gate<TOps>.Exit(ref worker.BagGate);
        }
        assignment = default;
        return false;
    }

    /// <summary>The worker takes a few along, if only normal items wait and enough for all.</summary>
    public void Fill(QueueWorker worker, Carry carry, ref Lanes lanes)
    {
        if (carry.Most == 0 || !lanes.IsAllNormal || lanes.TakesNewestFirst) return;
        int count = Math.Min(carry.Most, lanes.Count - (carry.LeaveForEach * crew.Live));
        if (count <= 0) return;
        worker.BagNumber = ++_filled;
        Gate<TOps>.Enter(ref worker.BagGate);
        for (; count > 0; count--)
        {
            PoolWorkItem item = lanes.TakeNormal();
            // An asynchronous item's start is counted under the queue's gate; one with a limit of its own is in the heap.
            // One that blocked workers may wait for must not wait in the bag of a worker that blocks.
            if (item.IsAsync || item.ExpiryIndex != 0 || item.Depth != 0)
            {
                lanes.PutBackNormal(item);
                break;
            }
            worker.Bag.AddLast(item);
        }
        Gate<TOps>.Exit(ref worker.BagGate);
    }

    /// <summary>
    /// Whatever the workers carry waits in its lane again, ahead of what came later: each bag is a run of items that came one
    /// after the other, so the last one filled goes back first.
    /// </summary>
    public readonly void EmptyAll(ref Lanes lanes)
    {
        while (true)
        {
            QueueWorker? last = null;
            foreach (QueueWorker worker in crew.All)
            {
                if (worker.HasBagGuess && (last is null || worker.BagNumber > last.BagNumber)) last = worker;
            }
            if (last is null) return;
            Empty(last, ref lanes);
        }
    }

    public static void Empty(QueueWorker worker, ref Lanes lanes)
    {
        Gate<TOps>.Enter(ref worker.BagGate);
        lanes.PutBackNormal(ref worker.Bag);
        Gate<TOps>.Exit(ref worker.BagGate);
    }
}
