using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PoolApi.AspNetCore.Endpoints;

namespace PoolApi.AspNetCore.Mvc;

/// <summary>
/// Builds and caches the endpoints that run on a pool because of <see cref="RunOnPoolAttribute"/> alone. An attribute cannot change the
/// endpoint that the framework builds, so each such endpoint gets a second one with the same metadata that runs on the pool. Thread-safe.
/// </summary>
/// <remarks>For actions and pages the attribute is also the MVC filter in front of the handler. Any other endpoint runs on the pool as a whole.</remarks>
internal sealed class AttributeEndpoints(IServiceProvider services)
{
    private readonly ConditionalWeakTable<Endpoint, Endpoint> _pooled = [];

    /// <summary>Finds the endpoint that runs on the pool instead of the framework's endpoint.</summary>
    /// <returns>The given endpoint itself if it has no attribute, or if <c>RunOnPool()</c> or <c>RunOffPool()</c> applies to it.</returns>
    /// <exception cref="InvalidOperationException">The endpoint cannot run on a pool, or its pool does not exist.</exception>
    public Endpoint Resolve(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<RunOnPoolAttribute>() is null || PoolEndpoint.Find(endpoint) is not null
            ? endpoint
            : _pooled.GetValue(endpoint, Make);

    private Endpoint Make(Endpoint endpoint)
    {
        EndpointBuilder builder = endpoint is RouteEndpoint route
            ? new RouteEndpointBuilder(route.RequestDelegate, route.RoutePattern, route.Order) { ApplicationServices = services }
            : new PlainEndpointBuilder { ApplicationServices = services, RequestDelegate = endpoint.RequestDelegate };
        builder.DisplayName = endpoint.DisplayName;
        foreach (object metadata in endpoint.Metadata) builder.Metadata.Add(metadata);
        builder.Metadata.Add(new PoolEndpoint(builder));
        PoolEndpoint.Complete(builder);
        return builder.Build();
    }

    /// <summary>Builds an endpoint without a route of its own, such as the target of a dynamic route.</summary>
    private sealed class PlainEndpointBuilder : EndpointBuilder
    {
        public override Endpoint Build() => new(RequestDelegate, new EndpointMetadataCollection(Metadata), DisplayName);
    }
}
