using System.Diagnostics;

using PoolApi.Threading.Core.Atomics;
namespace PoolApi.Threading.Core;

/// <summary>Those who wait for room in the queue, first come, first told. Nobody: one read for each item.</summary>
/// <remarks>
/// Waking somebody costs as much as hundreds of tiny items. So one who waits is told when there is room for as much as the
/// pool does in <see cref="Worthwhile"/>, or for one when he has waited for that long: with items of 100 µs and more that is
/// the first place that is freed; with tiny ones it keeps submitter and workers from going in lockstep, one place at a time.
/// Whoever is not told though there is room is told by a timer: nobody else may ever come. By the real clock, as waking is.
/// </remarks>
#pragma warning disable CA1001 // its timer is disposed of by Stop, when the pool has stopped
internal sealed class CapacityWaiters
#pragma warning restore CA1001
{
    /// <summary>About twice what it takes to wake a thread.</summary>
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
        _again = new Timer(static self => ((CapacityWaiters)self!).TellAgain(), this, Timeout.Infinite, Timeout.Infinite);
    }

    public void Stop() => _again.Dispose();

    /// <summary>
    /// Completes with true when there is room, which somebody else may take first; with false when the pool is closed. Looks for a moment first,
    /// since a worker frees places by the microsecond.
    /// </summary>
    public async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        for (int looks = 0; looks < 8; looks++)
        {
            if (_core.IsClosed) return false;
            if (_core.Views.RoomGuess >= _core.Views.PlacesFreedIn(Worthwhile)) return true;
            Thread.SpinWait(32); // over a microsecond: each look takes the workers' own cache lines from them
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

    /// <summary>Places may have become free, or the pool closed.</summary>
    public void TellIfAwaited()
    {
        if (_count > 0) Tell();
    }

    private Waiter Enlist()
    {
        var waiter = new Waiter(Stopwatch.GetTimestamp());
        using (new UninterruptibleLock(this))
        {
            _waiters.AddLast(waiter);
            _count = _waiters.Count;
        }
        // Pairs with the gate after a release: whoever frees a place after this sees the waiter; who did before is seen here.
        Interlocked.MemoryBarrier();
        Tell();
        return waiter;
    }

    private void Delist(Waiter waiter)
    {
        using (new UninterruptibleLock(this))
        {
            _waiters.Remove(waiter);
            _count = _waiters.Count;
        }
        // It may have been told just now, and another could have had the news.
        if (waiter.Task.IsCompleted) Tell();
    }

    private void Tell()
    {
        using (new UninterruptibleLock(this))
        {
            if (_waiters.First is not { } longest) return;
            bool closed = _core.IsClosed;
            // Before the room: whoever does not carry by now comes by the gate with the next place that he frees.
            bool carries = _core.Views.CarriesGuess;
            long room = _core.Views.RoomGuess;
            if (room <= 0 && !closed)
            {
                // Workers that carry tiny items do not come by after each; and the next may be a long one.
                if (carries) LookAgainLocked();
                return;
            }
            if (!closed && room < _core.Views.PlacesFreedIn(Worthwhile) && Stopwatch.GetElapsedTime(longest.Value.Since) < Worthwhile)
            {
                LookAgainLocked();
                return;
            }
            // As many as there are places: more would come in vain.
            for (; _waiters.First is { } first && (closed || room > 0); room--)
            {
                _waiters.RemoveFirst();
                first.Value.TrySetResult(!closed);
            }
            _count = _waiters.Count;
            // Those who were told may not come: then the places are there still, for those who were not.
            if (_count > 0) LookAgainLocked();
        }
    }

    private void LookAgainLocked()
    {
        Debug.Assert(Monitor.IsEntered(this));
        if (_isAgainSet) return;
        _isAgainSet = true;
        TimerSetting.Set(_again, Soon);
    }

    private void TellAgain()
    {
        using (new UninterruptibleLock(this)) _isAgainSet = false;
        Tell();
    }

    private sealed class Waiter(long since) : TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public long Since => since;
    }
}
