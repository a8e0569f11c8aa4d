namespace PoolApi.Threading;

/// <summary>How an accepted work item ended. Every accepted item ends exactly once, with exactly one of these.</summary>
public enum WorkOutcome
{
    /// <summary>It ran to its end.</summary>
    Completed,

    /// <summary>It ran and threw.</summary>
    Failed,

    /// <summary>
    /// It was asked to stop: either while it waited (it never ran) or while it ran, and then it ended with an
    /// <see cref="OperationCanceledException"/>.
    /// </summary>
    Cancelled,

    /// <summary>
    /// It never ran: it waited longer than it may, by its own limit (<see cref="WorkOptions.MaxQueueTime"/>) or the pool's (<see cref="FixedThreadPoolOptions.MaxQueueTime"/>).
    /// </summary>
    Expired,

    /// <summary>It never ran: it was cancelled for a reason of the caller's own (<see cref="PoolWorkItem.Cancel"/>).</summary>
    Withdrawn,

    /// <summary>It never ran: the pool stopped before a worker was free.</summary>
    NotStarted,

    /// <summary>
    /// It started, and the pool stopped without it: its thread could not be joined in time, or it was suspended in an
    /// <see langword="await"/> that did not come back.
    /// </summary>
    Abandoned,

    /// <summary>
    /// It ran for longer than it may, by its own limit (<see cref="WorkOptions.MaxRunTime"/>) or the pool's (<see cref="FixedThreadPoolOptions.MaxRunTime"/>). Its token is
    /// cancelled; its code may still be running.
    /// </summary>
    TimedOut,
}
