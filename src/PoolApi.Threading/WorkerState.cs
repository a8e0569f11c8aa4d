namespace PoolApi.Threading;

/// <summary>What a worker does at one moment.</summary>
public enum WorkerState
{
    /// <summary>It waits for work and uses no CPU.</summary>
    Idle,

    /// <summary>It runs an item.</summary>
    Busy,

    /// <summary>It runs an item, and has for longer than <see cref="FixedThreadPoolOptions.StuckAfter"/>.</summary>
    Stuck,

    /// <summary>Its thread has ended.</summary>
    Stopped,
}
