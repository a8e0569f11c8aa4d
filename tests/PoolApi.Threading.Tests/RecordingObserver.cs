using System.Collections.Concurrent;

namespace PoolApi.Threading.Tests;

/// <summary>Writes down what it is told; throws each time, if asked to.</summary>
internal sealed class RecordingObserver(bool throws = false) : IFixedThreadPoolObserver
{
    public ConcurrentQueue<(int Worker, PoolWorkItem Item)> Started { get; } = new();

    public ConcurrentQueue<PoolWorkItem> Accepted { get; } = new();

    public ConcurrentQueue<(PoolWorkItem Item, WorkOutcome Outcome, Exception? Error)> Finished { get; } = new();

    public ConcurrentQueue<(int Worker, Thread Thread)> WorkersStarted { get; } = new();

    public ConcurrentQueue<(int Worker, Thread Thread)> WorkersStopped { get; } = new();

    public ConcurrentQueue<WorkerSnapshot> Stuck { get; } = new();

    public ConcurrentQueue<(WorkerSnapshot Worker, bool HasStandIn)> Blocked { get; } = new();

    public ConcurrentQueue<int> Recovered { get; } = new();

    public ConcurrentQueue<(int Worker, Exception Error)> StateFailed { get; } = new();

    public ConcurrentQueue<(int Worker, Exception Error)> Lost { get; } = new();

    public ConcurrentQueue<(PoolWorkItem Item, Exception Error)> Unhandled { get; } = new();

    public ConcurrentQueue<(int Worker, Exception Error)> Replaced { get; } = new();

    public ConcurrentQueue<int> Joined { get; } = new();

    public ConcurrentQueue<WorkerSnapshot> NotJoined { get; } = new();

    public void WorkAccepted(PoolWorkItem item) => Told(Accepted, item);

    public void WorkFinished(PoolWorkItem item, WorkOutcome outcome, Exception? exception) => Told(Finished, (item, outcome, exception));

    public void WorkerStarted(int workerId) => Told(WorkersStarted, (workerId, Thread.CurrentThread));

    public void WorkerStopped(int workerId) => Told(WorkersStopped, (workerId, Thread.CurrentThread));

    public void WorkerStuck(WorkerSnapshot worker) => Told(Stuck, worker);

    public void WorkerBlocked(WorkerSnapshot worker, bool hasStandIn) => Told(Blocked, (worker, hasStandIn));

    public void WorkerRecovered(int workerId) => Told(Recovered, workerId);

    public void WorkerStateFailed(int workerId, Exception exception) => Told(StateFailed, (workerId, exception));

    public void WorkerLost(int workerId, Exception exception) => Told(Lost, (workerId, exception));

    public void WorkStarted(int workerId, PoolWorkItem item) => Told(Started, (workerId, item));

    public void UnhandledException(PoolWorkItem item, Exception exception) => Told(Unhandled, (item, exception));

    public void WorkerReplaced(int workerId, Exception exception) => Told(Replaced, (workerId, exception));

    public void WorkerJoined(int workerId) => Told(Joined, workerId);

    public void WorkerNotJoined(WorkerSnapshot worker) => Told(NotJoined, worker);

    private void Told<T>(ConcurrentQueue<T> where, T what)
    {
        where.Enqueue(what);
        if (throws) throw new InvalidOperationException("the observer throws");
    }
}
