namespace PoolApi.Threading;

/// <summary>How an accepted work item ended. Every accepted item ends exactly once, with exactly one of these.</summary>
public enum WorkOutcome
{
    /// <summary>The item ran to its end.</summary>
    Completed,

    /// <summary>The item threw an exception.</summary>
    Failed,

    /// <summary>
    /// The item was cancelled: while it was queued, so that it never ran, or while it ran, and then it ended with an
    /// <see cref="OperationCanceledException"/>.
    /// </summary>
    Cancelled,

    /// <summary>
    /// The item never ran, because it was queued longer than allowed by its own limit (<see cref="WorkOptions.MaxQueueTime"/>) or the pool's (<see cref="FixedThreadPoolOptions.MaxQueueTime"/>).
    /// </summary>
    Expired,

    /// <summary>The item never ran, because its caller withdrew it with a reason (<see cref="PoolWorkItem.Cancel"/>).</summary>
    Withdrawn,

    /// <summary>The item never ran, because the pool stopped before a worker was free.</summary>
    NotStarted,

    /// <summary>
    /// The item started, but the pool stopped without waiting for its end: its thread was not joined in time, or it was suspended in an
    /// <see langword="await"/> that did not complete.
    /// </summary>
    Abandoned,

    /// <summary>
    /// The item ran longer than allowed by its own limit (<see cref="WorkOptions.MaxRunTime"/>) or the pool's (<see cref="FixedThreadPoolOptions.MaxRunTime"/>). Its token is
    /// cancelled, but its code may still run.
    /// </summary>
    TimedOut,
}
