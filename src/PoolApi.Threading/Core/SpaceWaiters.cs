using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core;

/// <summary>Those who wait for room in the queue, first come, first told. Nobody: one read for each item.</summary>
/// <remarks>
/// Waking somebody costs as much as hundreds of tiny items. So one who waits is told when there is room for as much as the
/// pool does in <see cref="Worthwhile"/>, or for one when he has waited for that long: with items of 100 µs and more that is
/// the first place that is freed; with tiny ones it keeps submitter and workers from going in lockstep, one place at a time.
/// If neither comes to pass, because the next item is a long one, a timer tells him.
/// </remarks>
#pragma warning disable CA1001 // its timer is set for a millisecond at most, and holds nothing but the pool
internal sealed class SpaceWaiters(PoolCore core)
#pragma warning restore CA1001
{
    /// <summary>About twice what it takes to wake a thread.</summary>
    private static readonly TimeSpan Worthwhile = TimeSpan.FromMicroseconds(100);

    private static readonly TimeSpan OneMillisecond = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(20); // a wait counts 24 days at most

    private readonly Lock _lock = new();
    private ITimer? _retry; // made when it is first needed
    private readonly LinkedList<Waiter> _waiters = new();
    private volatile int _count;

    /// <summary>Completes with true when there is room, which somebody else may take first; with false when the pool is closed.</summary>
    public async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (core.IsClosed) return false;
        if (core.HasRoomGuess) return true;
        Waiter waiter = Enlist();
        try
        {
            return await waiter.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Delist(waiter);
        }
    }

    /// <summary>As WaitAsync, blocking: looks for a moment first, since a worker frees places by the microsecond.</summary>
    public bool Wait(TimeSpan timeout)
    {
        long since = 0;
        do
        {
            if (core.IsClosed) return false;
            if (core.RoomGuess >= core.PlacesFreedIn(Worthwhile)) return true;
        }
        while (ProcessorOps.KeepLooking(ref since));
        Waiter waiter = Enlist();
        try
        {
            return waiter.Task.Wait(timeout < LongestWait ? timeout : Timeout.InfiniteTimeSpan) && waiter.Task.Result;
        }
        finally
        {
            Delist(waiter);
        }
    }

    /// <summary>Places may have become free, or the pool closed.</summary>
    public void TellIfAwaited()
    {
        if (_count > 0) Tell();
    }

    private Waiter Enlist()
    {
        var waiter = new Waiter(core.Time.GetTimestamp());
        lock (_lock)
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
        bool wasTold;
        lock (_lock)
        {
            wasTold = !_waiters.Remove(waiter);
            _count = _waiters.Count;
        }
        // It may have been told and gone without taking the place; another could have had the news.
        if (wasTold) TellIfAwaited();
    }

    private void Tell()
    {
        lock (_lock)
        {
            bool closed = core.IsClosed;
            long room = core.RoomGuess;
            if (room < core.PlacesFreedIn(Worthwhile) && !closed)
            {
                if (room <= 0 || _waiters.First is not { } longest) return;
                if (core.Time.GetElapsedTime(longest.Value.Since) < Worthwhile)
                {
                    _retry ??= core.Time.CreateTimer(static self => ((SpaceWaiters)self!).Tell(), this, OneMillisecond, Timeout.InfiniteTimeSpan);
                    _retry.Change(OneMillisecond, Timeout.InfiniteTimeSpan);
                    return;
                }
            }
            // As many as there are places: more would come in vain.
            for (; _waiters.First is { } first && (closed || room > 0); room--)
            {
                _waiters.RemoveFirst();
                first.Value.TrySetResult(!closed);
            }
            _count = _waiters.Count;
        }
    }

    private sealed class Waiter(long since) : TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public long Since => since;
    }
}
