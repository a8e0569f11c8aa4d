namespace PoolApi.AspNetCore.Overload;

/// <summary>
/// Sets the order in which a pool takes what waits, for several endpoints. The newest come first only while clients leave who wait long;
/// as soon as an endpoint's clients wait and stay, the oldest come first again, for their sake.
/// </summary>
/// <param name="setNewestFirst">Sets the pool's order.</param>
internal sealed class OrderArbiter(Action<bool> setNewestFirst)
{
    private readonly Lock _lock = new();
    private volatile int _wanting; // seats that want the newest first
    private bool _isNewestFirst; // guarded by the lock

    /// <summary>One more endpoint has a say.</summary>
    public Seat Join() => new(this);

    /// <summary>Tells the pool only what is new to it: its order is set under the lock of its queue.</summary>
    private void SetLocked(bool newestFirst)
    {
        if (newestFirst == _isNewestFirst) return;
        _isNewestFirst = newestFirst;
        setNewestFirst(newestFirst);
    }

    /// <summary>What one endpoint says. Its calls come one at a time.</summary>
    internal sealed class Seat(OrderArbiter arbiter)
    {
        private bool _wants;

        /// <summary>Its clients leave while they wait, or do so no longer.</summary>
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

        /// <summary>Its clients wait long, and stay. Cheap while no other endpoint wants the newest first.</summary>
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
