using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core;

/// <summary>Those who wait for room in the queue, first come, first told. Nobody: one read for each item.</summary>
internal sealed class SpaceWaiters(PoolCore core)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<TaskCompletionSource<bool>> _waiters = new();
    private volatile int _count;

    /// <summary>Completes with true when there is room, which somebody else may take first; with false when the pool is closed.</summary>
    public async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (core.IsClosed) return false;
        if (core.HasRoomGuess) return true;
        TaskCompletionSource<bool> waiter = Enlist();
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

    /// <summary>As WaitAsync, blocking: looks for a moment first, since a worker frees places by the microsecond.</summary>
    public bool Wait(TimeSpan timeout)
    {
        long since = 0;
        do
        {
            if (core.IsClosed) return false;
            if (core.HasRoomGuess) return true;
        }
        while (ProcessorOps.KeepLooking(ref since));
        TaskCompletionSource<bool> waiter = Enlist();
        if (waiter.Task.Wait(timeout)) return waiter.Task.Result;
        Delist(waiter);
        return false;
    }

    /// <summary>Places may have become free, or the pool closed.</summary>
    public void TellIfAwaited()
    {
        if (_count > 0) Tell();
    }

    private TaskCompletionSource<bool> Enlist()
    {
        var waiter = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
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

    private void Delist(TaskCompletionSource<bool> waiter)
    {
        lock (_lock)
        {
            _waiters.Remove(waiter);
            _count = _waiters.Count;
        }
        // It may have been told just now, and another could have had the news.
        if (waiter.Task.IsCompleted) Tell();
    }

    private void Tell()
    {
        lock (_lock)
        {
            bool closed = core.IsClosed;
            // As many as there are places: more would come in vain.
            for (long room = core.RoomGuess; _waiters.First is { } first && (closed || room > 0); room--)
            {
                _waiters.RemoveFirst();
                first.Value.TrySetResult(!closed);
            }
            _count = _waiters.Count;
        }
    }
}
