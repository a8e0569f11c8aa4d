using System.Diagnostics;

namespace PoolApi.AspNetCore.Overload;

/// <summary>
/// Decides the order of one pool's queue for the several endpoints that share it. The newest item runs first only while an endpoint sees
/// clients disconnect after long waits. As soon as another endpoint's clients wait and stay connected, the oldest runs first again.
/// </summary>
/// <param name="setNewestFirst">Sets the pool's order.</param>
internal sealed class OrderArbiter(Action<bool> setNewestFirst)
{
    private readonly Lock _lock = new();
    private volatile int _votes; // of endpoints for newest-first
    private bool _isNewestFirst; // guarded by the lock

    /// <summary>Adds an endpoint, which gets a vote.</summary>
    public EndpointVote Join() => new(this);

    /// <summary>Calls the pool only when the order changes, because the pool takes its queue's lock to set it.</summary>
    private void SetLocked(bool newestFirst)
    {
        Debug.Assert(_lock.IsHeldByCurrentThread);
        if (newestFirst == _isNewestFirst) return;
        _isNewestFirst = newestFirst;
        setNewestFirst(newestFirst);
    }

    /// <summary>The vote of one endpoint. Not safe for concurrent calls: the endpoint's overload control calls it under its own lock.</summary>
    internal sealed class EndpointVote(OrderArbiter arbiter)
    {
        private bool _isForNewestFirst;

        /// <summary>The endpoint's clients disconnect while they wait, or no longer do.</summary>
        /// <param name="newestFirst">Whether the endpoint votes for newest-first.</param>
        public void Set(bool newestFirst)
        {
            lock (arbiter._lock)
            {
                if (newestFirst == _isForNewestFirst) return;
                _isForNewestFirst = newestFirst;
                arbiter._votes += newestFirst ? 1 : -1;
                arbiter.SetLocked(arbiter._votes > 0);
            }
        }

        /// <summary>The endpoint's clients wait long and stay connected. Costs one volatile read while no other endpoint votes for newest-first.</summary>
        public void ForOldestFirst()
        {
            if (arbiter._votes == 0) return;
            lock (arbiter._lock)
            {
                if (!_isForNewestFirst) arbiter.SetLocked(false);
            }
        }
    }
}
