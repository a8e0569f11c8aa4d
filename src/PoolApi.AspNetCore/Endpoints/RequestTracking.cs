using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The outermost middleware: registers every request and its connection with the stop. While the app stops, every response asks its
/// client to close the connection (HTTP/1.1) or to open no more streams on it (HTTP/2), so that no request is sent on a
/// connection that is about to close.
/// </summary>
internal sealed class RequestTracking(IServiceProvider services) : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        // Not in the constructor: startup filters are created with the hosted services, before the settings are validated.
        var shutdown = services.GetRequiredService<ShutdownCoordinator>();
        app.Use(rest => context => TrackAsync(context, shutdown, rest));
        next(app);
    };

    private static async Task TrackAsync(HttpContext context, ShutdownCoordinator shutdown, RequestDelegate rest)
    {
        // Before any other middleware, so that a token that middleware sets can be distinguished from the client's.
        // A pool of an app that passes its requests on to this one may already run the request.
        IHttpRequestLifetimeFeature? outer = context.Features.Get<IHttpRequestLifetimeFeature>();
        var lifetime = new RequestLifetime(outer, shutdown.Requests.Enter()) { Request = (outer as RequestLifetime)?.Request };
        try
        {
            shutdown.Connections.Note(context);
            context.Features.Set<IHttpRequestLifetimeFeature>(lifetime);
            // Read when the response starts and not when the request comes, because the stop may begin in between.
            context.Response.OnStarting(
                static state =>
                {
                    var (context, shutdown) = ((HttpContext, ShutdownCoordinator))state;
                    if (shutdown.IsStopping) context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
                    NoStore.Confirm(context);
                    HandlerResponse.ShowAnswer(context);
                    return Task.CompletedTask;
                },
                (context, shutdown));
            await rest(context);
        }
        finally
        {
            lifetime.StopCounting();
        }
    }
}
