namespace PoolApi.Threading;

/// <summary>
/// Receives the events of a pool. Every method is called on the thread where the event happens, outside the pool's lock, and must
/// return fast. Its exceptions are dropped. Implement only the methods that you need: each does nothing by default.
/// </summary>
public interface IFixedThreadPoolObserver
{
    /// <summary>A worker is about to run an item for the first time (not on resumptions). Called on the worker.</summary>
    /// <param name="workerId">The worker's id (<see cref="WorkerSnapshot.Id"/>).</param>
    /// <param name="item">The item.</param>
    void WorkStarted(int workerId, PoolWorkItem item) { }

    /// <summary>
    /// An accepted item has ended, whether it ran or not. Called exactly once for each, before the item itself is notified, on a worker or on
    /// the thread that cancelled, expired, timed out, abandoned or handed back the item.
    /// </summary>
    /// <param name="item">The item.</param>
    /// <param name="outcome">The outcome.</param>
    /// <param name="exception">
    /// The exception that it threw if it failed or was cancelled while running; a <see cref="WorkTimedOutException"/> if it timed out.
    /// </param>
    void WorkFinished(PoolWorkItem item, WorkOutcome outcome, Exception? exception) { }

    /// <summary>
    /// Code that belongs to no caller threw: an <see langword="async"/> <see langword="void"/> method inside an item,
    /// an item's own <see cref="PoolWorkItem.OnEnded"/>, work or a callback that was posted
    /// (<see cref="FixedThreadPool.Post(Action, CancellationToken, WorkOptions)"/>, <see cref="FixedThreadPool.SynchronizationContext"/>), or a
    /// worker's state, when it was made
    /// (<see cref="FixedThreadPoolOptions.CreateWorkerState"/>; not at the pool's own start, whose constructor throws) or disposed of.
    /// </summary>
    /// <param name="exception">The exception.</param>
    /// <param name="item">The item it belonged to; <see langword="null"/>: the worker's state.</param>
    /// <param name="workerId">The worker (<see cref="WorkerSnapshot.Id"/>) on whose thread it was thrown; <see langword="null"/>: on no worker's.</param>
    void UnhandledException(Exception exception, PoolWorkItem? item, int? workerId) { }

    /// <summary>
    /// A worker has become stuck, or is no longer stuck; see <see cref="WorkerSnapshot.State"/>. A worker is stuck if it has run one item for
    /// longer than <see cref="FixedThreadPoolOptions.StuckAfter"/>, or if its item has timed out
    /// (<see cref="FixedThreadPoolOptions.MaxRunTime"/>) and has not returned a tenth of a second later. Called once on a timer's thread when
    /// the worker becomes stuck, and once on the worker when it recovers, or on the timer's thread if the worker recovers before the first call
    /// has returned. Never called for one worker on two threads at once.
    /// </summary>
    /// <param name="worker">The worker, its item, and for how long it has run it.</param>
    void WorkerHealthChanged(WorkerSnapshot worker) { }

    /// <summary>
    /// Every worker is blocked, and this worker waits for work of its own pool: a continuation or an item that no worker is free to run.
    /// Called on a timer's thread, once for each kind of work and each value of <paramref name="hasStandIn"/>.
    /// </summary>
    /// <param name="worker">The worker, its item, and how long it has run the item.</param>
    /// <param name="hasStandIn">
    /// <see langword="true"/>: a stand-in runs the work that the worker waits for. <see langword="false"/>: every stand-in that the pool may have
    /// is in use (<see cref="FixedThreadPoolOptions.MaxStandIns"/>). The pool has made no progress for a second, and makes none until a worker
    /// returns from its item.
    /// </param>
    void WorkerBlocked(WorkerSnapshot worker, bool hasStandIn) { }

    /// <summary>
    /// A worker's thread died of an exception that escaped the pool's own loop, or could not be started. Called on the dying thread, or on the
    /// thread that tried to start it.
    /// </summary>
    /// <param name="workerId">The worker's id (<see cref="WorkerSnapshot.Id"/>).</param>
    /// <param name="exception">The exception that ended the thread, or why there is none.</param>
    /// <param name="isReplaced">
    /// <see langword="true"/>: a new thread of the same id and name is about to take its place. If that fails, a second call with
    /// <see langword="false"/> follows. <see langword="false"/>: the worker gets no thread, because the system gave none or the worker's state
    /// could not be made, and the pool continues with one worker (or one stand-in) fewer. Before it reports the loss of its last worker, the pool closes: queued
    /// items end as <see cref="WorkOutcome.NotStarted"/>, and items suspended in an await end as <see cref="WorkOutcome.Abandoned"/>. The report of
    /// a later <see cref="FixedThreadPool.ShutdownAsync"/> lists the former and counts the latter.
    /// </param>
    void WorkerDied(int workerId, Exception exception, bool isReplaced) { }

    /// <summary>A stop has joined a worker's thread or left it behind.</summary>
    /// <param name="worker">The worker and its item.</param>
    /// <param name="inTime"><see langword="true"/>: the thread has ended. <see langword="false"/>: it did not end in time.</param>
    void WorkerJoined(WorkerSnapshot worker, bool inTime) { }
}
