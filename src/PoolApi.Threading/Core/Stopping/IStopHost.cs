using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core.Stopping;

/// <summary>What a stop needs of its pool beside the queue.</summary>
internal interface IStopHost
{
    /// <summary>The time. Never read under the gate.</summary>
    long Now { get; }

    /// <summary>The asynchronous items under way. Called under the gate.</summary>
    PoolWorkItem[] AsyncItemsLocked();

    /// <summary>Ends the asynchronous items under way as abandoned. Called under the gate.</summary>
    /// <param name="abandoned">The list to which they are added. It has room for them.</param>
    void AbandonAsyncItemsLocked(List<PoolWorkItem> abandoned);

    /// <summary>Carries out the side effects that were decided under the gate.</summary>
    void CarryOut(ref DeferredActions after);

    /// <summary>Refuses the callers that wait for space, since the pool was closed.</summary>
    void RefuseWaiters();

    /// <summary>Cancels the token of a submission, and does not wait for its callbacks.</summary>
    /// <param name="item">The item.</param>
    /// <param name="source">The source of the submission; null: its token was never read.</param>
    void CancelToken(PoolWorkItem item, CancellationTokenSource? source);

    /// <summary>Notifies abandoned items of their end. Runs code of a caller.</summary>
    void NotifyAbandoned(IReadOnlyList<PoolWorkItem> items);

    /// <summary>Stops the pool's timers, since it has stopped.</summary>
    void StopTimers();
}
