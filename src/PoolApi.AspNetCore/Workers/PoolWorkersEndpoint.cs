using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Events;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Workers;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps the endpoints that show every pool and worker.</summary>
public static class PoolWorkersEndpoint
{
    private static readonly string[] Reading = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>
    /// Maps a GET that returns the queue of every pool and the state of every worker at one moment as JSON, and under <c>/stream</c> a GET that
    /// sends the same once a second as server-sent events named <c>workers</c>. When the stop begins, a stream ends with an event named
    /// <c>shutdown</c>. HEAD returns the headers of both at once.
    /// </summary>
    /// <param name="endpoints">The routes of the app.</param>
    /// <param name="pattern">The route.</param>
    /// <returns>Both endpoints.</returns>
    public static IEndpointConventionBuilder MapPoolWorkers(this IEndpointRouteBuilder endpoints, string pattern = "/v1/workers")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        RouteGroupBuilder group = endpoints.MapGroup(pattern);
        group.MapMethods("", Reading, static context =>
        {
            context.Response.Headers.CacheControl = "no-store";
            WorkersView view = WorkersView.Of(
                context.RequestServices.GetRequiredService<ShutdownCoordinator>(), context.RequestServices.GetRequiredService<PoolContexts>());
            return context.Response.WriteAsJsonAsync(view, WorkersJson.Readable.WorkersView, cancellationToken: context.RequestAborted);
        });
        group.MapMethods("/stream", Reading, static context =>
        {
            if (!HttpMethods.IsHead(context.Request.Method))
            {
                return EventStreamWriter.WriteAsync(context, WorkersStream.ReadAsync(
                    context.RequestServices.GetRequiredService<ShutdownCoordinator>(),
                    context.RequestServices.GetRequiredService<PoolContexts>(),
                    context.RequestServices.GetService<TimeProvider>() ?? TimeProvider.System,
                    context.RequestAborted));
            }
            EventStreamWriter.SetHeaders(context.Response); // only the headers, because the stream has no end
            return Task.CompletedTask;
        });
        return group;
    }
}
