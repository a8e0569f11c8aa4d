using PoolApi.Threading.Core;

namespace PoolApi.Threading;

/// <summary>
/// Asynchronous work for a <see cref="FixedThreadPool"/>. While it awaits it holds no worker; whatever follows an
/// <see langword="await"/> that captures the context runs on a worker of the same pool again. Resumptions go before
/// waiting items (all but one in sixteen), past the queue's capacity and past closing, so that what was accepted can
/// always finish.
/// </summary>
public abstract class AsyncPoolWorkItem : PoolWorkItem
{
    // Guarded by the gate.
    internal int ActiveRuns; // workers that run code of this item right now: its body or its resumptions
    internal bool IsListed; // in the list of asynchronous items under way
    internal long BusyTicks; // the time it held a worker, without its awaits

    private WorkItemSynchronizationContext? _context;

    /// <summary>The work. Called at most once for each submission, on a worker's thread.</summary>
    protected abstract ValueTask ExecuteAsync();

    /// <summary>Not used: asynchronous work starts in <see cref="ExecuteAsync"/>.</summary>
    protected sealed override void Execute() => throw new NotSupportedException();

    internal sealed override bool IsAsync => true;

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
