using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading;

/// <content>The fields of an item that the queue uses: its links and its expiry.</content>
public abstract partial class PoolWorkItem
{
    // Few and small, because with each item all of them move from the submitter's cache to the worker's and back.

    // Written by the submitter before the push; from then on guarded by the gate of the accepting pool.
    internal PoolWorkItem? Previous; // pushed before it
    internal PoolWorkItem? Next; // pushed after it
    internal object? Owner; // the pool that claimed it last
    internal long ExpiresAt; // a time stamp; long.MaxValue for never. After the end: the time of the end
    internal int ExpiryIndex; // its index in the expiry heap, from 1; 0: not in it; -1: to be added

    internal ItemExtras? Extras; // created when another item of the same pool submits it while holding a worker, or for a limit on run time; then kept

    internal byte Depth; // the length of the chain of items that caused this one; 0: it came from outside
    private sbyte _priority;
    private byte _outcome;
    private byte _cancelOutcome;

    // Set by the canceller, read by the worker that takes the item.
    private bool _isCancelRequested;

    /// <summary>When it ended; 0 before. It shares the field with the expiry, which no longer matters then.</summary>
    internal long EndedAt
    {
        get => State >= WorkItemState.Ending ? ExpiresAt : 0;
        set => ExpiresAt = value;
    }

    internal WorkPriority Priority
    {
        get => (WorkPriority)_priority;
        set => _priority = (sbyte)value;
    }

    /// <summary>The outcome of an item that never ran.</summary>
    internal WorkOutcome Outcome
    {
        get => (WorkOutcome)_outcome;
        set => _outcome = (byte)value;
    }

    /// <summary>The submission's limit on run time, in ticks of the pool's clock; long.MaxValue: none.</summary>
    internal long OwnRunLimit => Extras is { RunLimit: > 0 and long limit } ? limit : long.MaxValue;

    /// <summary>The outcome if it is cancelled before it runs.</summary>
    internal WorkOutcome CancelOutcome
    {
        get => (WorkOutcome)_cancelOutcome;
        set => _cancelOutcome = (byte)value;
    }

    /// <summary>Whether a worker runs code of the item now, so that it may wait for another continuation of it. Read under the gate.</summary>
    internal virtual bool HoldsWorker => false;

    /// <summary>Whether the work is asynchronous: it may be suspended in an await and be resumed.</summary>
    internal virtual bool IsAsync => false;

    /// <summary>A worker of the owner has taken the item or a continuation of it. Called under the gate.</summary>
    internal virtual void TakenLocked(object owner, bool isStart)
    {
    }
}
