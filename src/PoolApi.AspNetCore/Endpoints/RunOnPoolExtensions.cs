using System.Reflection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.AspNetCore.Routing;
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
    /// Said twice (on a group and on an endpoint), the last one names the pool.
    /// </remarks>
    /// <param name="builder">The endpoint, or a group of them.</param>
    /// <param name="pool">The pool's name; the first that was added if not given.</param>
    /// <param name="kind">The kind of the work in metrics and views; the route without <c>/v1/</c> if not given.</param>
    /// <returns>The builder.</returns>
    public static TBuilder RunOnPool<TBuilder>(this TBuilder builder, string? pool = null, string? kind = null)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Add(endpoint =>
        {
            bool first = !endpoint.Metadata.OfType<RunOnPoolMetadata>().Any();
            endpoint.Metadata.Add(new RunOnPoolMetadata(pool, kind));
            if (!first) return;
            foreach (int status in (ReadOnlySpan<int>)[408, 413, 500, 503]) endpoint.Metadata.Add(Problem(status));
            if (HasHandler(endpoint)) endpoint.FilterFactories.Add(static (_, next) => invocation => RunHandlerAsync(invocation, next));
        });
        builder.Finally(static endpoint =>
        {
            // Said twice, this convention runs twice: the first time is enough.
            if (endpoint.Metadata.OfType<PoolEndpoint>().Any()) return;
            RunOnPoolMetadata metadata = endpoint.Metadata.OfType<RunOnPoolMetadata>().Last();
            if (HasQuota(endpoint.ApplicationServices, metadata.Pool)) endpoint.Metadata.Add(Problem(StatusCodes.Status429TooManyRequests));
            string? route = (endpoint as RouteEndpointBuilder)?.RoutePattern.RawText;
            var poolEndpoint = new PoolEndpoint(endpoint.ApplicationServices, metadata.Pool, metadata.Kind ?? KindOf(route), route);
            endpoint.Metadata.Add(poolEndpoint);
            RequestDelegate inner = endpoint.RequestDelegate
                ?? throw new InvalidOperationException("RunOnPool needs an endpoint with a handler.");
            Func<PooledRequest, Task> next = HasHandler(endpoint)
                ? request => inner(request.Context)
                : request => RunDelegateAsync(poolEndpoint, request, inner);
            endpoint.RequestDelegate = context => poolEndpoint.AdmitAsync(context, next);
            endpoint.Metadata.Add(new StoredRequestDelegates(
                poolEndpoint.Kind, context => poolEndpoint.StoreAsync(context, next), context => poolEndpoint.RunStoredAsync(context, next)));
        });
        return builder;
    }

    private static ProducesResponseTypeMetadata Problem(int status) => new(status, typeof(ProblemDetails), ["application/problem+json"]);

    /// <summary>Asks the settings, not the pool, which is made when the host starts.</summary>
    private static bool HasQuota(IServiceProvider services, string? pool)
    {
        pool ??= services.GetServices<PoolRegistration>().FirstOrDefault()?.Name;
        return pool is not null && services.GetService<IOptionsMonitor<PoolOptions>>()?.Get(pool).Quota is not null;
    }

    /// <summary>A minimal API's handler or a controller's action: something that endpoint filters stand in front of.</summary>
    private static bool HasHandler(EndpointBuilder endpoint) =>
        endpoint.Metadata.Any(static m => m is MethodInfo or ControllerActionDescriptor);

    private static ValueTask<object?> RunHandlerAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        // What a minimal API could not bind is refused behind the filters, without calling the handler: no reason to queue for that.
        // (A controller's action would be called, whatever the status is.)
        bool unbound = invocation.HttpContext.Response.StatusCode == StatusCodes.Status400BadRequest
            && invocation.HttpContext.GetEndpoint()?.Metadata.GetMetadata<ControllerActionDescriptor>() is null;
        if (unbound) return next(invocation);
        PooledRequest? request = invocation.HttpContext.Features.Get<PooledRequest>();
        PoolEndpoint? endpoint = invocation.HttpContext.GetEndpoint()?.Metadata.GetMetadata<PoolEndpoint>();
        if (request is null || endpoint is null) throw new InvalidOperationException("The endpoint was not invoked through routing.");
        return endpoint.RunAsync(request, () => next(invocation));
    }

    private static async Task RunDelegateAsync(PoolEndpoint endpoint, PooledRequest request, RequestDelegate inner)
    {
        ServerTiming.Announce(request);
        object? result = await endpoint.RunAsync(request, async () =>
        {
            await inner(request.Context);
            return null;
        });
        if (result is not IResult refusal) return;
        // Cut off in the middle, a response must not look as if it were whole.
        if (request.Context.Response.HasStarted) request.Context.Abort();
        else await refusal.ExecuteAsync(request.Context);
    }

    /// <summary><c>/v1/diagnostics/sleep</c> is of the kind <c>diagnostics/sleep</c>.</summary>
    private static string KindOf(string? route)
    {
        string kind = (route ?? "").Trim('/');
        int slash = kind.IndexOf('/', StringComparison.Ordinal);
        bool versioned = slash > 1 && kind[0] == 'v' && kind.AsSpan(1, slash - 1).IndexOfAnyExceptInRange('0', '9') < 0;
        if (versioned) kind = kind[(slash + 1)..];
        return kind.Length == 0 ? "work" : kind;
    }
}
