using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Endpoints;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Puts endpoints on a fixed thread pool.</summary>
public static class RunOnPoolExtensions
{
    /// <summary>
    /// Runs the endpoint's handler on a pool's own threads, with the pool's bounded queue in front of it. The request is
    /// bound before the queue (its body is read whole, within <c>MaxBodyBytes</c> and <c>QueueBytes</c>) and the result is
    /// written after the pool, so a worker is never held by a slow client. What is not accepted is answered 503 (429 where
    /// the pool has a <c>Quota</c> and the client has used it up) before anything has run. Endpoint filters added before this run off the pool, those added after it on the pool.
    /// </summary>
    /// <remarks>
    /// For minimal APIs, controller actions and page handlers only the handler runs on the pool. An endpoint that is a plain
    /// <see cref="RequestDelegate"/> reads and writes by itself, so all of it does; its body too is read before the queue.
    /// Said twice (on a group and on an endpoint), the last one that names a pool counts, and the options add up.
    /// <para>A hub, a gRPC service and whatever else is a connection instead of a request cannot run on a pool: such an endpoint fails
    /// while it is built. A pool's name that was not added fails at the start.</para>
    /// <para>An app without any pool runs nothing of this library when it starts: there, the first request fails with the same sentence.</para>
    /// </remarks>
    /// <param name="builder">The endpoint, or a group of them.</param>
    /// <param name="pool">The pool's name; the first that was added if not given.</param>
    /// <param name="configure">What the endpoint asks of the pool.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">This is a group of endpoints, and there is no such pool.</exception>
    public static TBuilder RunOnPool<TBuilder>(this TBuilder builder, string? pool = null, Action<RunOnPoolOptions>? configure = null)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (configure is not null)
        {
            // Now, where its author can see it; the convention runs when the endpoint is built.
            var trial = new RunOnPoolOptions();
            configure(trial);
            trial.Validate();
        }
        // A group knows the app's services already. For a single endpoint, the pool's name is looked up when the app starts.
        if (builder is IEndpointRouteBuilder group) PoolEndpoint.ThrowIfNoPool(group.ServiceProvider, pool, "The group of endpoints");
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
    /// Takes one endpoint of a group off the pool again, wherever <c>RunOnPool</c> was said before, and whatever attribute it has.
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
        var added = new PoolEndpoint();
        endpoint.Metadata.Add(added);
        return added;
    }

    private static void AddFilter(EndpointBuilder endpoint, PoolEndpoint poolEndpoint)
    {
        poolEndpoint.HasEndpointFilter = true;
        IList<Func<EndpointFilterFactoryContext, EndpointFilterDelegate, EndpointFilterDelegate>> filters = endpoint.FilterFactories;
        int place = filters.Count;
        Func<EndpointFilterFactoryContext, EndpointFilterDelegate, EndpointFilterDelegate>? own = null;
        own = (_, next) => poolEndpoint.Filter(
            next, isInnermost: filters.Count == place + 1, isOutermost: ReferenceEquals(filters[0], own), PoolEndpoint.MethodOf(endpoint));
        filters.Add(own);
    }
}
