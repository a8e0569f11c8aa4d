namespace PoolApi.Threading.Core;

/// <summary>The result of a submission, with the reason of a refusal for the metrics and for callers that wait for space.</summary>
internal enum SubmitResult
{
    /// <summary>The item was accepted: it will end exactly once, with one <see cref="WorkOutcome"/>.</summary>
    Accepted,

    /// <summary>Refused: as many items are queued as <see cref="FixedThreadPoolOptions.QueueCapacity"/> allows.</summary>
    QueueFull,

    /// <summary>Refused: the pool is closed.</summary>
    Closed,
}
