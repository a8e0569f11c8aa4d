namespace PoolApi.AspNetCore.Overload;

/// <summary>
/// Decides the order of one pool's queue for the several endpoints that share it. The newest item runs first only while an endpoint sees
/// clients disconnect after long waits. As soon as another endpoint's clients wait and stay connected, the oldest runs first again.
/// </summary>
/// <param name="setNewestFirst">Sets the pool's order.</param>
internal sealed class OrderArbiter(Action<bool> setNewestFirst)
{
    private readonly Lock _lock = new();
    private volatile int _wanting; // seats that vote for newest-first
    private bool _isNewestFirst; // guarded by the lock

    /// <summary>Adds an endpoint, which gets a vote.</summary>
    public Seat Join() => new(this);

    /// <summary>Calls the pool only when the order changes, because the pool takes its queue's lock to set it.</summary>
    private void SetLocked(bool newestFirst)
    {
        if (newestFirst == _isNewestFirst) return;
        _isNewestFirst = newestFirst;
        setNewestFirst(newestFirst);
    }

    /// <summary>The vote of one endpoint. Not safe for concurrent calls: the endpoint's overload control calls it under its own lock.</summary>
    internal sealed class Seat(OrderArbiter arbiter)
    {
        private bool _wants;

        /// <summary>The endpoint's clients disconnect while they wait, or no longer do.</summary>
        /// <param name="newestFirst">Whether the endpoint votes for newest-first.</param>
        public void Want(bool newestFirst)
        {
            lock (arbiter._lock)
            {
                if (newestFirst == _wants) return;
                _wants = newestFirst;
                arbiter._wanting += newestFirst ? 1 : -1;
                arbiter.SetLocked(arbiter._wanting > 0);
            }
        }

        /// <summary>The endpoint's clients wait long and stay connected. Costs one volatile read while no other endpoint votes for newest-first.</summary>
        public void Wait()
        {
            if (arbiter._wanting == 0) return;
            lock (arbiter._lock)
            {
                if (!_wants) arbiter.SetLocked(false);
            }
        }
    }
}
