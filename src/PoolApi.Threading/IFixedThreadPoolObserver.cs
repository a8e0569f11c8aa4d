namespace PoolApi.Threading;

/// <summary>
/// Told what happens in a pool. Every method is called on the thread where it happens, outside the pool's lock, and must
/// return fast; what it throws is dropped. Implement only what you want to know: each method does nothing by default.
/// </summary>
public interface IFixedThreadPoolObserver
{
    /// <summary>A worker is about to run an item for the first time (not on resumptions). Called on the worker.</summary>
    /// <param name="workerId">The worker, 0 to N−1.</param>
    /// <param name="item">What it runs.</param>
    void WorkStarted(int workerId, PoolWorkItem item) { }

    /// <summary>
    /// Code that belongs to no caller threw: an <see langword="async"/> <see langword="void"/> method inside an item, or
    /// an item's own <see cref="PoolWorkItem.OnEnded"/>. The worker goes on.
    /// </summary>
    /// <param name="item">The item it belonged to.</param>
    /// <param name="exception">What was thrown.</param>
    void UnhandledException(PoolWorkItem item, Exception exception) { }

    /// <summary>A worker's thread died of an exception that escaped the pool's own loop, and was replaced.</summary>
    /// <param name="workerId">The worker, 0 to N−1; the new thread has the same id and name.</param>
    /// <param name="exception">What killed it.</param>
    void WorkerReplaced(int workerId, Exception exception) { }

    /// <summary>A worker's thread died and the system gave no new one: the pool goes on with one worker fewer.</summary>
    /// <param name="workerId">The worker, 0 to N−1.</param>
    /// <param name="exception">Why there is no new thread.</param>
    void WorkerLost(int workerId, Exception exception) { }

    /// <summary>A worker's thread has ended and was joined.</summary>
    /// <param name="workerId">The worker, 0 to N−1.</param>
    void WorkerJoined(int workerId) { }

    /// <summary>A worker's thread did not end in time; it was left behind.</summary>
    /// <param name="worker">The worker and what it was running.</param>
    void WorkerNotJoined(WorkerSnapshot worker) { }
}
