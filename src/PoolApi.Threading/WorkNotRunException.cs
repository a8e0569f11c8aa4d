namespace PoolApi.Threading;

/// <summary>
/// The pool accepted the work and handed it back without running it. (Work that its own caller cancelled ends with an
/// <see cref="OperationCanceledException"/> instead.)
/// </summary>
public sealed class WorkNotRunException : WorkRefusedException
{
    internal WorkNotRunException(string poolName, NotRunReason reason)
        : base(poolName, $"The pool '{poolName}' did not run the work: {Explain(reason)}.")
    {
        Reason = reason;
    }

    /// <summary>Why the work did not run.</summary>
    public NotRunReason Reason { get; }

    private static string Explain(NotRunReason reason) => reason switch
    {
        NotRunReason.Cancelled => "it was cancelled while it waited",
        NotRunReason.Expired => "it waited longer than it may",
        NotRunReason.Shed => "the pool is overloaded",
        NotRunReason.ClientGone => "the client went away while it waited",
        _ => "the pool stopped before a worker was free",
    };
}
