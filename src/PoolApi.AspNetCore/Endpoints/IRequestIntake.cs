using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Looks at each request to an endpoint before the endpoint's pool does, and may keep it to be run later. In the metadata of an endpoint
/// that runs on a pool.
/// </summary>
public interface IRequestIntake
{
    /// <summary>Takes a request, or leaves it. Called after all of the app's middleware, before anything of the request is read.</summary>
    /// <param name="context">The request.</param>
    /// <param name="stored">The endpoint's other ways in.</param>
    /// <returns><see langword="null"/>: the endpoint serves the request as usual. Otherwise the intake answers it.</returns>
    Task? TryTake(HttpContext context, StoredRequestDelegates stored);
}

/// <summary>Stores a request. Among the features of a request that comes by <see cref="StoredRequestDelegates.Store"/>.</summary>
public interface IRequestStoreFeature
{
    /// <summary>
    /// Called in the place of the handler, when the request is bound and each filter before the pool has let it through.
    /// </summary>
    /// <returns>The answer.</returns>
    ValueTask<object?> StoreAsync();
}
