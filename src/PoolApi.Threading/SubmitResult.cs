namespace PoolApi.Threading;

/// <summary>The pool's answer to a submitted work item.</summary>
public enum SubmitResult
{
    /// <summary>The item was accepted: it will end exactly once, with one <see cref="WorkOutcome"/>.</summary>
    Accepted,

    /// <summary>Refused: as many items wait as <see cref="FixedThreadPoolOptions.QueueCapacity"/> allows.</summary>
    QueueFull,

    /// <summary>Refused: the pool is closed and accepts nothing any more.</summary>
    Closed,
}
