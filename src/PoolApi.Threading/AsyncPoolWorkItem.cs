using PoolApi.Threading.Core;

namespace PoolApi.Threading;

/// <summary>
/// Asynchronous work for a <see cref="FixedThreadPool"/>. While the item awaits, it holds no worker. Code after an
/// <see langword="await"/> that captures the context runs on a worker of the same pool again. The pool accepts such continuations
/// beyond its capacity and after it is closed, so that every accepted item can finish. The workers take them before queued items,
/// except for one start in sixteen.
/// </summary>
/// <remarks>An item that has run may be submitted again to the same pool only, because code of the earlier submission may still return there.</remarks>
public abstract class AsyncPoolWorkItem : PoolWorkItem
{
    // Guarded by the gate of the only pool that runs the item.
    internal int ActiveRuns; // workers that run code of this item right now: its body or its resumptions
    internal bool IsListed; // in the list of asynchronous items under way
    internal long BusyTicks; // the time it held a worker, without its awaits

    private WorkItemSynchronizationContext? _context; // of the last submission that ran

    /// <summary>The work. Called at most once for each submission, on a worker's thread.</summary>
    protected abstract ValueTask ExecuteAsync();

    /// <summary>Not used: asynchronous work starts in <see cref="ExecuteAsync"/>.</summary>
    protected sealed override void Execute() => throw new NotSupportedException();

    internal sealed override bool IsAsync => true;

    /// <summary>
    /// Only the pool that has run the item before. A late callback of an earlier submission may still reach that pool, whose gate guards the item's
    /// state.
    /// </summary>
    internal sealed override bool MayRunOn(PoolCore core) => _context is null || _context.Core == core;

    internal sealed override bool HoldsWorker => ActiveRuns > 0;

    internal sealed override void TakenLocked(object owner, bool isStart) => ((PoolCore)owner).Async.TakenLocked(this, isStart);

    internal sealed override void Start(PoolCore core, Worker worker)
    {
        // One context for each item, so that a view can show which item's continuation a worker runs.
        _context = new WorkItemSynchronizationContext(core, this);
        SynchronizationContext.SetSynchronizationContext(_context);
        // Not awaited: the item ends when this task ends. The task cannot fail.
        _ = RunToEndAsync(core);
    }

    internal sealed override void Resume(SendOrPostCallback callback, object? state)
    {
        SynchronizationContext.SetSynchronizationContext(_context);
        callback(state);
    }

    private async Task RunToEndAsync(PoolCore core)
    {
        WorkOutcome outcome = WorkOutcome.Completed;
        Exception? error = null;
        try
        {
            await ExecuteAsync();
        }
        catch (Exception e)
        {
            (outcome, error) = (OutcomeOf(e), e);
        }
        core.Async.End(this, outcome, error, Worker.Current);
    }
}
