using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading;

/// <content>The item as the queue sees it: its own links, its place in its life, and until when it may wait.</content>
public abstract partial class PoolWorkItem
{
    // Few and small: with each item all of it goes from the submitter's cache to the worker's and back.

    // Written by the submitter before the item is pushed; from then on guarded by the gate of the pool that took it in.
    internal PoolWorkItem? Previous; // pushed before it
    internal PoolWorkItem? Next; // pushed after it
    internal object? Holder; // the queue that took it in
    internal long ExpiresAt; // a time stamp; long.MaxValue for never. Once it has ended: when it did
    internal int ExpiryIndex; // its place in the heap of own limits, from 1; 0: not there; -1: to be put there

    internal Cause? Cause; // made when another item of the same pool first submits it while that holds a worker, or with a limit on running, and kept

    // Claimed by Claim, given up by whoever tells the item its end, each in one step.
    internal int StateWord;

    internal byte Depth; // how many items, each caused by the one before, led to this one; 0: it came from outside
    private sbyte _priority;
    private byte _outcome;
    private byte _cancelOutcome;

    // Set by whoever cancels; read by whoever takes the item in hand.
    internal volatile bool CancelRequested;

    internal WorkPriority Priority
    {
        get => (WorkPriority)_priority;
        set => _priority = (sbyte)value;
    }

    /// <summary>How it ended, if it never ran.</summary>
    internal WorkOutcome Outcome
    {
        get => (WorkOutcome)_outcome;
        set => _outcome = (byte)value;
    }

    /// <summary>How long it may run, in ticks of its pool's clock, by what its submitter said; long.MaxValue: nothing.</summary>
    internal long OwnRunLimit => Cause is { RunLimit: > 0 and long limit } ? limit : long.MaxValue;

    /// <summary>How it ends if it is cancelled before it runs.</summary>
    internal WorkOutcome CancelOutcome
    {
        get => (WorkOutcome)_cancelOutcome;
        set => _cancelOutcome = (byte)value;
    }

    internal WorkItemState State
    {
        get => (WorkItemState)Volatile.Read(ref StateWord);
        set => Volatile.Write(ref StateWord, (int)value);
    }

    /// <summary>Under the gate: whether a worker runs code of it right now, so that another continuation of it may be what that worker waits for.</summary>
    internal virtual bool HoldsWorker => false;

    /// <summary>Work that may suspend itself in an await, and come back.</summary>
    internal virtual bool IsAsync => false;

    /// <summary>Under the gate: a worker of the owner has taken it, or a continuation of it, in hand.</summary>
    internal virtual void TakenLocked(object owner, bool isStart)
    {
    }
}

/// <summary>Where an item is between two submissions.</summary>
internal enum WorkItemState
{
    Created,
    Claimed, // a submitter has it, or it is in the inbox
    Waiting, // in its lane
    InFlight,
    Ending, // it has its outcome, and is about to be told
    Ended,
    Abandoned,
    TimedOut, // it has ended, and its code may still be running
}
