using System.Collections.Concurrent;

namespace PoolApi.Threading.Tests.Support;

/// <summary>Records every notification. If asked to, it throws after each.</summary>
internal sealed class RecordingObserver(bool throws = false) : IFixedThreadPoolObserver
{
    public ConcurrentQueue<(int Worker, PoolWorkItem Item)> Started { get; } = new();

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

    public void WorkFinished(PoolWorkItem item, WorkOutcome outcome, Exception? exception) => Record(Finished, (item, outcome, exception));

    public void WorkerHealthChanged(WorkerSnapshot worker)
    {
        if (worker.State == WorkerState.Stuck) Record(Stuck, worker);
        else Record(Recovered, worker.Id);
    }

    public void WorkerBlocked(WorkerSnapshot worker, bool hasStandIn) => Record(Blocked, (worker, hasStandIn));

    public void WorkStarted(int workerId, PoolWorkItem item) => Record(Started, (workerId, item));

    public void UnhandledException(Exception exception, PoolWorkItem? item, int? workerId)
    {
        if (item is null) Record(StateFailed, (workerId!.Value, exception));
        else Record(Unhandled, (item, exception));
    }

    public void WorkerDied(int workerId, Exception exception, bool isReplaced) => Record(isReplaced ? Replaced : Lost, (workerId, exception));

    public void WorkerJoined(WorkerSnapshot worker, bool inTime)
    {
        if (inTime) Record(Joined, worker.Id);
        else Record(NotJoined, worker);
    }

    /// <summary>Creates a worker's state, which records the start and the end of its thread.</summary>
    public IDisposable StateOf(int workerId)
    {
        WorkersStarted.Enqueue((workerId, Thread.CurrentThread));
        return new ThreadState(this, workerId);
    }

    private void Record<T>(ConcurrentQueue<T> calls, T call)
    {
        calls.Enqueue(call);
        if (throws) throw new InvalidOperationException("the observer throws");
    }

    private sealed class ThreadState(RecordingObserver observer, int worker) : IDisposable
    {
        public void Dispose() => observer.WorkersStopped.Enqueue((worker, Thread.CurrentThread));
    }
}
