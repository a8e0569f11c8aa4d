using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The delegates of an endpoint on a pool for code that stores requests and runs them later. In the metadata of every
/// such endpoint. The endpoint's own delegate is for requests that run at once.
/// </summary>
public sealed class StoredRequestDelegates
{
    internal StoredRequestDelegates(string kind, RequestDelegate store, RequestDelegate run) => (Kind, Store, Run) = (kind, store, run);

    /// <summary>The kind of the endpoint's work in metrics and views.</summary>
    public string Kind { get; }

    /// <summary>
    /// Stores a request: its body is read within the pool's limits, it is bound, and passes the endpoint
    /// filters that were added before <c>RunOnPool</c>. Its <see cref="IRequestStoreFeature"/> is called in place of the handler. A full or
    /// overloaded pool does not refuse it; a stop, a quota and the limits on bodies do.
    /// </summary>
    public RequestDelegate Store { get; }

    /// <summary>
    /// Runs a stored request. No quota, overload control or limit on requests refuses it; a stop, or a full or closed pool, does, and
    /// <see cref="IAcceptedWorkFeature.Refused"/> says so. The context needs an <see cref="IAcceptedWorkFeature"/>, and an <see cref="IBufferedBodyFeature"/> if there is a body; when its
    /// <c>RequestAborted</c> is cancelled, so is the work.
    /// </summary>
    public RequestDelegate Run { get; }

    /// <summary>
    /// Reports that a request that came by <see cref="Store"/> is stored. From then on it holds neither its body nor its client's quota,
    /// however long its client waits for the response.
    /// </summary>
    /// <param name="context">The request.</param>
    public static void Committed(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        PoolRequest.Find(context)?.Committed();
    }
}
