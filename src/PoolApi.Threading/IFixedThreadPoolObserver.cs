namespace PoolApi.Threading;

/// <summary>
/// Told what happens in a pool. Every method is called on the thread where it happens, outside the pool's lock, and must
/// return fast; what it throws is dropped. Implement only what you want to know: each method does nothing by default.
/// </summary>
public interface IFixedThreadPoolObserver
{
    /// <summary>
    /// An item was accepted. Called on the submitting thread, after the fact: the item may have started or ended by then, and
    /// be somebody else's again, so it is good for its identity only.
    /// </summary>
    /// <param name="item">What was accepted.</param>
    void WorkAccepted(PoolWorkItem item) { }

    /// <summary>A worker is about to run an item for the first time (not on resumptions). Called on the worker.</summary>
    /// <param name="workerId">The worker's id (<see cref="WorkerSnapshot.Id"/>).</param>
    /// <param name="item">What it runs.</param>
    void WorkStarted(int workerId, PoolWorkItem item) { }

    /// <summary>
    /// An accepted item has ended, run or not: exactly once for each, before the item itself is told. Called on a worker, or on
    /// the thread that cancelled, expired, timed out or handed back the item.
    /// </summary>
    /// <param name="item">What has ended.</param>
    /// <param name="outcome">How.</param>
    /// <param name="exception">
    /// What it threw, if it failed or was cancelled while running; a <see cref="WorkTimedOutException"/> if it timed out.
    /// </param>
    void WorkFinished(PoolWorkItem item, WorkOutcome outcome, Exception? exception) { }

    /// <summary>
    /// Code that belongs to no caller threw: an <see langword="async"/> <see langword="void"/> method inside an item,
    /// an item's own <see cref="PoolWorkItem.OnEnded"/>, or work that was posted
    /// (<see cref="FixedThreadPool.Post(Action, CancellationToken, WorkOptions)"/>). The worker goes on.
    /// </summary>
    /// <param name="item">The item it belonged to.</param>
    /// <param name="exception">What was thrown.</param>
    void UnhandledException(PoolWorkItem item, Exception exception) { }

    /// <summary>A worker's thread is ready for work. Called on it.</summary>
    /// <param name="workerId">The worker's id (<see cref="WorkerSnapshot.Id"/>).</param>
    void WorkerStarted(int workerId) { }

    /// <summary>A worker has nothing more to do: the pool stops, or has been made smaller. Called on its thread, as its last act.</summary>
    /// <param name="workerId">The worker's id (<see cref="WorkerSnapshot.Id"/>).</param>
    void WorkerStopped(int workerId) { }

    /// <summary>
    /// A worker has been on one item for longer than <see cref="FixedThreadPoolOptions.StuckAfter"/>, or its item has timed out
    /// (<see cref="FixedThreadPoolOptions.MaxRunTime"/>) and has not returned a tenth of a second later. Told once for each time, on a
    /// timer's thread.
    /// </summary>
    /// <param name="worker">The worker, what it runs, and for how long it has.</param>
    void WorkerStuck(WorkerSnapshot worker) { }

    /// <summary>
    /// Every worker is blocked, and this one by work of its own pool: it waits for a continuation or an item that no worker is
    /// free to run. Told once for each kind of work and each answer, on a timer's thread.
    /// </summary>
    /// <param name="worker">The worker, what it runs, and for how long it has.</param>
    /// <param name="hasStandIn">
    /// <see langword="true"/>: a stand-in runs what it waits for. <see langword="false"/>: there may be no more of them
    /// (<see cref="FixedThreadPoolOptions.MaxStandIns"/>); nothing has moved for a second, and nothing will until a worker comes back.
    /// </param>
    void WorkerBlocked(WorkerSnapshot worker, bool hasStandIn) { }

    /// <summary>A worker that was stuck has come back. Called on it.</summary>
    /// <param name="workerId">The worker's id (<see cref="WorkerSnapshot.Id"/>).</param>
    void WorkerRecovered(int workerId) { }

    /// <summary>
    /// A worker's state could not be made (<see cref="FixedThreadPoolOptions.CreateWorkerState"/>; not at the pool's own start,
    /// whose constructor throws), or threw when it was disposed of. Called on the worker.
    /// </summary>
    /// <param name="workerId">The worker's id (<see cref="WorkerSnapshot.Id"/>).</param>
    /// <param name="exception">What was thrown.</param>
    void WorkerStateFailed(int workerId, Exception exception) { }

    /// <summary>A worker's thread died of an exception that escaped the pool's own loop, and was replaced.</summary>
    /// <param name="workerId">The worker's id; the new thread has the same id and name.</param>
    /// <param name="exception">What killed it.</param>
    void WorkerReplaced(int workerId, Exception exception) { }

    /// <summary>
    /// A worker has no thread and gets none: its own died, or the pool was to have one more, and the system gave none or the
    /// worker's state could not be made. The pool goes on with one worker fewer. If it was the last, the pool has been closed by
    /// then: what waited has ended as <see cref="WorkOutcome.NotStarted"/>, what was suspended in an await as
    /// <see cref="WorkOutcome.Abandoned"/>, and the report of the shutdown, which is still to be called for, names it. Called on
    /// the worker's dying thread, or on the thread that tried to start it.
    /// </summary>
    /// <param name="workerId">The worker's id (<see cref="WorkerSnapshot.Id"/>).</param>
    /// <param name="exception">Why there is no thread.</param>
    void WorkerLost(int workerId, Exception exception) { }

    /// <summary>A worker's thread has ended and was joined.</summary>
    /// <param name="workerId">The worker's id (<see cref="WorkerSnapshot.Id"/>).</param>
    void WorkerJoined(int workerId) { }

    /// <summary>A worker's thread did not end in time; it was left behind.</summary>
    /// <param name="worker">The worker and what it was running.</param>
    void WorkerNotJoined(WorkerSnapshot worker) { }
}
