using PoolApi.Threading.Core;

namespace PoolApi.Threading;

/// <summary>
/// The pool did not run the work, and nothing of it has run: the queue was full, the pool was closed, or the pool accepted the work and handed
/// it back. The caller may try again, unless the pool is closed (<see cref="FixedThreadPool.IsClosed"/>). (Work that its own caller cancelled
/// ends with an <see cref="OperationCanceledException"/> instead.)
/// </summary>
public sealed class WorkRejectedException : Exception
{
    internal WorkRejectedException(string poolName, SubmitResult result)
        : base(result == SubmitResult.Closed
            ? $"The pool '{poolName}' is closed and accepts no more work."
            : $"The queue of the pool '{poolName}' is full.")
    {
    }

    internal WorkRejectedException(string poolName, WorkOutcome outcome)
        : base($"The pool '{poolName}' did not run the work: {Explain(outcome)}.") => Outcome = outcome;

    /// <summary>
    /// <see langword="null"/>: the pool did not accept the work. Otherwise how the accepted work ended: <see cref="WorkOutcome.Expired"/> or
    /// <see cref="WorkOutcome.NotStarted"/>.
    /// </summary>
    public WorkOutcome? Outcome { get; }

    private static string Explain(WorkOutcome outcome) => outcome == WorkOutcome.Expired
        ? "it was queued for longer than its limit"
        : "the pool stopped before a worker was free";
}
