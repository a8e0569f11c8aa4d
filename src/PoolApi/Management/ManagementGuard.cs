using Microsoft.AspNetCore.Http.HttpResults;
using PoolApi.Problems;

namespace PoolApi.Management;

/// <summary>
/// Refuses what a web page of another site sends to the management routes: every request by a host that is not allowed, and every
/// change that another site asks for.
/// </summary>
/// <remarks>On a port that the API shares, the API's own routes answer by any host: they are public, and know their clients by key.</remarks>
internal static class ManagementGuard
{
    /// <summary>After the routing, before everything that answers.</summary>
    public static void UseManagementGuard(this WebApplication app)
    {
        var listeners = app.Services.GetRequiredService<Listeners>();
        var hosts = app.Services.GetRequiredService<ManagementHosts>();
        app.Use(rest => context => IsManagement(listeners.KindOf(context), context) && Refuse(context, hosts) is { } refusal
            ? refusal.ExecuteAsync(context)
            : rest(context));
    }

    private static bool IsManagement(ListenerKind listener, HttpContext context) =>
        listener == ListenerKind.Management
        || (listener == ListenerKind.Both && context.GetEndpoint()?.Metadata.GetMetadata<ListenerMetadata>()?.Kind == ListenerKind.Management);

    private static ProblemHttpResult? Refuse(HttpContext context, ManagementHosts hosts)
    {
        HttpRequest request = context.Request;
        if (!hosts.Allow(request.Host))
        {
            return Problem.Of(context, StatusCodes.Status421MisdirectedRequest,
                $"The host '{request.Host.Host}' is not allowed here. Use an IP address or localhost, or add the name to Management:AllowedHosts.");
        }
        bool isSafe = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method);
        return !isSafe && hosts.IsCrossSite(request)
            ? Problem.Of(context, StatusCodes.Status403Forbidden,
                "A web page of another site sends this. If the page is this service's own behind a proxy, add its host to Management:AllowedHosts.")
            : null;
    }
}
