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
    private volatile int _votes; // of endpoints for newest-first that no endpoint has overruled
    private volatile bool _isNewestFirst; // written under the lock
    private int _overrulings; // guarded by the lock; each makes all earlier votes void

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
        private int _overrulingsBefore; // when the vote was cast

        /// <summary>Whether the pool runs the newest item first. The endpoint's own vote may have been overruled since it was cast.</summary>
        public bool IsNewestFirst => arbiter._isNewestFirst;

        /// <summary>The endpoint's clients disconnect while they wait, or no longer do.</summary>
        /// <param name="newestFirst">Whether the endpoint votes for newest-first.</param>
        public void Set(bool newestFirst)
        {
            lock (arbiter._lock)
            {
                bool counted = CountsLocked();
                _isForNewestFirst = newestFirst;
                _overrulingsBefore = arbiter._overrulings;
                if (newestFirst == counted) return;
                arbiter._votes += newestFirst ? 1 : -1;
                arbiter.SetLocked(arbiter._votes > 0);
            }
        }

        /// <summary>
        /// The endpoint's clients wait long and stay connected. This overrules all votes so far; an overruled endpoint votes again after its own queue was short. Costs one volatile read while
        /// no other endpoint votes for newest-first.
        /// </summary>
        public void ForOldestFirst()
        {
            if (arbiter._votes == 0) return;
            lock (arbiter._lock)
            {
                if (CountsLocked()) return;
                arbiter._overrulings++;
                arbiter._votes = 0;
                arbiter.SetLocked(false);
            }
        }

        private bool CountsLocked()
        {
            Debug.Assert(arbiter._lock.IsHeldByCurrentThread);
            return _isForNewestFirst && _overrulingsBefore == arbiter._overrulings;
        }
    }
}
