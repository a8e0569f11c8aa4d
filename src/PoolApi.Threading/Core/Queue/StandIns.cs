using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The stand-ins, which run only work that blocked workers wait for: the idle ones, and the depth that each may run. Guarded by the gate.
/// </summary>
/// <remarks>
/// A chain of items that wait for each other needs a worker for each link. If every stand-in ran the first link of another chain,
/// none would be left for a second link, and no chain would end. So at most half of the stand-ins (rounded up) run work of depth 1 at a time, at most
/// three quarters work of depth 2 or less, and so on. If there has been no progress for a while, every stand-in may run work of any depth.
/// </remarks>
internal struct StandIns<TOps>(WorkerRegistry<TOps> registry)
    where TOps : struct, IAtomicOps
{
    private SleeperStack _resting;

    /// <summary>The most stand-ins.</summary>
    public int Most { get; set; }

    /// <summary>Whether every stand-in may run work of any depth, because reserving some has not helped.</summary>
    public bool IsUnreserved { get; set; }

    public readonly int Resting => _resting.Count;

    /// <summary>Whether one more stand-in may run work of that depth.</summary>
    public readonly bool MayRun(int depth)
    {
        if (IsUnreserved) return true;
        int busy = 0;
        foreach (QueueWorker worker in registry.All)
        {
            if (worker.IsStandIn && worker.StandInDepth > 0 && worker.StandInDepth <= depth) busy++;
        }
        return busy < Most - (Most >> depth);
    }

    public void Rest(QueueWorker standIn, long now)
    {
        standIn.RestsSince = now;
        _resting.Push(standIn);
    }

    public void Remove(QueueWorker standIn) => _resting.Remove(standIn);

    public bool TryWake(ref DeferredActions after)
    {
        if (!_resting.TryPop(out QueueWorker? standIn)) return false;
        after.Wake(standIn);
        return true;
    }

    public void WakeAll(ref DeferredActions after)
    {
        while (TryWake(ref after))
        {
        }
    }

    /// <summary>Dismisses the stand-ins that have been idle since the given time or longer.</summary>
    public void Dismiss(long since, ref DeferredActions after)
    {
        SleeperStack stay = default;
        while (_resting.TryPop(out QueueWorker? standIn))
        {
            if (standIn.RestsSince > since)
            {
                stay.Push(standIn);
                continue;
            }
            standIn.IsDismissed = true;
            after.Wake(standIn);
        }
        _resting = stay;
    }
}

/// <summary>The result of a check of blocked workers.</summary>
internal enum StandInNeed
{
    /// <summary>No work is queued for a stand-in, or a worker is free for it. No further check is needed.</summary>
    None,

    /// <summary>Not now: a worker computes, or a stand-in is starting. Check again.</summary>
    CheckAgain,

    /// <summary>An idle stand-in was woken. Check again.</summary>
    Woken,

    /// <summary>One more stand-in must start. Check again.</summary>
    Start,

    /// <summary>One more stand-in would be needed, but the limit is reached. Check again.</summary>
    UsedUp,
}
