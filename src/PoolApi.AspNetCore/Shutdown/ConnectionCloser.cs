using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>
/// While the app stops, every response asks its client to close the connection (HTTP/1.1) or to open no more streams on it
/// (HTTP/2), so that no request is sent into a connection that is about to go.
/// </summary>
internal sealed class ConnectionCloser(IServiceProvider services) : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        // Not in the constructor: startup filters are made with the hosted services, before the settings are validated.
        var shutdown = services.GetRequiredService<ShutdownCoordinator>();
        app.Use(async (context, rest) =>
        {
            // Asked as the response starts, not as the request comes: the stop may begin in between.
            context.Response.OnStarting(
                static state =>
                {
                    var (context, shutdown) = ((HttpContext, ShutdownCoordinator))state;
                    if (shutdown.IsStopping) context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
                    return Task.CompletedTask;
                },
                (context, shutdown));
            await rest(context);
        });
        next(app);
    };
}
