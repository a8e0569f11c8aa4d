using PoolApi.AspNetCore.Endpoints;
using PoolApi.Jobs.Running;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Endpoints;

/// <summary>The kinds of jobs of the app, each with the endpoints that run its jobs. Built at the first use.</summary>
internal sealed class JobKinds : IJobKinds
{
    private bool _areRequested; // set with the rest
    private readonly Lazy<Dictionary<string, List<RouteEndpoint>>> _byKind;
    private readonly JobPools _pools;

    /// <param name="endpoints">The app's endpoints. They are read on first use, when all of them are mapped.</param>
    /// <param name="others">The endpoints of handlers (AddJob), which no request reaches.</param>
    /// <param name="pools">Where jobs run.</param>
    public JobKinds(IEnumerable<EndpointDataSource> endpoints, IJobEndpoints others, JobPools pools)
    {
        _pools = pools;
        _byKind = new(() =>
        {
            var byKind = new Dictionary<string, List<RouteEndpoint>>(StringComparer.Ordinal);
            foreach (RouteEndpoint endpoint in endpoints.SelectMany(static e => e.Endpoints).OfType<RouteEndpoint>().Concat(others.All))
            {
                if (endpoint.Metadata.GetMetadata<AllowJobsMetadata>() is null) continue;
                FixedThreadPool pool = pools.Of(endpoint);
                _areRequested |= !others.All.Contains(endpoint);
                string kind = KindOf(endpoint);
                if (!byKind.TryGetValue(kind, out List<RouteEndpoint>? same)) byKind.Add(kind, same = []);
                if (same.Find(other => MayTakeTheSame(other, endpoint)) is { } twin)
                {
                    throw new InvalidOperationException(
                        $"The endpoints '{twin.DisplayName}' and '{endpoint.DisplayName}' take the same methods, and the work of both is of the kind "
                        + $"'{kind}': the endpoint of such a job would be ambiguous. Name one of them: AllowJobs(\"…\").");
                }
                if (same.Find(other => !ReferenceEquals(pools.Of(other), pool)) is { } elsewhere)
                {
                    throw new InvalidOperationException(
                        $"The endpoints '{elsewhere.DisplayName}' and '{endpoint.DisplayName}' have jobs of the kind '{kind}' and run on two pools: "
                        + "jobs of a kind are claimed for one. Name the kind of one of them: AllowJobs(\"…\").");
                }
                same.Add(endpoint);
            }
            return byKind;
        });
    }

    public IReadOnlyList<string> All => [.. _byKind.Value.Keys.Order(StringComparer.Ordinal)];

    /// <summary>The pools that run jobs, with their kinds: first the default one, if it has any.</summary>
    public IReadOnlyList<PoolKinds> OfPools()
    {
        ILookup<FixedThreadPool, string> kinds = _byKind.Value.ToLookup(of => _pools.Of(of.Value[0]), static of => of.Key);
        return kinds.Count == 0
            ? [new PoolKinds(_pools.Default, [])]
            : [.. kinds.OrderByDescending(of => ReferenceEquals(of.Key, _pools.Default)).Select(static of => new PoolKinds(of.Key, [.. of]))];
    }

    /// <summary>Whether requests become jobs, so that clients need routes to find them by.</summary>
    public bool AreRequested => _byKind.Value.Count > 0 && _areRequested;

    public bool Exists(string kind) => _byKind.Value.ContainsKey(kind);

    /// <summary>The kind of an endpoint's jobs: the one that <c>AllowJobs</c> names, or else the kind of the endpoint's work.</summary>
    public static string KindOf(Endpoint endpoint) =>
        AllowJobsMetadata.KindOf(endpoint) ?? endpoint.Metadata.GetRequiredMetadata<StoredRequestDelegates>().Kind;

    /// <summary>What runs jobs of a kind that came with a method.</summary>
    public Endpoint? Find(string kind, string method) => _byKind.Value.GetValueOrDefault(kind)?.Find(
        e => MethodsOf(e) is not { Count: > 0 } methods || methods.Contains(method, StringComparer.OrdinalIgnoreCase));

    private static bool MayTakeTheSame(RouteEndpoint one, RouteEndpoint other) =>
        MethodsOf(one) is not { Count: > 0 } methods || MethodsOf(other) is not { Count: > 0 } others
        || methods.Intersect(others, StringComparer.OrdinalIgnoreCase).Any();

    private static IReadOnlyList<string>? MethodsOf(RouteEndpoint endpoint) => endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods;
}
