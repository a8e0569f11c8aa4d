using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
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
    /// For minimal APIs and controller actions only the handler runs on the pool. An endpoint that is a plain
    /// <see cref="RequestDelegate"/> reads and writes by itself, so all of it does; its body too is read before the queue.
    /// Said twice (on a group and on an endpoint), the last one names the pool, and the options add up.
    /// <para>A hub, a gRPC service and whatever else is a connection instead of a request cannot run on a pool: such an endpoint fails
    /// while it is built. A pool's name that was not added fails at the start.</para>
    /// </remarks>
    /// <param name="builder">The endpoint, or a group of them.</param>
    /// <param name="pool">The pool's name; the first that was added if not given.</param>
    /// <param name="configure">What the endpoint asks of the pool.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
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
        builder.Add(endpoint =>
        {
            PoolEndpoint? known = Find(endpoint);
            PoolEndpoint poolEndpoint = known ?? new PoolEndpoint();
            poolEndpoint.Configure(pool, configure);
            if (known is not null) return;
            endpoint.Metadata.Add(poolEndpoint);
            if (PoolEndpoint.CanFilter(endpoint)) AddFilter(endpoint, poolEndpoint);
        });
        builder.Finally(Build);
        return builder;
    }

    /// <summary>Takes one endpoint of a group off the pool again, wherever <c>RunOnPool</c> was said before.</summary>
    /// <param name="builder">The endpoint, or a group of them.</param>
    /// <returns>The builder.</returns>
    public static TBuilder RunOffPool<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Add(static endpoint => Find(endpoint)?.RunOff());
        return builder;
    }

    private static PoolEndpoint? Find(EndpointBuilder endpoint) => endpoint.Metadata.OfType<PoolEndpoint>().FirstOrDefault();

    private static void AddFilter(EndpointBuilder endpoint, PoolEndpoint poolEndpoint)
    {
        IList<Func<EndpointFilterFactoryContext, EndpointFilterDelegate, EndpointFilterDelegate>> filters = endpoint.FilterFactories;
        int place = filters.Count;
        filters.Add((_, next) => poolEndpoint.Filter(next, isInnermost: filters.Count == place + 1, PoolEndpoint.MethodOf(endpoint)));
    }

    private static void Build(EndpointBuilder endpoint)
    {
        // Said twice, this convention runs twice: the first time is enough.
        if (Find(endpoint) is not { IsOff: false } poolEndpoint || endpoint.Metadata.OfType<RunOnPoolMetadata>().Any()) return;
        poolEndpoint.Build(endpoint);
        foreach (int status in (ReadOnlySpan<int>)[408, 413, 500, 503]) endpoint.Metadata.Add(Problem(status));
        PoolOptions? pool = OptionsOf(endpoint.ApplicationServices, poolEndpoint.PoolName);
        if (pool?.Quota is not null) endpoint.Metadata.Add(Problem(StatusCodes.Status429TooManyRequests));
        if (poolEndpoint.Options.MaxRunTime is not null || (pool is not null && pool.MaxRunTime != Timeout.InfiniteTimeSpan))
            endpoint.Metadata.Add(Problem(StatusCodes.Status504GatewayTimeout));
        endpoint.Metadata.Add(new RunOnPoolMetadata(poolEndpoint.PoolName, poolEndpoint.Kind));
        endpoint.Metadata.Add(new StoredRequestDelegates(
            poolEndpoint.Kind, context => PoolRequest.StoreAsync(poolEndpoint, context), context => PoolRequest.RunStoredAsync(poolEndpoint, context)));
    }

    private static ProducesResponseTypeMetadata Problem(int status) => new(status, typeof(ProblemDetails), ["application/problem+json"]);

    /// <summary>Asks the settings, not the pool, which is made when the host starts.</summary>
    private static PoolOptions? OptionsOf(IServiceProvider services, string? pool)
    {
        pool ??= services.GetServices<PoolRegistration>().FirstOrDefault()?.Name;
        return pool is null ? null : services.GetService<IOptionsMonitor<PoolOptions>>()?.Get(pool);
    }
}
