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

    /// <summary>
    /// A worker has taken the work. Called on the worker, once for each run: an endpoint filter may run the handler again. Must return soon.
    /// </summary>
    void Started();

    /// <summary>
    /// The pool has refused the work, because of a stop, a full queue or a lack of memory: nothing of it has run, and it may be run later. The response is 503.
    /// If neither this nor <see cref="Ended"/> is called, the request has not reached the pool: the response is the endpoint's own, such as
    /// that of an endpoint filter.
    /// </summary>
    void Refused();

    /// <summary>
    /// The work has ended, whether it ran or not. Called once for each run, as <see cref="Started"/> is. Not called if the pool refused it: then
    /// <see cref="Refused"/> is. Called once more, with <see cref="WorkOutcome.Cancelled"/>, if the work has completed but its streamed response was cut off: then there is no result.
    /// Called once more, with <see cref="WorkOutcome.Completed"/>, if the work was cancelled only because an endpoint filter had stopped waiting for it:
    /// then what the filter has answered or thrown counts.
    /// </summary>
    /// <param name="outcome">The outcome.</param>
    void Ended(WorkOutcome outcome);

    /// <summary>
    /// The work ends as <see cref="WorkOutcome.TimedOut"/> or <see cref="WorkOutcome.Abandoned"/>, and its code still runs: the code uses the request, its body and its services until
    /// it has returned. Called before <see cref="Ended"/>.
    /// </summary>
    /// <param name="code">Completes when the code has returned. Never fails.</param>
    void StillRuns(Task code);

    /// <summary>
    /// The response, which the pool executes into memory, grows to this length. Called on the worker, before each write. Throws if the response is longer than
    /// what is kept of it.
    /// </summary>
    /// <param name="bytes">The length in bytes.</param>
    void CheckLength(long bytes);
}
