namespace PoolApi.Threading;

/// <summary>
/// The interface of a <see cref="FixedThreadPool"/> for an admission control, which is code that decides what is submitted to the pool.
/// Every pool implements it: <c>IPoolAdmission admission = pool;</c>. All members are safe to call from any thread.
/// </summary>
public interface IPoolAdmission
{
    /// <summary>
    /// Whether the next submission would probably be refused because the queue is full. An estimate: use it to refuse early
    /// what is expensive to prepare, not to decide whether to submit.
    /// </summary>
    bool IsLikelyFull { get; }

    /// <summary>
    /// Estimates the queue time of an item that is queued now: queued items × mean run time of recent items ÷
    /// workers, at most a day.
    /// </summary>
    TimeSpan EstimateQueueTime();

    /// <summary>
    /// Completes when a worker next becomes idle or leaves. Workers that are already idle do not count:
    /// call this first, then read the workers (<see cref="FixedThreadPool.GetSnapshot"/>), so that no idle worker is missed. Never fails.
    /// Once every worker has left, it does not complete.
    /// Costs the workers one read each time they go to sleep.
    /// </summary>
    Task NextIdleAsync();

    /// <summary>
    /// Sets which item of one priority a worker takes first: the oldest, as a new pool does, or the newest. Newest first is for callers that give
    /// up after a while: behind a long queue, the caller of the oldest item is the next to do so. Takes the queue's lock once.
    /// </summary>
    /// <param name="newestFirst">Whether the newest is taken first.</param>
    void SetOrder(bool newestFirst);

    /// <summary>Counts a refusal by the admission control under <c>poolapi.work.rejected</c>. The pool counts its own refusals itself.</summary>
    /// <param name="reason">Why, one of a small fixed set of words.</param>
    void CountRejected(string reason);

    /// <summary>
    /// Declares label values of the pool's counters: their series are exported from now on, at 0, and not from the first item on. The pool
    /// declares its own. A value that is declared twice counts once.
    /// </summary>
    /// <remarks>An alert on the increase of a counter sees the first occurrence only if the counter was there before.</remarks>
    /// <param name="kind">A kind of items, as <see cref="PoolWorkItem.Kind"/> gives it.</param>
    /// <param name="rejection">A reason of <see cref="CountRejected"/>.</param>
    /// <param name="withdrawal">A reason of <see cref="PoolWorkItem.Cancel"/>.</param>
    /// <exception cref="ArgumentException">A value is empty.</exception>
    void DeclareLabels(string? kind = null, string? rejection = null, string? withdrawal = null);
}
