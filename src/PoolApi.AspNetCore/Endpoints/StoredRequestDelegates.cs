using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Other ways into an endpoint that runs on a pool, for those who keep requests to run them later. In the metadata of every
/// such endpoint; its own delegate is for requests that are run at once.
/// </summary>
public sealed class StoredRequestDelegates
{
    internal StoredRequestDelegates(string kind, RequestDelegate store, RequestDelegate run) => (Kind, Store, Run) = (kind, store, run);

    /// <summary>The kind of the endpoint's work, as metrics and views have it.</summary>
    public string Kind { get; }

    /// <summary>
    /// For a request that is to be kept: its body is read within the pool's limits, it is bound, and goes through the endpoint
    /// filters that were added before <c>RunOnPool</c>. Its <see cref="IRequestStoreFeature"/> answers in the handler's place. That the pool is full or
    /// overloaded is no reason to refuse it; a stop, a quota and the bounds on bodies are.
    /// </summary>
    public RequestDelegate Store { get; }

    /// <summary>
    /// For a kept request that is to be run now: nothing refuses it but the pool itself. The context needs an
    /// <see cref="IAcceptedWorkFeature"/>, and an <see cref="IBufferedBodyFeature"/> if there is a body; when its
    /// <c>RequestAborted</c> is cancelled, so is the work.
    /// </summary>
    public RequestDelegate Run { get; }

    /// <summary>
    /// The request that came by <see cref="Store"/> has been kept: from here on it holds neither its body nor its client's quota,
    /// however long its client waits for the answer.
    /// </summary>
    /// <param name="context">The request.</param>
    public static void Committed(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Features.Get<PoolRequest>()?.Committed();
    }
}
