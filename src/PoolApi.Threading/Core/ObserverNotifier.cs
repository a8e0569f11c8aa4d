using System.Diagnostics;

namespace PoolApi.Threading.Core;

/// <summary>
/// Notifies the observer, the listeners of the metrics, and an item that has ended. All of these are code of a caller, so
/// exceptions are caught here, and no lock is held except a batch's own (<see cref="MeasurementBatch"/>).
/// </summary>
internal sealed class ObserverNotifier(PoolCore core, IFixedThreadPoolObserver? observer)
{
    /// <returns>The result, for the submitter.</returns>
    public SubmitResult Refused(SubmitResult result, int items)
    {
        Refused(result == SubmitResult.Closed ? "draining" : "queue_full", items);
        return result;
    }

    /// <summary>Counts refused items: of the pool itself, or of an admission control in front of it.</summary>
    public void Refused(string reason, int items)
    {
        core.Records.Refused(reason, items);
        try
        {
            core.Instruments.Rejected(core, reason, items);
        }
        catch (Exception)
        {
            // A listener of the metrics threw. The submitter must get its result anyway.
        }
    }

    public void Started(Worker worker, PoolWorkItem item)
    {
        if (observer is not null) Notify(static (o, w, i, _) => o.WorkStarted(w, i!), worker.Id, item, null);
    }

    /// <summary>Notifies everybody of an item's end, the item itself last: from then on it may be submitted again.</summary>
    /// <param name="item">The item that has ended.</param>
    /// <param name="outcome">The outcome.</param>
    /// <param name="error">The exception that it threw.</param>
    /// <param name="batch">The batch that keeps the measurement for now; null: it is recorded at once.</param>
    public void Ended(PoolWorkItem item, WorkOutcome outcome, Exception? error, MeasurementBatch? batch = null)
    {
        try
        {
            if (core.Instruments.MeasureItems)
            {
                Measured measured = PoolInstruments.Measure(item, outcome);
                // The metrics attach the current trace to a measurement as its exemplar. So an item with a recorded trace is measured at once.
                if (batch is null || Activity.Current is { Recorded: true }) core.Instruments.Ended(core, [measured]);
                else batch.Add(core, measured);
            }
        }
        catch (Exception e)
        {
            // A listener of the metrics threw. The item must be notified anyway.
            Unhandled(item, e);
        }
        if (observer is not null)
        {
            try
            {
                observer.WorkFinished(item, outcome, error);
            }
            catch (Exception)
            {
                // As in Notify.
            }
        }
        try
        {
            item.NotifyEnded(outcome, error);
        }
        catch (Exception e)
        {
            Unhandled(item, e);
        }
    }

    public void Unhandled(PoolWorkItem item, Exception error) =>
        Notify((o, _, i, e) => o.UnhandledException(e!, i, Worker.Current is { } worker && worker.Core == core ? worker.Id : null), 0, item, error);

    /// <summary>Records a worker's measurements so far.</summary>
    public void Record(MeasurementBatch batch)
    {
        try
        {
            batch.Record(core);
        }
        catch (Exception)
        {
            // A listener of the metrics threw. The observer is not notified, because a batch belongs to no single item.
        }
    }

    public void WorkerStateFailed(Worker worker, Exception error) =>
        Notify(static (o, w, _, e) => o.UnhandledException(e!, null, w), worker.Id, null, error);

    public void WorkerReplaced(Worker worker, Exception error)
    {
        CountReplaced("died");
        Notify(static (o, w, _, e) => o.WorkerDied(w, e!, isReplaced: true), worker.Id, null, error);
    }

    public void StuckReplaced() => CountReplaced("stuck");

    /// <param name="worker">The worker when it became stuck, or when it had recovered.</param>
    /// <param name="isStuck">Whether it has become stuck.</param>
    public void WorkerHealthChanged(WorkerView worker, bool isStuck)
    {
        if (observer is null) return;
        WorkerSnapshot snapshot = core.Views.SnapshotOf(worker, isStuck);
        Notify((o, _, _, _) => o.WorkerHealthChanged(snapshot), snapshot.Id, null, null);
    }

    public void WorkerBlocked(WorkerSnapshot worker, bool hasStandIn) =>
        Notify((o, _, _, _) => o.WorkerBlocked(worker, hasStandIn), worker.Id, null, null);

    public void StandInStarted() => CountReplaced("blocked");

    public void WorkerLost(Worker worker, Exception error) =>
        Notify(static (o, w, _, e) => o.WorkerDied(w, e!, isReplaced: false), worker.Id, null, error);

    public void WorkerJoined(Worker worker, bool inTime)
    {
        if (observer is null) return;
        WorkerSnapshot snapshot = core.Views.Snapshot(worker);
        Notify((o, _, _, _) => o.WorkerJoined(snapshot, inTime), worker.Id, null, null);
    }

    private void CountReplaced(string reason)
    {
        try
        {
            core.Instruments.Replaced(core, reason);
        }
        catch (Exception)
        {
            // A listener of the metrics threw. The worker must be replaced anyway.
        }
    }

    private void Notify(
        Action<IFixedThreadPoolObserver, int, PoolWorkItem?, Exception?> what, int worker, PoolWorkItem? item, Exception? error)
    {
        if (observer is null) return;
        try
        {
            what(observer, worker, item, error);
        }
        catch (Exception)
        {
            // An exception of the observer must not affect the worker that notifies it.
        }
    }
}
