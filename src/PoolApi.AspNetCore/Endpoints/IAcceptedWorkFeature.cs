using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Work that has been accepted before it becomes a request, such as a job: how it goes into the pool, and what becomes of it.
/// Among the features of what is given to <see cref="StoredRequestDelegates.Run"/>.
/// </summary>
public interface IAcceptedWorkFeature
{
    /// <summary>How soon it is taken, among what waits in the pool.</summary>
    WorkPriority Priority { get; }

    /// <summary>A worker has taken it. Called once, on the worker; must be quick.</summary>
    void Started();

    /// <summary>
    /// It has ended, run or not. Not called if the pool did not take it: then there is only an answer, 503. Called a second time, with
    /// <see cref="WorkOutcome.Cancelled"/>, if the work has completed but its streamed answer was cut off: then there is no result.
    /// </summary>
    /// <param name="outcome">How it ended.</param>
    void Ended(WorkOutcome outcome);

    /// <summary>
    /// It ends as <see cref="WorkOutcome.TimedOut"/> or <see cref="WorkOutcome.Abandoned"/>, and its code still runs: the request, its body and its services are that code's until
    /// it has returned. Called before <see cref="Ended"/>.
    /// </summary>
    /// <param name="code">Completes when the code has returned. Never fails.</param>
    void GoesOn(Task code);
}
