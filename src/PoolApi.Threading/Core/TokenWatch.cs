namespace PoolApi.Threading.Core;

/// <summary>
/// Ties a caller's token to one submission of an item. The item may be submitted again as soon as it has ended, so a
/// callback that is already under way then must not reach the next submission: both sides hold this object's lock.
/// </summary>
internal sealed class TokenWatch
{
    private readonly PoolWorkItem _item;
    private CancellationTokenRegistration _registration;
    private readonly bool _wasRequested; // somebody had asked the item to stop before
    private bool _hasFired;
    private bool _isOver;

    private TokenWatch(PoolWorkItem item)
    {
        _item = item;
        _wasRequested = item.CancelRequested;
    }

    public static TokenWatch Start(PoolWorkItem item, CancellationToken token)
    {
        var watch = new TokenWatch(item);
        if (token.IsCancellationRequested)
        {
            // It does not wait anywhere yet: the pool sees the request when it takes the item in.
            watch._hasFired = true;
            item.RequestCancel(NotRunReason.Cancelled);
            return watch;
        }
        watch._registration = token.UnsafeRegister(static watch => ((TokenWatch)watch!).Fire(), watch);
        return watch;
    }

    /// <summary>The submission is over. Waits only for the few steps of a removal under way, never for code of a caller.</summary>
    public void End()
    {
        lock (this) _isOver = true;
        _registration.Unregister();
    }

    /// <summary>The submission was refused: what the token asked for is not asked of the next.</summary>
    public void Undo()
    {
        lock (this)
        {
            _isOver = true;
            if (_hasFired && !_wasRequested) _item.CancelRequested = false;
        }
        _registration.Unregister();
    }

    private void Fire()
    {
        CancellationTokenSource? running;
        lock (this)
        {
            if (_isOver) return;
            _hasFired = true;
            // If it ends here, it is told its end here, and End comes back to this lock on this thread.
            if (_item.CancelWaiting(NotRunReason.Cancelled)) return;
            running = _item.CurrentSource;
        }
        // The source of that submission and no other; its callbacks are a caller's code, so outside the lock.
        _item.Signal(running);
    }
}
