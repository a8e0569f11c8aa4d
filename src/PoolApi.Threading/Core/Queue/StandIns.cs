using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The workers that run only what blocked workers wait for: those that rest, and which depth each may run. Guarded by the gate.
/// </summary>
/// <remarks>
/// A chain of items that wait for each other needs a worker for each. If every stand-in ran the first link of another chain,
/// none would be left for a second link, and no chain would end. So half of the stand-ins (rounded up) may run what is one
/// deep, half of the rest what is two deep or less, and so on; until nothing has moved for a while.
/// </remarks>
internal struct StandIns<TOps>(WorkerRegistry<TOps> registry)
    where TOps : struct, IAtomicOps
{
    private SleeperStack _resting;

    /// <summary>How many there may be.</summary>
    public int Most { get; set; }

    /// <summary>Every stand-in may run whatever is caused: holding some back has not helped.</summary>
    public bool IsUnreserved { get; set; }

    public readonly int Resting => _resting.Count;

    /// <summary>Whether one more stand-in may run something of that depth.</summary>
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

    /// <summary>Those that have rested since then, or longer, leave.</summary>
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

/// <summary>What a look at blocked workers came to.</summary>
internal enum StandInNeed
{
    /// <summary>Nothing waits that a stand-in would run, or a worker is free for it. No look is set.</summary>
    None,

    /// <summary>Not now: a worker computes, or a stand-in is on its way. Look again.</summary>
    LookAgain,

    /// <summary>One that rested has been woken. Look again.</summary>
    Woken,

    /// <summary>One more must start. Look again.</summary>
    Start,

    /// <summary>One more would be needed, and there may be no more. Look again.</summary>
    UsedUp,
}
