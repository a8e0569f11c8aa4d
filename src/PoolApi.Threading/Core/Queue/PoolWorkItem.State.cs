using System.Diagnostics;
using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading;

/// <content>The state of an item's submission, and the steps between the states.</content>
/// <remarks>
/// <code>
///            TryClaim            sorted into its lane           a worker takes it          its code has returned
///   Created ─────────► Claimed ──────────────────────► Waiting ───────────────────► InFlight ───────────────► Ending ──► Ended
///      ▲                 │ │ cancelled before that         │ cancelled, expired,         │                      ▲          │
///      │   Unclaim       │ └───────────────────────────────┴───── handed back ───────────┼──────────────────────┘          │
///      ├─────────────────┘                                                               ▼ the pool stopped, or           │
///      │                                                                    Abandoned ◄─ TimedOut  it ran too long         │
///      └────────────────────────────────────────────── TryClaim, Unclaim ─────────────────────────────────────────────────┘
/// </code>
/// <para>Several threads compete for two of the steps, so each of these is a compare-and-swap (<see cref="TryMove{TOps}"/>): the claim, and the end of a
/// running synchronous item, where its worker, a limit on run time and a stop of the pool each want another end. All other steps are taken by the only
/// thread that may take them: under the gate of the accepting pool, under the gate of a worker's local batch, or by the submitter.</para>
/// </remarks>
public abstract partial class PoolWorkItem
{
    // The claim takes the item, and the notification of the end gives it up, each in one step.
    internal int StateWord;

    /// <summary>The state. Written only by the thread that alone may take the step.</summary>
    internal WorkItemState State
    {
        get => (WorkItemState)Volatile.Read(ref StateWord);
        set
        {
            Debug.Assert(IsStep(State, value), $"A work item does not become {value} when it is {State}.");
            Volatile.Write(ref StateWord, (int)value);
        }
    }

    /// <summary>Takes a step that other threads compete for.</summary>
    /// <returns><see langword="false"/> if another thread took a step from this state first.</returns>
    internal bool TryMove<TOps>(WorkItemState from, WorkItemState to)
        where TOps : struct, IAtomicOps
    {
        Debug.Assert(IsStep(from, to), $"A work item does not become {to} when it is {from}.");
        return TOps.CompareExchange(ref StateWord, (int)to, (int)from) == (int)from; // fault point: state-move
    }

    /// <summary>Claims the item for a submission, since two threads or two pools may submit it concurrently.</summary>
    /// <param name="was">The state before, for <see cref="Unclaim{TOps}"/>.</param>
    /// <returns><see langword="false"/> if it is submitted and has not ended.</returns>
    internal bool TryClaim<TOps>(out WorkItemState was)
        where TOps : struct, IAtomicOps
    {
        was = State;
        if (was is not (WorkItemState.Created or WorkItemState.Ended) || !TryMove<TOps>(was, WorkItemState.Claimed)) return false;
        if (was == WorkItemState.Ended) ResetCancellation<TOps>();
        return true;
    }

    /// <summary>Names the pool that has claimed the item, when the item is set up: from now on a canceller looks for it there.</summary>
    internal void SetOwner<TOps>(IItemOwner owner)
        where TOps : struct, IAtomicOps
    {
        if (!ReferenceEquals(Owner, owner)) TOps.Write(ref Owner, owner);
    }

    private static bool IsStep(WorkItemState from, WorkItemState to) => (from, to) switch
    {
        (WorkItemState.Created or WorkItemState.Ended, WorkItemState.Claimed) => true,
        (WorkItemState.Claimed, WorkItemState.Created or WorkItemState.Ended or WorkItemState.Waiting or WorkItemState.Ending) => true,
        (WorkItemState.Waiting, WorkItemState.InFlight or WorkItemState.Ending) => true,
        (WorkItemState.InFlight, WorkItemState.Ending or WorkItemState.Abandoned or WorkItemState.TimedOut) => true,
        (WorkItemState.TimedOut, WorkItemState.Abandoned) => true,
        (WorkItemState.Ending, WorkItemState.Ended) => true,
        _ => false,
    };
}

/// <summary>The state of an item's submission.</summary>
internal enum WorkItemState
{
    Created,
    Claimed, // a submitter holds it, or it is in the inbox
    Waiting, // in its lane, or in a local batch
    InFlight,
    Ending, // it has its outcome and is about to be notified
    Ended,
    Abandoned,
    TimedOut, // it has ended, but its code may still run
}
