using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>Notifies several observers. An exception of one observer does not keep the others from being notified.</summary>
internal sealed class PoolObservers(IReadOnlyList<IFixedThreadPoolObserver> observers) : IFixedThreadPoolObserver
{
    public void WorkStarted(int workerId, PoolWorkItem item) => Tell((workerId, item), static (o, a) => o.WorkStarted(a.workerId, a.item));

    public void WorkFinished(PoolWorkItem item, WorkOutcome outcome, Exception? exception) =>
        Tell((item, outcome, exception), static (o, a) => o.WorkFinished(a.item, a.outcome, a.exception));

    public void UnhandledException(Exception exception, PoolWorkItem? item, int? workerId) =>
        Tell((exception, item, workerId), static (o, a) => o.UnhandledException(a.exception, a.item, a.workerId));

    public void WorkerHealthChanged(WorkerSnapshot worker) => Tell(worker, static (o, w) => o.WorkerHealthChanged(w));

    public void WorkerBlocked(WorkerSnapshot worker, bool hasStandIn) => Tell((worker, hasStandIn), static (o, a) => o.WorkerBlocked(a.worker, a.hasStandIn));

    public void WorkerDied(int workerId, Exception exception, bool isReplaced) =>
        Tell((workerId, exception, isReplaced), static (o, a) => o.WorkerDied(a.workerId, a.exception, a.isReplaced));

    public void WorkerJoined(WorkerSnapshot worker, bool inTime) => Tell((worker, inTime), static (o, a) => o.WorkerJoined(a.worker, a.inTime));

    private void Tell<T>(T what, Action<IFixedThreadPoolObserver, T> tell)
    {
        foreach (IFixedThreadPoolObserver observer in observers)
        {
            try
            {
                tell(observer, what);
            }
            catch (Exception)
            {
                // The pool drops exceptions of observers too.
            }
        }
    }
}
