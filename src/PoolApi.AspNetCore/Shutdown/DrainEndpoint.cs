using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using PoolApi.AspNetCore.Shutdown;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The stop, over HTTP.</summary>
public static class DrainEndpoint
{
    /// <summary>What the log gives as the reason of such a stop.</summary>
    internal const string Reason = "drain";

    /// <summary>
    /// Maps a POST that begins the app's stop, without lame duck: it drains, joins and exits. Answers 202 at once. For the
    /// management port: who can reach it can stop the app.
    /// </summary>
    /// <param name="endpoints">Where to map it.</param>
    /// <param name="pattern">Its route.</param>
    public static IEndpointConventionBuilder MapPoolDrain(this IEndpointRouteBuilder endpoints, string pattern = "/drain")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        return endpoints.MapPost(pattern, static context =>
        {
            // A page of some other site, open in an operator's browser, must not stop the service on his machine.
            if (context.Request.Headers["Sec-Fetch-Site"] is [{ } site] && site is not ("same-origin" or "none"))
            {
                return TypedResults.Problem(
                    "A page of another site asked for it.", statusCode: StatusCodes.Status403Forbidden, title: "Not from another site",
                    type: "urn:poolapi:problem:forbidden").ExecuteAsync(context);
            }
            // First the state: it can be seen from the moment of the answer. Then the host, which leads the rest.
            context.RequestServices.GetRequiredService<ShutdownCoordinator>().Begin(Reason, lameDuck: false);
            context.RequestServices.GetRequiredService<IHostApplicationLifetime>().StopApplication();
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            return Task.CompletedTask;
        });
    }
}
