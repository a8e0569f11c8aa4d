using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Primitives;
using PoolApi.AspNetCore.Shutdown;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps the endpoint that stops the app over HTTP.</summary>
public static class DrainEndpoint
{
    /// <summary>The reason of such a stop in the log.</summary>
    internal const string Reason = "drain";

    /// <summary>
    /// Maps a POST that begins the app's stop without lame duck: the app drains, joins its threads and exits. The endpoint answers 202 at
    /// once. Map it on a management port only: every client that reaches it can stop the app. A request from a web page of another site is
    /// refused with 403.
    /// </summary>
    /// <remarks>
    /// The default check compares <c>Origin</c> with the request's scheme and host. By DNS rebinding an attacker's page passes it, so the
    /// app must also refuse unknown hosts (<c>AllowedHosts</c>).
    /// </remarks>
    /// <param name="endpoints">The routes of the app.</param>
    /// <param name="pattern">The route.</param>
    /// <param name="isCrossSite">Replaces the default check: returns whether a web page of another site sends the request.</param>
    public static IEndpointConventionBuilder MapPoolDrain(
        this IEndpointRouteBuilder endpoints, string pattern = "/drain", Func<HttpContext, bool>? isCrossSite = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        isCrossSite ??= static context => IsFromAnotherSite(context.Request);
        return endpoints.MapPost(pattern, async context =>
        {
            if (isCrossSite(context))
            {
                await PoolApi.AnyClientProblem.WriteAsync(
                    context, PoolApi.CommonProblems.Forbidden.Of(context, "This request comes from a web page of another site. Such a page may not stop the app."));
                return;
            }
            await StopAsync(context, Reason);
        });
    }

    /// <summary>Begins the app's stop without lame duck and answers 202.</summary>
    internal static async Task StopAsync(HttpContext context, string reason)
    {
        // The state changes before the client has its response, so the client can see it. The host comes last: it runs callbacks of the
        // app, which may block.
        context.RequestServices.GetRequiredService<ShutdownCoordinator>().Begin(reason, lameDuck: false);
        var host = context.RequestServices.GetRequiredService<IHostApplicationLifetime>();
        try
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            await context.Response.CompleteAsync();
        }
        finally
        {
            // Also if the response fails, for example because middleware has begun it: the app refuses work from now on, so the host must stop.
            host.StopApplication();
        }
    }

    /// <summary>
    /// A page of another site that is open in an operator's browser must not stop the service. All browsers send Origin with a POST, and
    /// Sec-Fetch-Site to localhost and over https. Programs such as curl send neither.
    /// </summary>
    private static bool IsFromAnotherSite(HttpRequest request)
    {
        StringValues site = request.Headers["Sec-Fetch-Site"];
        StringValues origin = request.Headers.Origin;
        return (site.Count > 0 && site is not ["same-origin" or "none"])
            || (origin.Count > 0 && origin != $"{request.Scheme}://{request.Host}");
    }
}
