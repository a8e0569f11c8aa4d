using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading;

/// <content>The item as the queue sees it: its own links, its place in its life, and until when it may wait.</content>
public abstract partial class PoolWorkItem
{
    // Written by the submitter before the item is pushed; from then on guarded by the gate of the pool that took it in.
    internal PoolWorkItem? Previous; // pushed before it
    internal PoolWorkItem? Next; // pushed after it
    internal object? Holder; // the queue that took it in
    internal QueueWorker? Carrier; // whose bag it waits in, if in one
    internal long ExpiresAt; // a time stamp; long.MaxValue for never
    internal int ExpiryIndex; // its place in the heap of own limits, from 1; 0: not there; -1: to be put there
    internal WorkPriority Priority;
    internal WorkOutcome Outcome; // how it ended, if it never ran

    // Claimed by Claim, given up by whoever tells the item its end, each in one step.
    internal int StateWord;

    // Set by whoever cancels; read by whoever takes the item in hand.
    internal volatile bool CancelRequested;
    internal NotRunReason CancelReason;

    internal WorkItemState State
    {
        get => (WorkItemState)Volatile.Read(ref StateWord);
        set => Volatile.Write(ref StateWord, (int)value);
    }

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
}
