namespace PoolApi.Threading;

/// <summary>
/// The pool accepted the work and handed it back without running it. (Work that its own caller cancelled ends with an
/// <see cref="OperationCanceledException"/> instead.)
/// </summary>
public sealed class WorkNotRunException : WorkRefusedException
{
    internal WorkNotRunException(string poolName, WorkOutcome outcome)
        : base(poolName, $"The pool '{poolName}' did not run the work: {Explain(outcome)}.")
    {
        Outcome = outcome;
    }

    /// <summary>How the work ended: <see cref="WorkOutcome.Expired"/> or <see cref="WorkOutcome.NotStarted"/>.</summary>
    public WorkOutcome Outcome { get; }

    private static string Explain(WorkOutcome outcome) => outcome == WorkOutcome.Expired
        ? "it waited longer than it may"
        : "the pool stopped before a worker was free";
}
