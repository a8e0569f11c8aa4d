using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Shows whether the work of a request to an endpoint on a pool has begun, or is committed as a job.</summary>
public static class PoolWork
{
    /// <summary>
    /// Whether a worker has begun the request's work, or the request has become a job. A request that fails before has had no effect: it was
    /// read, bound, or passed through the endpoint filters before <c>RunOnPool</c>.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <returns><see langword="false"/> also for a request to an endpoint that does not run on a pool.</returns>
    public static bool HasStarted(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return PoolRequest.Find(context) is { HasStarted: true };
    }
}
