using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <content>The steps of a stop; <see cref="PoolShutdown"/> puts them in order.</content>
/// <remarks>
/// <code>
///   Running ──Close──► Draining ──Stop──► Stopping ──last worker exits, or Abandon──► Stopped
/// </code>
/// A worker exits when the pool is stopping and nothing waits or is in flight (an item suspended in an await may still
/// need it), or when the pool has stopped.
/// </remarks>
internal sealed partial class PoolCore
{
    /// <summary>How long a worker with nothing in hand may take to leave its loop and its thread.</summary>
    public static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isClosing;
    private int _interrupted; // items asked to stop by CancelInFlight that did not complete

    public TimeProvider Time => _time;

    public bool IsClosed => _queue.IsClosed;

    /// <summary>True from just before the pool is closed. Cheaper to read: submitters do not write beside it.</summary>
    public bool IsClosing => _isClosing;

    /// <summary>Completes when the pool is closed and everything it accepted has ended.</summary>
    public Task Drained => _drained.Task;

    /// <summary>Completes when the loop of every worker has ended.</summary>
    public Task Exited => _exited.Task;

    /// <summary>Completes when every worker has been dealt with.</summary>
    public Task Finished => _finished.Task;

    public int Interrupted => Volatile.Read(ref _interrupted);

    private PoolState State => _finished.Task.IsCompleted ? PoolState.Stopped : _queue.State switch
    {
        QueueState.Open => PoolState.Running,
        QueueState.Closed => PoolState.Draining,
        QueueState.Stopping => PoolState.Stopping,
        _ => PoolState.Stopped,
    };

    /// <summary>From here on nothing more is accepted.</summary>
    public void Close()
    {
        _isClosing = true;
        // A fence on every thread of the process, so that the workers need none for each item. Pairs with PoolCore.End.
        Interlocked.MemoryBarrierProcessWide();
        Aftermath after = default;
        _queue.Enter();
        bool first = _queue.CloseLocked(ref after);
        _queue.Exit();
        CarryOut(ref after);
        if (first) _space.TellIfAwaited();
    }

    /// <summary>Ends everything that waits as not started. The highest priority first, in each the oldest first.</summary>
    public IReadOnlyList<PoolWorkItem> HandBackWaiting()
    {
        var items = new List<PoolWorkItem>();
        Aftermath after = default;
        _queue.Enter();
        _queue.HandBackLocked(items, ref after);
        _queue.Exit();
        CarryOut(ref after);
        return items;
    }

    /// <summary>Cancels the token of everything in flight; whether it ends is up to the work.</summary>
    /// <returns>How many items that were.</returns>
    public int CancelInFlight()
    {
        var items = new List<PoolWorkItem>();
        _queue.Enter();
        items.AddRange(_async.ToArray());
        foreach (Worker worker in _workers)
        {
            if (worker.Ledger.Item is { } item and not AsyncPoolWorkItem) items.Add(item);
        }
        foreach (PoolWorkItem item in items) item.StopSignalled = true;
        _queue.Exit();
        // Not awaited: the stop goes on while callbacks run. Each reports its own failure.
        foreach (PoolWorkItem item in items) _ = item.SignalStopAsync();
        return items.Count;
    }

    /// <summary>Tells the workers to end as soon as nothing is left for them.</summary>
    public void Stop() => StopAs(QueueState.Stopping);

    /// <summary>
    /// Gives up: what waits is handed back, what is in flight ends as abandoned, sleeping workers end, and the workers returned
    /// are those that are still inside an item's code. One step, so that nothing comes to wait in between.
    /// </summary>
    /// <param name="abandoned">How many items it has given up on.</param>
    /// <param name="handedBack">What waited.</param>
    public Worker[] Abandon(out int abandoned, out IReadOnlyList<PoolWorkItem> handedBack)
    {
        long now = Now;
        var waited = new List<PoolWorkItem>();
        var items = new List<PoolWorkItem>();
        var running = new List<Worker>();
        Aftermath after = default;
        _queue.Enter();
        _queue.StopLocked(QueueState.Stopped, ref after);
        _queue.HandBackLocked(waited, ref after);
        _queue.DropResumptionsLocked();
        foreach (PoolWorkItem item in _async.ToArray())
        {
            Unlist((AsyncPoolWorkItem)item);
            item.State = WorkItemState.Abandoned;
            items.Add(item);
        }
        foreach (Worker worker in _workers)
        {
            PoolWorkItem? item = worker.Ledger.Item;
            if (item is null || !worker.IsLive) continue;
            // If a synchronous item is ending right now, its worker is about to leave, and counts it.
            if (item is not AsyncPoolWorkItem && TryAbandon(item)) items.Add(item);
            if (item is AsyncPoolWorkItem || item.State == WorkItemState.Abandoned) running.Add(worker);
        }
        foreach (PoolWorkItem item in items)
        {
            item.StopSignalled = true;
            item.EndedAt = now;
            _endedElsewhere.Add(WorkOutcome.Abandoned);
        }
        Interlocked.Add(ref _interrupted, items.Count);
        _queue.NothingLeftLocked(ref after);
        _queue.Exit();
        CarryOut(ref after); // wakes those who are to leave before any code of a caller can keep this thread
        foreach (PoolWorkItem item in items) Notify(item, WorkOutcome.Abandoned, null);
        abandoned = items.Count;
        handedBack = waited;
        return [.. running];

        // Decides between this end and the worker's own, in PoolCore.End.
        static bool TryAbandon(PoolWorkItem item) =>
            Interlocked.CompareExchange(ref item.StateWord, (int)WorkItemState.Abandoned, (int)WorkItemState.InFlight)
                == (int)WorkItemState.InFlight;
    }

    /// <summary>Every worker has been dealt with.</summary>
    public void Finish()
    {
        StopAs(QueueState.Stopped);
        _finished.TrySetResult();
        DisposeTimers();
    }

    public void Joined(Worker worker) => Tell(static (o, w, _, _) => o.WorkerJoined(w), worker.Id, null, null);

    public void NotJoined(Worker worker, WorkerSnapshot snapshot)
    {
        if (_observer is not null) Tell((o, _, _, _) => o.WorkerNotJoined(snapshot), worker.Id, null, null);
    }

    private void TellIfNothingLeft()
    {
        Aftermath after = default;
        _queue.Enter();
        _queue.NothingLeftLocked(ref after);
        _queue.Exit();
        CarryOut(ref after);
    }

    private void StopAs(QueueState state)
    {
        Aftermath after = default;
        _queue.Enter();
        _queue.StopLocked(state, ref after);
        _queue.Exit();
        CarryOut(ref after);
    }

    /// <summary>A worker's loop has ended.</summary>
    private void WorkerLeft()
    {
        _queue.Enter();
        bool last = _queue.LiveWorkers == 0;
        _queue.Exit();
        if (last) _exited.TrySetResult();
    }

    private void DisposeTimers()
    {
        _expiry.Dispose();
        _space.Stop();
        _watch.Stop();
    }
}
