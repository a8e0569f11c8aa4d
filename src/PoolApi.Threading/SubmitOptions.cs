namespace PoolApi.Threading;

/// <summary>What a submitter may say about an item.</summary>
public readonly record struct SubmitOptions
{
    /// <summary>How soon it is taken, among those that wait. Default: <see cref="WorkPriority.Normal"/>.</summary>
    public WorkPriority Priority { get; init; }

    /// <summary>
    /// The longest time it may wait, zero or more; it then ends as <see cref="WorkOutcome.Expired"/>, at once, even while
    /// every worker is busy, and its slot is free. Never longer than the pool's own
    /// <see cref="FixedThreadPoolOptions.MaxQueueTime"/>. Default: <see langword="null"/>, the pool's. Costs the submitter
    /// the pool's lock once, and O(log n) among the waiting items that have a limit of their own.
    /// </summary>
    public TimeSpan? MaxQueueTime { get; init; }

    /// <summary>
    /// The longest time it may run, more than zero, awaits included; it then ends as <see cref="WorkOutcome.TimedOut"/>, at once, and
    /// its token is cancelled. Its worker stays with it until its code returns, and is shown as stuck. Never longer than the pool's own
    /// <see cref="FixedThreadPoolOptions.MaxRunTime"/>. Default: <see langword="null"/>, the pool's. Costs one small object for each
    /// item, and two readings of the clock.
    /// </summary>
    public TimeSpan? MaxRunTime { get; init; }

    /// <summary>
    /// Cancels the item: while it waits it is removed at once and its slot is free; while it runs its own token is cancelled.
    /// Default: none. Costs one small object and a registration.
    /// </summary>
    public CancellationToken CancellationToken { get; init; }
}
