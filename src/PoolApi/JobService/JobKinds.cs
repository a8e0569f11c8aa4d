using PoolApi.AspNetCore.Endpoints;
using PoolApi.JobRoutes;

namespace PoolApi.JobService;

/// <summary>The kinds of jobs there are: those of the work of every endpoint whose requests may be stored.</summary>
internal sealed class JobKinds : IJobKinds
{
    private readonly Lazy<Dictionary<string, List<RouteEndpoint>>> _byKind;

    /// <param name="endpoints">The app's endpoints; read at the first question, when all are there.</param>
    public JobKinds(IEnumerable<EndpointDataSource> endpoints) => _byKind = new(() =>
    {
        var byKind = new Dictionary<string, List<RouteEndpoint>>(StringComparer.Ordinal);
        foreach (RouteEndpoint endpoint in endpoints.SelectMany(static e => e.Endpoints).OfType<RouteEndpoint>())
        {
            if (endpoint.Metadata.GetMetadata<StorableMetadata>() is null) continue;
            StoredRequestDelegates stored = endpoint.Metadata.GetMetadata<StoredRequestDelegates>()
                ?? throw new InvalidOperationException($"{endpoint.RoutePattern.RawText} is storable and does not run on a pool.");
            if (!byKind.TryGetValue(stored.Kind, out List<RouteEndpoint>? same)) byKind.Add(stored.Kind, same = []);
            if (same.Find(other => MayTakeTheSame(other, endpoint)) is { } twin)
            {
                throw new InvalidOperationException(
                    $"The endpoints '{twin.DisplayName}' and '{endpoint.DisplayName}' take the same methods, and the work of both is of the kind "
                    + $"'{stored.Kind}': a job could not tell whose it is. Name one of them: RunOnPool(configure: o => o.Kind = \"…\").");
            }
            same.Add(endpoint);
        }
        return byKind;
    });

    public IReadOnlyList<string> All => [.. _byKind.Value.Keys.Order(StringComparer.Ordinal)];

    public bool Exists(string kind) => _byKind.Value.ContainsKey(kind);

    /// <summary>What runs jobs of a kind that came with a method.</summary>
    public Endpoint? Find(string kind, string method) => _byKind.Value.GetValueOrDefault(kind)?.Find(
        e => MethodsOf(e) is not { Count: > 0 } methods || methods.Contains(method, StringComparer.OrdinalIgnoreCase));

    private static bool MayTakeTheSame(RouteEndpoint one, RouteEndpoint other) =>
        MethodsOf(one) is not { Count: > 0 } methods || MethodsOf(other) is not { Count: > 0 } others
        || methods.Intersect(others, StringComparer.OrdinalIgnoreCase).Any();

    private static IReadOnlyList<string>? MethodsOf(RouteEndpoint endpoint) => endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods;
}
