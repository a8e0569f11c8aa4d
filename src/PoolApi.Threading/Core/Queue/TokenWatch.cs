using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>Ties a caller's token to one submission of an item. Costs one small object and a registration.</summary>
/// <remarks>
/// <code>
///   Start ──► watching ──the token fires──► fired (the item is ended, or its own token cancelled)
///                └──────End: the submission has ended or was refused──────► over: what fires now does nothing
/// </code>
/// <para>The item may be submitted again as soon as it has ended. A callback that is under way then must not reach the next submission, so
/// both sides hold this object's lock, and the end of a submission waits for such a callback.</para>
/// <para>Therefore a callback must never wait for the submitter. It waits for an item that is claimed and not pushed yet
/// (<see cref="WorkQueue{TOps}.TryRemove"/>), but only as long as the item names its pool; a refused item gives up its pool before it ends
/// its watch (<see cref="PoolWorkItem.Unclaim{TOps}"/>).</para>
/// <para>No code of a caller runs under the lock.</para>
/// </remarks>
internal sealed class TokenWatch
{
    private readonly PoolWorkItem _item;
    private readonly IItemOwner _owner;
    private readonly int _startingThread = Environment.CurrentManagedThreadId;
    private CancellationTokenRegistration _registration;
    private bool _isStarting = true;
    private bool _isOver; // guarded by the lock, as are the next fields

    private TokenWatch(PoolWorkItem item, IItemOwner owner)
    {
        _item = item;
        _owner = owner;
    }

    /// <summary>Whether the token is cancelled. Its callback may still be about to run.</summary>
    public bool IsTokenCancelled => _registration.Token.IsCancellationRequested;

    /// <summary>Whether this watch was the first to cancel the item.</summary>
    public bool HasMarked { get; private set; }

    /// <summary>The item's own source, if this watch cancels it.</summary>
    public CancellationTokenSource? Signalled { get; private set; }

    /// <summary>Starts watching, between the claim of an item and its push.</summary>
    public static TokenWatch Start<TOps>(PoolWorkItem item, IItemOwner owner, CancellationToken token)
        where TOps : struct, IAtomicOps
    {
        var watch = new TokenWatch(item, owner);
        watch._registration = token.UnsafeRegister(static watch => ((TokenWatch)watch!).Fire<TOps>(), watch);
        watch._isStarting = false;
        return watch;
    }

    /// <summary>Ends watching, since the submission has ended or was refused.</summary>
    public void End<TOps>()
        where TOps : struct, IAtomicOps
    {
        TOps.EnterLock(this); // fault point: watch-end-enter
        _isOver = true;
        TOps.ExitLock(this); // fault point: watch-end-exit
        _registration.Unregister();
    }

    private void Fire<TOps>()
        where TOps : struct, IAtomicOps
    {
        DeferredActions after = default;
        TOps.EnterLock(this);
        try
        {
            if (_isOver) return; // fault point: watch-is-over
            HasMarked = _item.MarkByToken<TOps>();
            // The token was already cancelled at its registration: the item is not pushed yet, and its submitter, which is this thread,
            // sees the mark.
            if (_isStarting && _startingThread == Environment.CurrentManagedThreadId) return;
            if (!_owner.TryEndQueued(_item, _item.CancelOutcome, ref after)) Signalled = _item.CurrentSource<TOps>();
        }
        finally
        {
            TOps.ExitLock(this);
        }
        _owner.CarryOut(ref after);
        // Only the source of that submission. Its callbacks are code of a caller.
        try
        {
            Signalled?.Cancel();
        }
        catch (AggregateException e)
        {
            _owner.Unhandled(_item, e);
        }
    }
}
