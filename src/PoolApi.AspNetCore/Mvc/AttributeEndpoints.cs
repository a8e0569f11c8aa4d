using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PoolApi.AspNetCore.Endpoints;

namespace PoolApi.AspNetCore.Mvc;

/// <summary>
/// The endpoints that name their pool by <see cref="RunOnPoolAttribute"/> alone. An attribute cannot change the endpoint that the framework
/// makes of it, so each has a second one here, with the same metadata, that takes the way through the pool.
/// </summary>
/// <remarks>For actions and pages a filter of MVC is the attribute itself. For everything else there is none, and all of the endpoint is the work.</remarks>
internal sealed class AttributeEndpoints(IServiceProvider services)
{
    private readonly ConditionalWeakTable<Endpoint, Endpoint> _pooled = [];

    /// <summary>The endpoint that runs on the pool, in the place of the framework's.</summary>
    /// <returns>The endpoint itself, if it has no attribute, or conventions have put it on a pool or taken it off.</returns>
    /// <exception cref="InvalidOperationException">It cannot run on the pool, or there is none of that name.</exception>
    public Endpoint Resolve(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<RunOnPoolAttribute>() is null || endpoint.Metadata.GetMetadata<PoolEndpoint>() is not null
            ? endpoint
            : _pooled.GetValue(endpoint, Make);

    private Endpoint Make(Endpoint endpoint)
    {
        EndpointBuilder builder = endpoint is RouteEndpoint route
            ? new RouteEndpointBuilder(route.RequestDelegate, route.RoutePattern, route.Order) { ApplicationServices = services }
            : new PlainEndpointBuilder { ApplicationServices = services, RequestDelegate = endpoint.RequestDelegate };
        builder.DisplayName = endpoint.DisplayName;
        foreach (object metadata in endpoint.Metadata) builder.Metadata.Add(metadata);
        builder.Metadata.Add(new PoolEndpoint());
        PoolEndpoint.Complete(builder);
        return builder.Build();
    }

    /// <summary>For what dynamic routes lead to, which has no route of its own.</summary>
    private sealed class PlainEndpointBuilder : EndpointBuilder
    {
        public override Endpoint Build() => new(RequestDelegate, new EndpointMetadataCollection(Metadata), DisplayName);
    }
}
