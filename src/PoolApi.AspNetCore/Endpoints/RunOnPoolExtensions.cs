using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Endpoints;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Runs endpoints on a fixed thread pool.</summary>
public static class RunOnPoolExtensions
{
    /// <summary>
    /// Runs the endpoint's handler on a pool's own threads, behind the pool's bounded queue. The request is
    /// bound before it is queued (its whole body is read, within <c>MaxBodyBytes</c> and <c>QueueBytes</c>), and the result is
    /// written after the work, so a slow client never holds a worker. A refused request gets 503 (429 if
    /// the pool has a <c>Quota</c> and the client has used it up) before any work has run. Endpoint filters that are added before this call run off the pool, those added after it on the pool.
    /// </summary>
    /// <remarks>
    /// For minimal APIs, controller actions and page handlers only the handler runs on the pool. An endpoint that is a plain
    /// <see cref="RequestDelegate"/> reads and writes itself, so all of it runs there. Its body is also read before it is queued.
    /// If it is called several times (for a group and for an endpoint), the last call that names a pool wins, and the options add up.
    /// <para>A hub, a gRPC service and other endpoints that are a connection instead of a request cannot run on a pool: such an endpoint fails
    /// while it is built. An unknown pool's name fails the start.</para>
    /// <para>In an app without any pool, this call throws. If another app of the process has a pool, the call for a single endpoint cannot detect
    /// that, and the first request fails instead: no code of this library runs at the start of an app without a pool.</para>
    /// </remarks>
    /// <param name="builder">The endpoint, or a group of them.</param>
    /// <param name="pool">The pool's name. Default: the pool that was added first.</param>
    /// <param name="configure">Sets the options of the endpoint.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">There is no pool, or this is a group of endpoints and there is no such pool.</exception>
    public static TBuilder RunOnPool<TBuilder>(this TBuilder builder, string? pool = null, Action<RunOnPoolOptions>? configure = null)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (configure is not null)
        {
            // Validated here, where the stack trace shows the caller. The convention runs when the endpoint is built.
            var trial = new RunOnPoolOptions();
            configure(trial);
            trial.Validate();
        }
        // A group already has the app's services. For a single endpoint the start checks the pool's name, if there is a pool whose start can do so.
        if (builder is IEndpointRouteBuilder group) PoolEndpoint.ThrowIfNoPool(group.ServiceProvider, pool, "The group of endpoints");
        else PoolEndpoint.ThrowIfNoPoolAnywhere(pool, "The endpoint");
        builder.Add(endpoint =>
        {
            PoolEndpoint poolEndpoint = FindOrAdd(endpoint);
            poolEndpoint.Configure(pool, configure);
            poolEndpoint.ApplyAttributes(endpoint);
            if (!poolEndpoint.HasEndpointFilter && PoolEndpoint.CanFilter(endpoint)) AddFilter(endpoint, poolEndpoint);
        });
        builder.Finally(PoolEndpoint.Complete);
        return builder;
    }

    /// <summary>
    /// Runs the endpoint off the pool, although <c>RunOnPool</c> applies to its group or it has the attribute.
    /// </summary>
    /// <param name="builder">The endpoint, or a group of them.</param>
    /// <returns>The builder.</returns>
    public static TBuilder RunOffPool<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Add(static endpoint => FindOrAdd(endpoint).RunOff());
        return builder;
    }

    private static PoolEndpoint FindOrAdd(EndpointBuilder endpoint)
    {
        if (PoolEndpoint.Find(endpoint) is { } known) return known;
        var added = new PoolEndpoint(endpoint);
        endpoint.Metadata.Add(added);
        return added;
    }

    private static void AddFilter(EndpointBuilder endpoint, PoolEndpoint poolEndpoint)
    {
        poolEndpoint.HasEndpointFilter = true;
        IList<Func<EndpointFilterFactoryContext, EndpointFilterDelegate, EndpointFilterDelegate>> filters = endpoint.FilterFactories;
        int index = filters.Count;
        Func<EndpointFilterFactoryContext, EndpointFilterDelegate, EndpointFilterDelegate>? own = null;
        own = (_, next) => poolEndpoint.Filter(
            next, isInnermost: filters.Count == index + 1, isOutermost: ReferenceEquals(filters[0], own), PoolEndpoint.MethodOf(endpoint),
            PoolEndpoint.IsActionOf(endpoint));
        filters.Add(own);
    }
}
