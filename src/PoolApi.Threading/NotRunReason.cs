namespace PoolApi.Threading;

/// <summary>Why an accepted work item was handed back without having run.</summary>
public enum NotRunReason
{
    /// <summary>Its caller cancelled it while it waited.</summary>
    Cancelled,

    /// <summary>It waited longer than it may.</summary>
    Expired,

    /// <summary>The pool was overloaded and dropped it.</summary>
    Shed,

    /// <summary>The client who wanted the result went away while it waited.</summary>
    ClientGone,

    /// <summary>The pool stopped before a worker was free.</summary>
    NotStarted,
}

internal static class NotRunReasons
{
    internal static WorkOutcome ToOutcome(this NotRunReason reason) => reason switch
    {
        NotRunReason.Cancelled => WorkOutcome.Cancelled,
        NotRunReason.Expired => WorkOutcome.Expired,
        NotRunReason.Shed => WorkOutcome.Shed,
        NotRunReason.ClientGone => WorkOutcome.ClientGone,
        NotRunReason.NotStarted => WorkOutcome.NotStarted,
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "not a reason"),
    };
}
