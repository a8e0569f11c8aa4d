using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Primitives;
using PoolApi.AspNetCore.Shutdown;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The stop, over HTTP.</summary>
public static class DrainEndpoint
{
    /// <summary>What the log gives as the reason of such a stop.</summary>
    internal const string Reason = "drain";

    /// <summary>
    /// Maps a POST that begins the app's stop, without lame duck: it drains, joins and exits. Answers 202 at once. For the
    /// management port: who can reach it can stop the app. A change that a web page of another site asks for is refused (403).
    /// </summary>
    /// <remarks>
    /// The usual check compares <c>Origin</c> with the request's scheme and host. A page that points a name of its own at this app
    /// passes it, so the app must refuse hosts that it does not know (<c>AllowedHosts</c>).
    /// </remarks>
    /// <param name="endpoints">Where to map it.</param>
    /// <param name="pattern">Its route.</param>
    /// <param name="isCrossSite">Tells whether a web page of another site sends the request; in place of the usual check.</param>
    public static IEndpointConventionBuilder MapPoolDrain(
        this IEndpointRouteBuilder endpoints, string pattern = "/drain", Func<HttpContext, bool>? isCrossSite = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        isCrossSite ??= static context => IsFromAnotherSite(context.Request);
        return endpoints.MapPost(pattern, async context =>
        {
            if (isCrossSite(context))
            {
                await TypedResults.Problem(
                    "A page of another site asked for it.", statusCode: StatusCodes.Status403Forbidden, title: "Not from another site",
                    type: PoolApi.AnyClientProblem.TypePrefix + "forbidden").ExecuteAsync(context);
                return;
            }
            // First the state: it can be seen from the moment of the answer. Then the answer; then the host, which leads the
            // rest, and may be held up by whoever wants to know of a stop.
            context.RequestServices.GetRequiredService<ShutdownCoordinator>().Begin(Reason, lameDuck: false);
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            await context.Response.CompleteAsync();
            context.RequestServices.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        });
    }

    /// <summary>
    /// A page of some other site, open in an operator's browser, must not stop the service. Browsers say where a request comes
    /// from: all of them by Origin in a POST, and towards localhost and https by Sec-Fetch-Site too. Programs say nothing.
    /// </summary>
    private static bool IsFromAnotherSite(HttpRequest request)
    {
        StringValues site = request.Headers["Sec-Fetch-Site"];
        StringValues origin = request.Headers.Origin;
        return (site.Count > 0 && site is not ["same-origin" or "none"])
            || (origin.Count > 0 && origin != $"{request.Scheme}://{request.Host}");
    }
}
