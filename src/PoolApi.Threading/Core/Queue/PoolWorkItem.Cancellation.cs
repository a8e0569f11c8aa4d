using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading;

/// <content>Cancellation of an item: by a call of Cancel, by the submitter's token, by a limit on run time, or by a stop of the pool.</content>
/// <remarks>
/// <para>The canceller sets the mark and passes a fence, then looks for the item in its pool. The submitter claims the item and passes a fence (the
/// reservation of a place; a batch, which reserves first, has a fence of its own), then reads the mark. So at least one of the two sees the other.</para>
/// <para>A call of Cancel before the first accepted submission holds until that submission has ended. After the end, a new submission discards
/// it. A token cancels one submission only.</para>
/// </remarks>
public abstract partial class PoolWorkItem
{
    private bool _isStopSignalled;

    private CancellationTokenSource? _cancellation; // of the current submission; created when its token is first read
    private TokenWatch? _watch;
    private int _asked; // the argument of the last call of Cancel for this submission, from 1; 0: no call

    /// <summary>Whether a cancellation of the current submission is marked.</summary>
    internal bool IsCancelRequested<TOps>()
        where TOps : struct, IAtomicOps => TOps.Read(ref _isCancelRequested);

    /// <summary>Whether a stop of the pool has cancelled or abandoned this submission.</summary>
    internal bool IsStopSignalled<TOps>()
        where TOps : struct, IAtomicOps => TOps.Read(ref _isStopSignalled);

    internal void SignalStop<TOps>()
        where TOps : struct, IAtomicOps => TOps.Write(ref _isStopSignalled, true);

    /// <summary>Resets the cancellation for a new submission after one that has ended.</summary>
    internal void ResetCancellation<TOps>()
        where TOps : struct, IAtomicOps
    {
        TOps.Write(ref _isCancelRequested, false);
        if (IsStopSignalled<TOps>()) TOps.Write(ref _isStopSignalled, false);
        if (TOps.Read(ref _asked) != 0) TOps.Write(ref _asked, 0);
        if (_cancellation is not null) _cancellation = null;
        if (_watch is not null) _watch = null;
    }

    /// <summary>Registers the submitter's token, between the claim and the push.</summary>
    internal void Watch<TOps>(IItemOwner owner, CancellationToken token)
        where TOps : struct, IAtomicOps => _watch = TokenWatch.Start<TOps>(this, owner, token);

    /// <summary>
    /// Whether a cancellation of the current submission was requested. The submitter's token counts as soon as it is cancelled: work that polls it
    /// may see that before the token's callback marks the item.
    /// </summary>
    private bool IsCancellationAsked<TOps>()
        where TOps : struct, IAtomicOps => IsCancelRequested<TOps>() || _watch is { IsTokenCancelled: true };

    /// <summary>The submission has ended.</summary>
    internal void EndWatch<TOps>()
        where TOps : struct, IAtomicOps => _watch?.End<TOps>();

    /// <summary>The submission was refused: restores the state before it, and the calls of Cancel. The times of an earlier submission are lost.</summary>
    internal void Unclaim<TOps>(WorkItemState was)
        where TOps : struct, IAtomicOps
    {
        Previous = null;
        ExpiryIndex = 0;
        if (Extras is not null) Extras.RunLimit = 0;
        if (_watch is { } watch)
        {
            // A callback under way holds the watch's lock and waits for the push of an item that names its pool. Without an owner the callback stops waiting.
            TOps.Write(ref Owner, null); // fault point: unclaim-owner
            watch.End<TOps>();
            _watch = null;
            if (watch.HasMarked) UnmarkByToken<TOps>(watch.Signalled);
        }
        if (was == WorkItemState.Ended) ExpiresAt = 0; // or the limit of the refused submission would be read as the time of the end
        State = was;
    }

    /// <summary>Records the argument of Cancel, before the mark; see <see cref="MarkByToken{TOps}"/>.</summary>
    internal void NoteAsked<TOps>(WorkOutcome outcome)
        where TOps : struct, IAtomicOps => TOps.Write(ref _asked, (int)outcome + 1);

    /// <summary>Marks the item: it ends at the latest when it is sorted into a lane.</summary>
    internal void MarkCancelled<TOps>(WorkOutcome outcome)
        where TOps : struct, IAtomicOps
    {
        CancelOutcome = outcome;
        TOps.Write(ref _isCancelRequested, true);
        // Pairs with the submitter's fence after its claim: either this thread sees the pool, or the pool sees the mark when it accepts the item.
        TOps.Fence(); // fault point: mark-fence
    }

    /// <summary>Marks the item because of its token. An earlier or concurrent call of Cancel takes precedence.</summary>
    /// <returns>Whether the item was not marked before.</returns>
    internal bool MarkByToken<TOps>()
        where TOps : struct, IAtomicOps
    {
        if (IsCancelRequested<TOps>()) return false;
        MarkCancelled<TOps>(WorkOutcome.Cancelled); // a full fence; pairs with the order in Cancel
        RemarkIfAsked<TOps>();
        return true;
    }

    /// <summary>The source of the current submission; null if its token was never read.</summary>
    internal CancellationTokenSource? CurrentSource<TOps>()
        where TOps : struct, IAtomicOps => TOps.Read(ref _cancellation);

    /// <summary>Marks a running item as cancelled, and returns the source of its submission.</summary>
    /// <returns>The source to cancel, not under the gate. A source that is created later cancels itself. Null: its token was never read.</returns>
    internal CancellationTokenSource? MarkRunning<TOps>()
        where TOps : struct, IAtomicOps
    {
        TOps.Write(ref _isCancelRequested, true);
        TOps.Fence(); // pairs with the publication in SourceMade
        return CurrentSource<TOps>();
    }

    /// <summary>The same for a stop of the pool, which holds the gate.</summary>
    /// <returns>As <see cref="MarkRunning{TOps}"/>.</returns>
    internal CancellationTokenSource? MarkStopped<TOps>()
        where TOps : struct, IAtomicOps
    {
        SignalStop<TOps>();
        return MarkRunning<TOps>();
    }

    /// <summary>The source of the current submission, created at the first use.</summary>
    private CancellationTokenSource SourceMade<TOps>()
        where TOps : struct, IAtomicOps
    {
        if (TOps.Read(ref _cancellation) is { } source) return source;
        var made = new CancellationTokenSource();
        source = TOps.CompareExchange(ref _cancellation, made, null) ?? made;
        // Pairs with the canceller of a running item: it sets the mark and then looks for a source; this thread publishes the source
        // (a full fence) and then reads the mark. At least one of the two sees the other.
        if (IsCancelRequested<TOps>()) source.Cancel();
        return source;
    }

    /// <summary>The submission was refused: discards the request of its token, and keeps a call of Cancel for the next submission.</summary>
    private void UnmarkByToken<TOps>(CancellationTokenSource? signalled)
        where TOps : struct, IAtomicOps
    {
        TOps.Write(ref _isCancelRequested, false);
        TOps.Fence(); // pairs with the order in Cancel: either this thread sees its argument, or its mark comes after this
        RemarkIfAsked<TOps>();
        if (signalled is not null && !IsCancelRequested<TOps>()) TOps.CompareExchange(ref _cancellation, null, signalled);
    }

    private void RemarkIfAsked<TOps>()
        where TOps : struct, IAtomicOps
    {
        if (TOps.Read(ref _asked) is not 0 and int asked) MarkCancelled<TOps>((WorkOutcome)(asked - 1));
    }
}
