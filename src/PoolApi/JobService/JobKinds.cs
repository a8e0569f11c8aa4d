using PoolApi.AspNetCore.Endpoints;
using PoolApi.JobRoutes;

namespace PoolApi.JobService;

/// <summary>The kinds of jobs there are: those of the work of every endpoint whose requests may be stored.</summary>
internal sealed class JobKinds : IJobKinds
{
    private readonly Lazy<Dictionary<string, Endpoint>> _byKind;

    /// <param name="endpoints">The app's endpoints; read at the first question, when all are there.</param>
    public JobKinds(IEnumerable<EndpointDataSource> endpoints) => _byKind = new(() =>
    {
        var byKind = new Dictionary<string, Endpoint>(StringComparer.Ordinal);
        foreach (RouteEndpoint endpoint in endpoints.SelectMany(static e => e.Endpoints).OfType<RouteEndpoint>())
        {
            if (endpoint.Metadata.GetMetadata<StorableMetadata>() is null) continue;
            StoredRequestDelegates stored = endpoint.Metadata.GetMetadata<StoredRequestDelegates>()
                ?? throw new InvalidOperationException($"{endpoint.RoutePattern.RawText} is storable and does not run on a pool.");
            byKind[stored.Kind] = endpoint;
        }
        return byKind;
    });

    public IReadOnlyList<string> All => [.. _byKind.Value.Keys.Order(StringComparer.Ordinal)];

    public bool Exists(string kind) => _byKind.Value.ContainsKey(kind);

    /// <summary>What runs jobs of a kind.</summary>
    public Endpoint? Find(string kind) => _byKind.Value.GetValueOrDefault(kind);
}
