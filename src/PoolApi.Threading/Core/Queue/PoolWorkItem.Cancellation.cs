using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading;

/// <content>The requests that an item stop: by its caller's Cancel, by the submitter's token, by a pool that stops.</content>
/// <remarks>
/// <para>Whoever asks sets the mark and passes a fence, then looks for the item in its pool. The submitter claims the item and passes a fence (the
/// reservation of a place), then reads the mark. So one of the two sees the other.</para>
/// <para>What Cancel asks stands until the item's next submission has ended; what a token asks is asked of one submission only.</para>
/// </remarks>
public abstract partial class PoolWorkItem
{
    private CancellationTokenSource? _cancellation; // of the current submission, made when its token is asked for
    private TokenWatch? _watch;
    private int _asked; // what Cancel was last called with for this submission, from 1; 0: it was not called

    /// <summary>A new submission after one that has ended: nothing is asked of it yet.</summary>
    internal void ResetCancellation()
    {
        CancelRequested = false;
        if (_asked != 0) _asked = 0;
        if (_cancellation is not null) _cancellation = null;
        if (_watch is not null) _watch = null;
    }

    /// <summary>Between the claim and the push: the token cancels the item from now on.</summary>
    internal void Watch<TOps>(IItemOwner owner, CancellationToken token)
        where TOps : struct, IAtomicOps => _watch = TokenWatch.Start<TOps>(this, owner, token);

    /// <summary>The submission has ended.</summary>
    internal void EndWatch<TOps>()
        where TOps : struct, IAtomicOps => _watch?.End<TOps>();

    /// <summary>It was refused, and is as it was before.</summary>
    internal void Unclaim<TOps>(WorkItemState was)
        where TOps : struct, IAtomicOps
    {
        Previous = null;
        ExpiryIndex = 0;
        if (Cause is not null) Cause.RunLimit = 0;
        if (_watch is { } watch)
        {
            // A callback under way holds the watch's lock, and waits for the push of an item that names its pool: this ends that wait.
            TOps.Write(ref Holder, null); // fault point: unclaim-holder
            watch.End<TOps>();
            _watch = null;
            if (watch.HasMarked) UnmarkByToken<TOps>(watch.Signalled);
        }
        State = was;
    }

    /// <summary>Notes what Cancel asks, before the mark; see <see cref="MarkByToken{TOps}"/>.</summary>
    internal void NoteAsked(WorkOutcome outcome) => Volatile.Write(ref _asked, (int)outcome + 1);

    /// <summary>Marks the item: it ends when it comes to be sorted into a lane, if it has not by then.</summary>
    internal void MarkCancelled<TOps>(WorkOutcome outcome)
        where TOps : struct, IAtomicOps
    {
        CancelOutcome = outcome;
        CancelRequested = true;
        // Pairs with the reservation of a place, a full fence: either who marks sees the pool, or the pool, taking the item in, sees the mark.
        TOps.Fence();
    }

    /// <summary>A token asks. What Cancel asked before, or asks at the same time, stands.</summary>
    /// <returns>Whether nobody had asked before.</returns>
    internal bool MarkByToken<TOps>()
        where TOps : struct, IAtomicOps
    {
        if (CancelRequested) return false;
        MarkCancelled<TOps>(WorkOutcome.Cancelled); // a full fence; pairs with the order in Cancel
        RemarkIfAsked<TOps>();
        return true;
    }

    /// <summary>The source of the current submission, if anybody asked for its token.</summary>
    internal CancellationTokenSource? CurrentSource<TOps>()
        where TOps : struct, IAtomicOps => TOps.Read(ref _cancellation);

    /// <summary>The source of the current submission, made at the first use.</summary>
    private CancellationTokenSource SourceMade<TOps>()
        where TOps : struct, IAtomicOps
    {
        if (TOps.Read(ref _cancellation) is { } source) return source;
        var made = new CancellationTokenSource();
        source = TOps.CompareExchange(ref _cancellation, made, null) ?? made;
        // Pairs with whoever asks a running item to stop: he sets the mark, then looks for a source; here the source is published
        // (a full fence), then the mark is read. One of the two sees the other.
        if (CancelRequested) source.Cancel();
        return source;
    }

    /// <summary>The submission came to nothing: what its token asked is not asked of the next, what Cancel asked is.</summary>
    private void UnmarkByToken<TOps>(CancellationTokenSource? signalled)
        where TOps : struct, IAtomicOps
    {
        CancelRequested = false;
        TOps.Fence(); // pairs with the order in Cancel: either this sees what it asked, or its mark comes after this
        RemarkIfAsked<TOps>();
        if (signalled is not null && !CancelRequested) TOps.CompareExchange(ref _cancellation, null, signalled);
    }

    private void RemarkIfAsked<TOps>()
        where TOps : struct, IAtomicOps
    {
        if (Volatile.Read(ref _asked) is not 0 and int asked) MarkCancelled<TOps>((WorkOutcome)(asked - 1));
    }
}
