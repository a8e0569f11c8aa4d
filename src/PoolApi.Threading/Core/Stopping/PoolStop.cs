using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core.Stopping;

/// <summary>The steps of a stop, each atomic except <see cref="CancelAll"/>, and the counts of the items that they interrupt.
/// <see cref="StopOrder{TOps}"/> runs them in order.</summary>
/// <remarks>
/// <para>The states are those of <see cref="PoolState"/>. A worker exits when the pool is stopping and no item is queued or in flight (an item
/// suspended in an await may still need a worker), or when the pool has stopped.</para>
/// <para>From the close on, running items are pinned (<see cref="ItemPins{TOps}"/>).</para>
/// </remarks>
internal sealed class PoolStop<TOps>(WorkQueue<TOps> queue, IStopHost host)
    where TOps : struct, IAtomicOps
{
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _givenUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Guarded by the gate.
    private readonly List<PoolWorkItem> _notStarted = [];
    private long _abandoned;

    private long _interrupted;

    /// <summary>Pins the items on the workers.</summary>
    public ItemPins<TOps> Pins { get; } = new();

    /// <summary>Completes when the pool is closed and every accepted item has ended.</summary>
    public Task Drained => _drained.Task;

    /// <summary>Completes when the loop of every worker has ended.</summary>
    public Task Exited => _exited.Task;

    /// <summary>Completes when the remaining work was given up: no queued continuation runs any more.</summary>
    public Task GivenUp => _givenUp.Task;

    /// <summary>Completes when every worker was joined or left behind.</summary>
    public Task Finished => _finished.Task;

    /// <summary>The number of items that were cancelled or abandoned by the stop and did not complete.</summary>
    public int Interrupted => (int)TOps.Read(ref _interrupted);

    public long AbandonedLocked
    {
        get
        {
            queue.AssertLocked();
            return _abandoned;
        }
    }

    public PoolState State => queue.State;

    /// <summary>In a debug build: asserts that the calling thread holds the gate.</summary>
    public void AssertLocked() => queue.AssertLocked();

    /// <summary>The items that ended as not started, in the order in which they were handed back.</summary>
    public PoolWorkItem[] NotStarted
    {
        get
        {
            queue.Enter();
            try
            {
                return [.. _notStarted];
            }
            finally
            {
                queue.Exit();
            }
        }
    }

    /// <summary>Closes the pool: it accepts no more items.</summary>
    public void Close()
    {
        Pins.Pin(PinReason.Closing); // fault point: close-pin
        DeferredActions after = default;
        queue.Enter();
        bool first = queue.CloseLocked(ref after);
        queue.Exit();
        host.CarryOut(ref after);
        if (first) host.RefuseWaiters();
    }

    /// <summary>Ends the queued items as not started, and cancels the tokens of the others. Called after Close.</summary>
    public void CancelAll()
    {
        HandBackQueued();
        CancelInFlight();
    }

    /// <summary>Ends all queued items as not started, by priority and then by age.</summary>
    public void HandBackQueued()
    {
        DeferredActions after = default;
        queue.Enter();
        try
        {
            ReserveLocked(ref after);
            HandBackLocked(ref after);
        }
        finally
        {
            queue.Exit();
            host.CarryOut(ref after);
        }
    }

    /// <summary>Cancels the tokens of all items in flight. Whether they end is up to the work. Called after Close.</summary>
    private void CancelInFlight()
    {
        var asked = new List<(PoolWorkItem Item, CancellationTokenSource? Source)>();
        queue.Enter();
        try
        {
            PoolWorkItem[] asynchronous = host.AsyncItemsLocked();
            asked.EnsureCapacity(asynchronous.Length + queue.Workers.Length); // before any mark, since a marked item's token must be cancelled
            foreach (PoolWorkItem item in asynchronous) asked.Add((item, item.MarkStopped<TOps>()));
            foreach (QueueWorker worker in queue.Workers)
            {
                if (TOps.Read(ref worker.Ledger.Item) is { IsAsync: false } item) asked.Add((item, item.MarkStopped<TOps>()));
            }
        }
        finally
        {
            queue.Exit();
        }
        // Only the sources of these submissions. Not awaited: the stop continues while callbacks run, and each reports
        // its own failure.
        foreach ((PoolWorkItem item, CancellationTokenSource? source) in asked) host.CancelToken(item, source);
    }

    /// <summary>Makes the workers end as soon as no work is left for them.</summary>
    public void LetGo() => StopAs(PoolState.Stopping);

    /// <summary>
    /// Gives up the remaining work: queued items end as not started, items in flight end as abandoned, and sleeping workers end. The returned workers
    /// are still inside an item's code. One atomic step, so that no item is queued in between. Called after Close.
    /// </summary>
    public QueueWorker[] Abandon()
    {
        long now = host.Now;
        var running = new List<QueueWorker>();
        var items = new List<PoolWorkItem>();
        DeferredActions after = default;
        queue.Enter();
        try
        {
            // Reserves memory before the first step, because the steps are taken all or none.
            ReserveLocked(ref after);
            items.EnsureCapacity(queue.AsyncInFlight + queue.Workers.Length);
            running.EnsureCapacity(queue.Workers.Length);
            queue.StopLocked(PoolState.Stopped, ref after); // fault point: abandon-stop
            HandBackLocked(ref after); // fault point: abandon-hand-back
            queue.DropResumptionsLocked();
            host.AbandonAsyncItemsLocked(items);
            foreach (QueueWorker worker in queue.Workers)
            {
                PoolWorkItem? item = TOps.Read(ref worker.Ledger.Item);
                if (item is null || !worker.IsLive) continue;
                // If a synchronous item is ending right now, its worker counts the end and leaves.
                if (!item.IsAsync && item.TryMove<TOps>(WorkItemState.InFlight, WorkItemState.Abandoned)) items.Add(item); // fault point: abandon-item
                // The item had timed out before, and its code has not returned in the grace time.
                if (item.State == WorkItemState.TimedOut) item.State = WorkItemState.Abandoned;
                if (item.IsAsync || item.State == WorkItemState.Abandoned) running.Add(worker);
            }
            foreach (PoolWorkItem item in items)
            {
                item.SignalStop<TOps>();
                item.EndedAt = now;
            }
            _abandoned += items.Count; // fault point: abandon-count
            TOps.Add(ref _interrupted, items.Count);
            queue.CheckDrainedLocked(ref after);
        }
        catch
        {
            queue.Exit();
            host.CarryOut(ref after);
            throw;
        }
        queue.Exit();
        _givenUp.TrySetResult();
        host.CarryOut(ref after); // wakes the leaving workers before code of a caller can block this thread
        host.NotifyAbandoned(items);
        return [.. running];
    }

    /// <summary>Every worker was joined or left behind.</summary>
    public void Finish()
    {
        StopAs(PoolState.Stopped);
        _finished.TrySetResult();
        host.StopTimers();
    }

    /// <summary>Every accepted item has ended.</summary>
    public void OnDrained() => _drained.TrySetResult();

    /// <summary>A worker's loop has ended.</summary>
    public void WorkerLeft()
    {
        queue.Enter();
        bool last = queue.LiveWorkers == 0; // fault point: worker-left
        queue.Exit();
        if (last) _exited.TrySetResult();
    }

    /// <summary>A running item has ended, which the stop may have cancelled.</summary>
    public void CountIfInterrupted(PoolWorkItem item, WorkOutcome outcome)
    {
        if (item.IsStopSignalled<TOps>() && outcome != WorkOutcome.Completed) TOps.Add(ref _interrupted, 1); // fault point: interrupted-count
    }

    /// <summary>A worker has released a pinned item. In a closed pool it may have been the last item.</summary>
    public void CheckDrained()
    {
        DeferredActions after = default;
        queue.Enter();
        queue.CheckDrainedLocked(ref after);
        queue.Exit();
        host.CarryOut(ref after);
    }

    /// <summary>Takes the memory for the queued items, of which each must be noted when it is handed back.</summary>
    private void ReserveLocked(ref DeferredActions after)
    {
        queue.AssertLocked();
        queue.GatherLocked(ref after);
        _notStarted.EnsureCapacity(_notStarted.Count + queue.Waiting);
    }

    private void HandBackLocked(ref DeferredActions after)
    {
        queue.AssertLocked();
        queue.HandBackLocked(_notStarted, ref after);
    }

    private void StopAs(PoolState state)
    {
        DeferredActions after = default;
        queue.Enter();
        queue.StopLocked(state, ref after);
        queue.Exit();
        host.CarryOut(ref after);
    }
}
