namespace PoolApi.Threading;

/// <summary>The state of a worker.</summary>
public enum WorkerState
{
    /// <summary>The worker has no item. It looks for work for a moment, then sleeps and uses no CPU.</summary>
    Idle,

    /// <summary>The worker runs an item.</summary>
    Busy,

    /// <summary>
    /// The worker has run one item for longer than <see cref="FixedThreadPoolOptions.StuckAfter"/>, or its item has timed out
    /// (<see cref="FixedThreadPoolOptions.MaxRunTime"/>) and has not returned.
    /// </summary>
    Stuck,

    /// <summary>The worker's thread has ended.</summary>
    Stopped,
}
