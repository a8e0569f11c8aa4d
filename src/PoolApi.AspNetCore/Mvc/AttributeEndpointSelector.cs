using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;

namespace PoolApi.AspNetCore.Mvc;

/// <summary>
/// As routing selects an endpoint: in the place of one with <see cref="RunOnPoolAttribute"/> comes the endpoint that takes
/// the way through the pool. So the request is admitted and read before any of MVC's filters reads its form.
/// </summary>
internal sealed class AttributeEndpointSelector(AttributeEndpoints endpoints) : MatcherPolicy, IEndpointSelectorPolicy
{
    // After the policies that choose among candidates, or put others in their place.
    public override int Order => int.MaxValue;

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) =>
        ContainsDynamicEndpoints(endpoints) || endpoints.Any(static e => e.Metadata.GetMetadata<RunOnPoolAttribute>() is not null);

    public Task ApplyAsync(HttpContext httpContext, CandidateSet candidates)
    {
        for (int i = 0; i < candidates.Count; i++)
        {
            if (!candidates.IsValidCandidate(i)) continue;
            ref readonly CandidateState candidate = ref candidates[i];
            Endpoint resolved = endpoints.Resolve(candidate.Endpoint);
            if (!ReferenceEquals(resolved, candidate.Endpoint)) candidates.ReplaceEndpoint(i, resolved, candidate.Values);
        }
        return Task.CompletedTask;
    }
}
