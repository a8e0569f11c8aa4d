using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;
using PoolApi.AspNetCore.Endpoints;

namespace PoolApi.AspNetCore.Mvc;

/// <summary>
/// Replaces a routed endpoint that has <see cref="RunOnPoolAttribute"/> with its endpoint that runs on the pool. So the request is admitted
/// and its body is read before an MVC filter reads its form. In a branch of middleware on a pool it rejects endpoints that cannot run there.
/// </summary>
internal sealed class AttributeEndpointSelector(AttributeEndpoints endpoints) : MatcherPolicy, IEndpointSelectorPolicy
{
    // Runs after the policies that filter or replace candidates.
    public override int Order => int.MaxValue;

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) =>
        ContainsDynamicEndpoints(endpoints) || endpoints.Any(static e => e.Metadata.GetMetadata<RunOnPoolAttribute>() is not null || UnsupportedEndpoint.Is(e));

    public Task ApplyAsync(HttpContext httpContext, CandidateSet candidates)
    {
        bool isFirst = true;
        for (int i = 0; i < candidates.Count; i++)
        {
            if (!candidates.IsValidCandidate(i)) continue;
            ref readonly CandidateState candidate = ref candidates[i];
            // Routing selects the first valid candidate, because candidates are sorted by score.
            if (isFirst && PoolRequest.IsAnyInPool(httpContext)) UnsupportedEndpoint.ThrowIfAny(candidate.Endpoint);
            isFirst = false;
            Endpoint resolved = endpoints.Resolve(candidate.Endpoint);
            if (!ReferenceEquals(resolved, candidate.Endpoint)) candidates.ReplaceEndpoint(i, resolved, candidate.Values);
        }
        return Task.CompletedTask;
    }
}
