using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Describes work that was accepted before it became a request, such as a job: its priority in the pool, and callbacks for its progress.
/// A feature of the contexts that are passed to <see cref="StoredRequestDelegates.Run"/>.
/// </summary>
public interface IAcceptedWorkFeature
{
    /// <summary>The priority of the work in the pool's queue.</summary>
    WorkPriority Priority { get; }

    /// <summary>A worker has taken the work. Called once, on the worker. Must return soon.</summary>
    void Started();

    /// <summary>
    /// The work has ended, whether it ran or not. Not called if the pool refused it: then there is only a response, 503. Called a second time, with
    /// <see cref="WorkOutcome.Cancelled"/>, if the work has completed but its streamed response was cut off: then there is no result.
    /// </summary>
    /// <param name="outcome">The outcome.</param>
    void Ended(WorkOutcome outcome);

    /// <summary>
    /// The work ends as <see cref="WorkOutcome.TimedOut"/> or <see cref="WorkOutcome.Abandoned"/>, and its code still runs: the code uses the request, its body and its services until
    /// it has returned. Called before <see cref="Ended"/>.
    /// </summary>
    /// <param name="code">Completes when the code has returned. Never fails.</param>
    void GoesOn(Task code);
}
