using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>The steps of a stop, each one atomic, and what has been given up by them; <see cref="PoolShutdown"/> puts them in order.</summary>
/// <remarks>
/// <code>
///   Running ──Close──► Draining ──LetGo──► Stopping ──last worker exits, or Abandon──► Stopped
/// </code>
/// <para>A worker exits when the pool is stopping and nothing waits or is in flight (an item suspended in an await may still
/// need it), or when the pool has stopped.</para>
/// <para>Once the pool is closed, what runs is pinned (<see cref="PoolCore.Pins"/>).</para>
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

    /// <summary>Completes when the pool is closed and everything it accepted has ended.</summary>
    public Task Drained => _drained.Task;

    /// <summary>Completes when the loop of every worker has ended.</summary>
    public Task Exited => _exited.Task;

    /// <summary>Completes when every worker has been dealt with.</summary>
    public Task Finished => _finished.Task;

    /// <summary>Items that were asked to stop, or given up, and did not complete.</summary>
    public int Interrupted => Volatile.Read(ref _interrupted);

    public long AbandonedLocked => _abandoned;

    public PoolState State => _finished.Task.IsCompleted ? PoolState.Stopped : core.Queue.State switch
    {
        QueueState.Open => PoolState.Running,
        QueueState.Closed => PoolState.Draining,
        QueueState.Stopping => PoolState.Stopping,
        _ => PoolState.Stopped,
    };

    /// <summary>What was handed back, in that order.</summary>
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

    /// <summary>From here on nothing more is accepted.</summary>
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

    /// <summary>Ends everything that waits as not started. The highest priority first, in each the oldest first.</summary>
    public void HandBackWaiting()
    {
        DeferredActions after = default;
        core.Queue.Enter();
        HandBackLocked(ref after);
        core.Queue.Exit();
        core.CarryOut(ref after);
    }

    /// <summary>Cancels the token of everything in flight; whether it ends is up to the work. After Close.</summary>
    public void CancelInFlight()
    {
        var asked = new List<(PoolWorkItem Item, CancellationTokenSource? Source)>();
        core.Queue.Enter();
        foreach (PoolWorkItem item in core.Async.UnderWayLocked()) asked.Add((item, item.AskToStop()));
        foreach (Worker worker in core.Workers.All)
        {
            if (worker.Ledger.Item is { } item and not AsyncPoolWorkItem) asked.Add((item, item.AskToStop()));
        }
        core.Queue.Exit();
        // The sources of these submissions and no others. Not awaited: the stop goes on while callbacks run, and each reports
        // its own failure.
        foreach ((PoolWorkItem item, CancellationTokenSource? source) in asked)
        {
            _ = CancelAsync(core, item, source);
        }
    }

    /// <summary>Tells the workers to end as soon as nothing is left for them.</summary>
    public void LetGo() => StopAs(QueueState.Stopping);

    /// <summary>
    /// Gives up: what waits is handed back, what is in flight ends as abandoned, sleeping workers end, and the workers returned
    /// are those that are still inside an item's code. One step, so that nothing comes to wait in between. After Close.
    /// </summary>
    public Worker[] Abandon()
    {
        long now = core.Clock.Now;
        var running = new List<Worker>();
        DeferredActions after = default;
        core.Queue.Enter();
        core.Queue.StopLocked(QueueState.Stopped, ref after);
        HandBackLocked(ref after);
        core.Queue.DropResumptionsLocked();
        List<PoolWorkItem> items = [.. core.Async.AbandonLocked()];
        foreach (Worker worker in core.Workers.All)
        {
            PoolWorkItem? item = worker.Ledger.Item;
            if (item is null || !worker.IsLive) continue;
            // If a synchronous item is ending right now, its worker is about to leave, and counts it.
            if (item is not AsyncPoolWorkItem && TryAbandon(item)) items.Add(item);
            // It has ended. Its worker was waited for in vain.
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
        core.CarryOut(ref after); // wakes those who are to leave before any code of a caller can keep this thread
        foreach (PoolWorkItem item in items) core.Records.EndedElsewhere(item, WorkOutcome.Abandoned);
        foreach (PoolWorkItem item in items) core.Listeners.Ended(item, WorkOutcome.Abandoned, null);
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
        core.StopTimers();
    }

    /// <summary>Everything accepted has ended.</summary>
    public void HasDrained() => _drained.TrySetResult();

    /// <summary>A worker's loop has ended.</summary>
    public void WorkerLeft()
    {
        core.Queue.Enter();
        bool last = core.Queue.LiveWorkers == 0;
        core.Queue.Exit();
        if (last) _exited.TrySetResult();
    }

    /// <summary>An item that ran has ended, and may have been asked to stop.</summary>
    public void CountIfInterrupted(PoolWorkItem item, WorkOutcome outcome)
    {
        if (item.StopSignalled && outcome != WorkOutcome.Completed) Interlocked.Increment(ref _interrupted);
    }

    /// <summary>A worker has let go of an item that was pinned: in a pool that closes it may have been the last.</summary>
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

    private void StopAs(QueueState state)
    {
        DeferredActions after = default;
        core.Queue.Enter();
        core.Queue.StopLocked(state, ref after);
        core.Queue.Exit();
        core.CarryOut(ref after);
    }

    /// <summary>The token is cancelled when this returns; its callbacks run elsewhere: one that does not come back must not hold
    /// up a stop with a deadline.</summary>
    /// <param name="core">The pool.</param>
    /// <param name="item">The item.</param>
    /// <param name="source">The source of the submission that is meant; null: nobody asked for its token.</param>
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
