using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>
/// Ties a caller's token to one submission of an item. The item may be submitted again as soon as it has ended, so a
/// callback that is already under way then must not reach the next submission: both sides hold this object's lock, and only
/// for the few steps of a removal, never while code of a caller runs.
/// </summary>
internal sealed class TokenWatch
{
    private readonly PoolWorkItem _item;
    private readonly int _startingThread = Environment.CurrentManagedThreadId;
    private CancellationTokenRegistration _registration;
    private bool _isStarting = true;
    private bool _isOver;

    private TokenWatch(PoolWorkItem item) => _item = item;

    /// <summary>Whether it has asked the item to stop, of which nobody had asked that before.</summary>
    public bool HasMarked { get; private set; }

    /// <summary>The item's own source, if this cancels it.</summary>
    public CancellationTokenSource? Signalled { get; private set; }

    /// <summary>Between the claim of an item and its push.</summary>
    public static TokenWatch Start(PoolWorkItem item, CancellationToken token)
    {
        var watch = new TokenWatch(item);
        watch._registration = token.UnsafeRegister(static watch => ((TokenWatch)watch!).Fire(), watch);
        watch._isStarting = false;
        return watch;
    }

    /// <summary>The submission is over.</summary>
    public void End()
    {
        using (new UninterruptibleLock(this)) _isOver = true;
        _registration.Unregister();
    }

    private void Fire()
    {
        DeferredActions after = default;
        PoolCore? core;
        using (new UninterruptibleLock(this))
        {
            if (_isOver) return;
            HasMarked = _item.MarkByToken();
            // Cancelled already when it was registered: the item is not pushed yet, and its submitter, who is this thread,
            // sees the mark.
            if (_isStarting && _startingThread == Environment.CurrentManagedThreadId) return;
            core = _item.CurrentCore;
            if (core is null || !core.TryEndWaiting(_item, _item.CancelOutcome, ref after)) Signalled = _item.CurrentSource;
        }
        core?.CarryOut(ref after);
        // The source of that submission and no other; its callbacks are a caller's code.
        _item.Signal(Signalled, core);
    }
}
