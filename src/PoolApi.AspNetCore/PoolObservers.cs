using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>Notifies several observers. An exception of one observer does not keep the others from being notified.</summary>
internal sealed class PoolObservers(IReadOnlyList<IFixedThreadPoolObserver> observers) : IFixedThreadPoolObserver
{
    public void WorkAccepted(PoolWorkItem item) => Tell(item, static (o, i) => o.WorkAccepted(i));

    public void WorkStarted(int workerId, PoolWorkItem item) => Tell((workerId, item), static (o, a) => o.WorkStarted(a.workerId, a.item));

    public void WorkFinished(PoolWorkItem item, WorkOutcome outcome, Exception? exception) =>
        Tell((item, outcome, exception), static (o, a) => o.WorkFinished(a.item, a.outcome, a.exception));

    public void UnhandledException(PoolWorkItem item, Exception exception) =>
        Tell((item, exception), static (o, a) => o.UnhandledException(a.item, a.exception));

    public void WorkerStarted(int workerId) => Tell(workerId, static (o, id) => o.WorkerStarted(id));

    public void WorkerStopped(int workerId) => Tell(workerId, static (o, id) => o.WorkerStopped(id));

    public void WorkerStuck(WorkerSnapshot worker) => Tell(worker, static (o, w) => o.WorkerStuck(w));

    public void WorkerBlocked(WorkerSnapshot worker, bool hasStandIn) => Tell((worker, hasStandIn), static (o, e) => o.WorkerBlocked(e.worker, e.hasStandIn));

    public void WorkerRecovered(int workerId) => Tell(workerId, static (o, id) => o.WorkerRecovered(id));

    public void WorkerStateFailed(int workerId, Exception exception) =>
        Tell((workerId, exception), static (o, a) => o.WorkerStateFailed(a.workerId, a.exception));

    public void WorkerReplaced(int workerId, Exception exception) =>
        Tell((workerId, exception), static (o, a) => o.WorkerReplaced(a.workerId, a.exception));

    public void WorkerLost(int workerId, Exception exception) => Tell((workerId, exception), static (o, a) => o.WorkerLost(a.workerId, a.exception));

    public void WorkerJoined(int workerId) => Tell(workerId, static (o, id) => o.WorkerJoined(id));

    public void WorkerNotJoined(WorkerSnapshot worker) => Tell(worker, static (o, w) => o.WorkerNotJoined(w));

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
