namespace PoolApi.Threading;

/// <summary>The state of a worker.</summary>
public enum WorkerState
{
    /// <summary>The worker has no item and uses no CPU.</summary>
    Idle,

    /// <summary>The worker runs an item.</summary>
    Busy,

    /// <summary>The worker has run one item for longer than <see cref="FixedThreadPoolOptions.StuckAfter"/>.</summary>
    Stuck,

    /// <summary>The worker's thread has ended.</summary>
    Stopped,
}
