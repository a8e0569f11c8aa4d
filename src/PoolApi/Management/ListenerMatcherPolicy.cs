using Microsoft.AspNetCore.Routing.Matching;

namespace PoolApi.Management;

/// <summary>
/// Lets an endpoint match only on its own port. It is a part of the routing graph and comes before the choice by method, so that a route of
/// the other port is not found at all: 404, never 405.
/// </summary>
internal sealed class ListenerMatcherPolicy(Listeners listeners) : MatcherPolicy, INodeBuilderPolicy
{
    private static readonly ListenerKind[] Kinds = [ListenerKind.Api, ListenerKind.Management, ListenerKind.Both];

    /// <summary>The framework's choice by method has −1000; a smaller number comes first.</summary>
    public override int Order => -2000;

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) => true;

    public IReadOnlyList<PolicyNodeEdge> GetEdges(IReadOnlyList<Endpoint> endpoints) =>
        [.. Kinds.Select(kind => new PolicyNodeEdge(kind, EndpointsOn(kind, endpoints)))];

    public PolicyJumpTable BuildJumpTable(int exitDestination, IReadOnlyList<PolicyJumpTableEdge> edges) =>
        new ByListener(exitDestination, edges.ToDictionary(static e => (ListenerKind)e.State, static e => e.Destination), listeners);

    private static List<Endpoint> EndpointsOn(ListenerKind kind, IReadOnlyList<Endpoint> endpoints)
    {
        bool hasManagement = endpoints.Any(static e => KindOf(e) == ListenerKind.Management);
        return [.. endpoints.Where(e => (KindOf(e) & kind) != 0
            && !(kind == ListenerKind.Both && hasManagement && e.Metadata.GetMetadata<YieldsToManagementMetadata>() is not null))];
    }

    private static ListenerKind KindOf(Endpoint endpoint) => endpoint.Metadata.GetMetadata<ListenerMetadata>()?.Kind ?? ListenerKind.Api;

    private sealed class ByListener(int exit, Dictionary<ListenerKind, int> destinations, Listeners listeners) : PolicyJumpTable
    {
        public override int GetDestination(HttpContext httpContext) => destinations.GetValueOrDefault(listeners.KindOf(httpContext), exit);
    }
}
