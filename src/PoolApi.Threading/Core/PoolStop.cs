using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>The atomic steps of a stop, and the counts of the items that they interrupt. <see cref="PoolShutdown"/> runs them in order.</summary>
/// <remarks>
/// <para>The states are those of <see cref="PoolState"/>. A worker exits when the pool is stopping and no item is queued or in flight (an item suspended in an await may still
/// need it), or when the pool has stopped.</para>
/// <para>From the close on, running items are pinned (<see cref="PoolCore.Pins"/>).</para>
/// </remarks>
internal sealed class PoolStop(PoolCore core)
{
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Guarded by the gate.
    private readonly List<PoolWorkItem> _notStarted = [];
    private long _abandoned;

    private int _interrupted;

    /// <summary>Completes when the pool is closed and every accepted item has ended.</summary>
    public Task Drained => _drained.Task;

    /// <summary>Completes when the loop of every worker has ended.</summary>
    public Task Exited => _exited.Task;

    /// <summary>Completes when every worker was joined or left behind.</summary>
    public Task Finished => _finished.Task;

    /// <summary>The number of items that were cancelled or abandoned by the stop and did not complete.</summary>
    public int Interrupted => Volatile.Read(ref _interrupted);

    public long AbandonedLocked => _abandoned;

    public PoolState State => core.Queue.State;

    /// <summary>The items that ended as not started, in the order in which they were handed back.</summary>
    public PoolWorkItem[] NotStarted
    {
        get
        {
            core.Queue.Enter();
            PoolWorkItem[] notStarted = [.. _notStarted];
            core.Queue.Exit();
            return notStarted;
        }
    }

    /// <summary>Closes the pool: it accepts no more items.</summary>
    public void Close()
    {
        core.Pin(PinReason.Closing);
        DeferredActions after = default;
        core.Queue.Enter();
        bool first = core.Queue.CloseLocked(ref after);
        core.Queue.Exit();
        core.CarryOut(ref after);
        if (first) core.Space.TellIfAwaited();
    }

    /// <summary>Ends all queued items as not started, by priority and then by age.</summary>
    public void HandBackWaiting()
    {
        DeferredActions after = default;
        core.Queue.Enter();
        HandBackLocked(ref after);
        core.Queue.Exit();
        core.CarryOut(ref after);
    }

    /// <summary>Cancels the tokens of all items in flight. Whether they end is up to the work. Called after Close.</summary>
    public void CancelInFlight()
    {
        var asked = new List<(PoolWorkItem Item, CancellationTokenSource? Source)>();
        core.Queue.Enter();
        foreach (PoolWorkItem item in core.Async.UnderWayLocked()) asked.Add((item, item.SignalStop()));
        foreach (Worker worker in core.Workers.All)
        {
            if (worker.Ledger.Item is { } item and not AsyncPoolWorkItem) asked.Add((item, item.SignalStop()));
        }
        core.Queue.Exit();
        // Only the sources of these submissions. Not awaited: the stop goes on while callbacks run, and each reports
        // its own failure.
        foreach ((PoolWorkItem item, CancellationTokenSource? source) in asked)
        {
            _ = CancelAsync(core, item, source);
        }
    }

    /// <summary>Makes the workers end as soon as no work is left for them.</summary>
    public void LetGo() => StopAs(PoolState.Stopping);

    /// <summary>
    /// Gives up the remaining work: queued items end as not started, items in flight end as abandoned, and sleeping workers end. The returned workers
    /// are still inside an item's code. One atomic step, so that no item is queued in between. Called after Close.
    /// </summary>
    public Worker[] Abandon()
    {
        long now = core.Clock.Now;
        var running = new List<Worker>();
        DeferredActions after = default;
        core.Queue.Enter();
        core.Queue.StopLocked(PoolState.Stopped, ref after);
        HandBackLocked(ref after);
        core.Queue.DropResumptionsLocked();
        List<PoolWorkItem> items = [.. core.Async.AbandonLocked()];
        foreach (Worker worker in core.Workers.All)
        {
            PoolWorkItem? item = worker.Ledger.Item;
            if (item is null || !worker.IsLive) continue;
            // If a synchronous item is ending right now, its worker counts the end and leaves.
            if (item is not AsyncPoolWorkItem && item.TryMove<ProcessorOps>(WorkItemState.InFlight, WorkItemState.Abandoned)) items.Add(item);
            // The item has timed out before. Its worker did not come back in time.
            if (item.State == WorkItemState.TimedOut) item.State = WorkItemState.Abandoned;
            if (item is AsyncPoolWorkItem || item.State == WorkItemState.Abandoned) running.Add(worker);
        }
        foreach (PoolWorkItem item in items)
        {
            item.StopSignalled = true;
            item.EndedAt = now;
        }
        _abandoned += items.Count;
        Interlocked.Add(ref _interrupted, items.Count);
        core.Queue.NothingLeftLocked(ref after);
        core.Queue.Exit();
        core.CarryOut(ref after); // wakes the leaving workers before code of a caller can block this thread
        foreach (PoolWorkItem item in items) core.Records.EndedElsewhere(item, WorkOutcome.Abandoned);
        foreach (PoolWorkItem item in items) core.Listeners.Ended(item, WorkOutcome.Abandoned, null);
        return [.. running];
    }

    /// <summary>Every worker was joined or left behind.</summary>
    public void Finish()
    {
        StopAs(PoolState.Stopped);
        _finished.TrySetResult();
        core.StopTimers();
    }

    /// <summary>Every accepted item has ended.</summary>
    public void HasDrained() => _drained.TrySetResult();

    /// <summary>A worker's loop has ended.</summary>
    public void WorkerLeft()
    {
        core.Queue.Enter();
        bool last = core.Queue.LiveWorkers == 0;
        core.Queue.Exit();
        if (last) _exited.TrySetResult();
    }

    /// <summary>A running item has ended, which the stop may have cancelled.</summary>
    public void CountIfInterrupted(PoolWorkItem item, WorkOutcome outcome)
    {
        if (item.StopSignalled && outcome != WorkOutcome.Completed) Interlocked.Increment(ref _interrupted);
    }

    /// <summary>A worker has released a pinned item. In a closed pool it may have been the last item.</summary>
    public void TellIfNothingLeft()
    {
        DeferredActions after = default;
        core.Queue.Enter();
        core.Queue.NothingLeftLocked(ref after);
        core.Queue.Exit();
        core.CarryOut(ref after);
    }

    private void HandBackLocked(ref DeferredActions after)
    {
        core.Queue.AssertLocked();
        core.Queue.HandBackLocked(_notStarted, ref after);
    }

    private void StopAs(PoolState state)
    {
        DeferredActions after = default;
        core.Queue.Enter();
        core.Queue.StopLocked(state, ref after);
        core.Queue.Exit();
        core.CarryOut(ref after);
    }

    /// <summary>Cancels the token before it returns. The callbacks run on other threads, because a callback that blocks must not hold
    /// up a stop with a deadline.</summary>
    /// <param name="core">The pool.</param>
    /// <param name="item">The item.</param>
    /// <param name="source">The source of the submission; null: its token was never read.</param>
    public static async Task CancelAsync(PoolCore core, PoolWorkItem item, CancellationTokenSource? source)
    {
        if (source is null) return;
        try
        {
            await source.CancelAsync().ConfigureAwait(false);
        }
        catch (AggregateException e)
        {
            core.Listeners.Unhandled(item, e);
        }
    }
}
