using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Sees each request to an endpoint before the endpoint's pool, and may store it to be run later. In the metadata of an endpoint
/// that runs on a pool.
/// </summary>
public interface IRequestIntake
{
    /// <summary>Takes a request or leaves it to the endpoint. Called after all of the app's middleware, before the body is read.</summary>
    /// <param name="context">The request.</param>
    /// <param name="stored">The endpoint's delegates for stored requests.</param>
    /// <returns><see langword="null"/>: the endpoint serves the request as usual. Otherwise the intake writes the response.</returns>
    Task? TryTake(HttpContext context, StoredRequestDelegates stored);
}

/// <summary>Stores a request. A feature of the requests that come by <see cref="StoredRequestDelegates.Store"/>.</summary>
public interface IRequestStoreFeature
{
    /// <summary>
    /// Called in place of the handler, when the request is bound and has passed every filter before the pool.
    /// </summary>
    /// <returns>The result to write as the response.</returns>
    ValueTask<object?> StoreAsync();
}
