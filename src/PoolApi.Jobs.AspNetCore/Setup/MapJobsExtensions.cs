using PoolApi.Jobs.AspNetCore.Routes;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps the routes of jobs.</summary>
public static class MapJobsExtensions
{
    /// <summary>
    /// Maps the routes where a client finds its jobs: the list, each job, its result, its changes as server-sent events, its cancellation, and
    /// <c>{id}:retry</c>. They do not run on a pool. The links in responses lead to them.
    /// </summary>
    /// <param name="endpoints">The app, or a group of its endpoints.</param>
    /// <param name="prefix">The path of the list, without route parameters. The prefixes of groups come before it.</param>
    /// <returns>The routes: for <c>RequireAuthorization()</c> and the like.</returns>
    public static IEndpointConventionBuilder MapJobs(this IEndpointRouteBuilder endpoints, string prefix = "/jobs")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentException.ThrowIfNullOrWhiteSpace(prefix);
        return JobRouteEndpoints.Map(endpoints, prefix);
    }
}
