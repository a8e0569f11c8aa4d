using System.Diagnostics;

using PoolApi.Threading.Core.Atomics;
namespace PoolApi.Threading.Core;

/// <summary>The callers that wait for space in the queue, woken in the order of their arrival. Without waiters it costs one read for each item.</summary>
/// <remarks>
/// Waking a thread costs as much as hundreds of tiny items. So the pool wakes a waiter when there is space for as many items as the
/// workers run in <see cref="Worthwhile"/>, or for one item after the waiter has waited for that time. Otherwise, with tiny items, the
/// submitter and the workers would alternate for each single place. A timer wakes a waiter that was not woken although there is space,
/// because no worker may free another place. The timer uses the system's clock.
/// </remarks>
#pragma warning disable CA1001 // its timer is disposed of by Stop, when the pool has stopped
internal sealed class CapacityWaiters
#pragma warning restore CA1001
{
    /// <summary>About twice the time that it takes to wake a thread.</summary>
    private static readonly TimeSpan Worthwhile = TimeSpan.FromMicroseconds(100);

    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(1);

    private readonly PoolCore _core;
    private readonly Timer _again;
    private readonly LinkedList<Waiter> _waiters = new();
    private volatile int _count;
    private bool _isAgainSet; // guarded by this object's lock, as the list is

    public CapacityWaiters(PoolCore core)
    {
        _core = core;
        _again = new Timer(static self => ((CapacityWaiters)self!).NotifyAgain(), this, Timeout.Infinite, Timeout.Infinite);
    }

    public void Stop() => _again.Dispose();

    /// <summary>
    /// Completes with true when there is space, which another submitter may take first, and with false when the pool is closed. Spins for a moment first,
    /// since a worker frees places within microseconds.
    /// </summary>
    public async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        for (int looks = 0; looks < 8; looks++)
        {
            if (_core.IsClosed) return false;
            if (_core.Views.RoomEstimate >= _core.Views.PlacesFreedIn(Worthwhile)) return true;
            Thread.SpinWait(32); // over a microsecond, because each look takes cache lines from the workers
        }
        Waiter waiter = Enlist();
        try
        {
            return await waiter.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            Delist(waiter);
            throw;
        }
    }

    /// <summary>Wakes waiters, because places may have become free or the pool was closed.</summary>
    public void NotifyIfAwaited()
    {
        if (_count > 0) Notify();
    }

    private Waiter Enlist()
    {
        var waiter = new Waiter(Stopwatch.GetTimestamp());
        using (new UninterruptibleLock(this))
        {
            _waiters.AddLast(waiter.Node);
            _count = _waiters.Count;
        }
        // Pairs with the gate that a worker passes after it frees a place: either the worker sees the waiter, or Notify sees the free place.
        Interlocked.MemoryBarrier();
        Notify();
        return waiter;
    }

    private void Delist(Waiter waiter)
    {
        using (new UninterruptibleLock(this))
        {
            if (waiter.Node.List is not null) _waiters.Remove(waiter.Node);
            _count = _waiters.Count;
        }
        // This waiter may have been woken just now; then the next waiter gets the wake-up.
        if (waiter.Task.IsCompleted) Notify();
    }

    private void Notify()
    {
        using (new UninterruptibleLock(this))
        {
            if (_waiters.First is not { } longest) return;
            bool closed = _core.IsClosed;
            // Read before the space: a worker that has no local batch by then passes the gate after its next item, and notifies the waiters.
            bool anyBatch = _core.Views.AnyLikelyBatch;
            long room = _core.Views.RoomEstimate;
            if (room <= 0 && !closed)
            {
                // Workers with a local batch of tiny items do not pass the gate after each item, and the next item may be long.
                if (anyBatch) ScheduleLocked();
                return;
            }
            if (!closed && room < _core.Views.PlacesFreedIn(Worthwhile) && Stopwatch.GetElapsedTime(longest.Value.Since) < Worthwhile)
            {
                ScheduleLocked();
                return;
            }
            // Wakes one waiter for each free place. A further waiter would find no place.
            for (; _waiters.First is { } first && (closed || room > 0); room--)
            {
                _waiters.RemoveFirst();
                first.Value.TrySetResult(!closed);
            }
            _count = _waiters.Count;
            // The woken waiters may not submit. Then the places are still free for the others.
            if (_count > 0) ScheduleLocked();
        }
    }

    private void ScheduleLocked()
    {
        Debug.Assert(Monitor.IsEntered(this));
        if (_isAgainSet) return;
        _isAgainSet = true;
        TimerSetting.Set(_again, Soon);
    }

    private void NotifyAgain()
    {
        // An exception would end the process, because the timer calls this.
        try
        {
            using (new UninterruptibleLock(this)) _isAgainSet = false;
            Notify();
        }
        catch (OutOfMemoryException)
        {
            using (new UninterruptibleLock(this)) ScheduleLocked();
        }
    }

    private sealed class Waiter : TaskCompletionSource<bool>
    {
        public Waiter(long since)
            : base(TaskCreationOptions.RunContinuationsAsynchronously)
        {
            Since = since;
            Node = new LinkedListNode<Waiter>(this);
        }

        public long Since { get; }

        /// <summary>Its place in the list, so that its removal is no search.</summary>
        public LinkedListNode<Waiter> Node { get; }
    }
}
