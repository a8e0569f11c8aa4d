using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Events;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Workers;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The view of every worker, over HTTP.</summary>
public static class PoolWorkersEndpoint
{
    private static readonly string[] Reading = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>
    /// Maps a GET that answers every pool's queue and every worker's state at one moment, as JSON; and under
    /// <c>/stream</c> behind it a GET that answers the same once a second, as server-sent events named <c>workers</c>. When
    /// the app begins to stop, a stream ends with a last event named <c>shutdown</c>. HEAD answers the headers of both, at once.
    /// </summary>
    /// <param name="endpoints">Where to map it.</param>
    /// <param name="pattern">Its route.</param>
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
            return context.Response.WriteAsJsonAsync(view, WorkersJson.Default.WorkersView, cancellationToken: context.RequestAborted);
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
            EventStreamWriter.SetHeaders(context.Response); // of the stream, which would never end
            return Task.CompletedTask;
        });
        return group;
    }
}
