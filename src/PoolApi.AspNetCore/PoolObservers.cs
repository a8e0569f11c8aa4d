using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>Notifies several observers. An exception of one observer does not keep the others from being notified.</summary>
internal sealed class PoolObservers(IReadOnlyList<IFixedThreadPoolObserver> observers) : IFixedThreadPoolObserver
{
    public void WorkStarted(int workerId, PoolWorkItem item) => Notify((workerId, item), static (o, a) => o.WorkStarted(a.workerId, a.item));

    public void WorkFinished(PoolWorkItem item, WorkOutcome outcome, Exception? exception) =>
        Notify((item, outcome, exception), static (o, a) => o.WorkFinished(a.item, a.outcome, a.exception));

    public void UnhandledException(Exception exception, PoolWorkItem? item, int? workerId) =>
        Notify((exception, item, workerId), static (o, a) => o.UnhandledException(a.exception, a.item, a.workerId));

    public void WorkerHealthChanged(WorkerSnapshot worker) => Notify(worker, static (o, w) => o.WorkerHealthChanged(w));

    public void WorkerBlocked(WorkerSnapshot worker, bool hasStandIn) => Notify((worker, hasStandIn), static (o, a) => o.WorkerBlocked(a.worker, a.hasStandIn));

    public void WorkerDied(int workerId, Exception exception, bool isReplaced) =>
        Notify((workerId, exception, isReplaced), static (o, a) => o.WorkerDied(a.workerId, a.exception, a.isReplaced));

    public void WorkerJoined(WorkerSnapshot worker, bool inTime) => Notify((worker, inTime), static (o, a) => o.WorkerJoined(a.worker, a.inTime));

    private void Notify<T>(T what, Action<IFixedThreadPoolObserver, T> notify)
    {
        foreach (IFixedThreadPoolObserver observer in observers)
        {
            try
            {
                notify(observer, what);
            }
            catch (Exception)
            {
                // The pool drops exceptions of observers too.
            }
        }
    }
}
