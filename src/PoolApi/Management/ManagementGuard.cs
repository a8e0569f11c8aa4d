using System.Net;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using PoolApi.Auth;
using PoolApi.Problems;

namespace PoolApi.Management;

/// <summary>
/// Guards the management routes: refuses requests under a host that is not allowed, changes that a web page of another site asks for, and
/// changes without the right to make them.
/// </summary>
/// <remarks>On a shared port, the routes of the API answer for any host: they are public, and identify their clients by key.</remarks>
internal static class ManagementGuard
{
    /// <summary>After the routing, before everything that answers.</summary>
    /// <param name="app">The app.</param>
    /// <param name="keys">The keys. If there are any, a change needs a key with the role admin. Null: a change must come from this machine.</param>
    public static void UseManagementGuard(this WebApplication app, ApiKeyRing? keys)
    {
        var listeners = app.Services.GetRequiredService<Listeners>();
        var hosts = app.Services.GetRequiredService<ManagementHosts>();
        app.Use(rest => context =>
        {
            if (!IsManagement(listeners.KindOf(context), context)) return rest(context);
            if (Refuse(context, hosts) is { } refusal) return refusal.ExecuteAsync(context);
            return IsRead(context.Request) || context.GetEndpoint() is null ? rest(context) : RefuseChange(context, keys) ?? rest(context);
        });
    }

    private static bool IsManagement(ListenerKind listener, HttpContext context) =>
        listener == ListenerKind.Management
        || (listener == ListenerKind.Both && context.GetEndpoint()?.Metadata.GetMetadata<ListenerMetadata>()?.Kind == ListenerKind.Management);

    private static ProblemHttpResult? Refuse(HttpContext context, ManagementHosts hosts)
    {
        HttpRequest request = context.Request;
        if (!hosts.Allow(request.Host))
        {
            return Problem.Of(context, ServiceProblems.HostNotAllowed,
                $"The host '{request.Host.Host}' is not allowed here. Use an IP address or localhost, or add the name to Management:AllowedHosts.");
        }
        return !IsRead(request) && hosts.IsCrossSite(request)
            ? Problem.Of(context, CommonProblems.Forbidden,
                "This request comes from a web page of another site. If the page is this service's own behind a proxy, add its host to Management:AllowedHosts.")
            : null;
    }

    private static bool IsRead(HttpRequest request) =>
        HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method);

    /// <summary>The response to a client that may not change anything here.</summary>
    private static Task? RefuseChange(HttpContext context, ApiKeyRing? keys)
    {
        if (keys is null)
        {
            return IsFromThisMachine(context)
                ? null
                : ApiKeyCheck.Refuse(context, "Without keys, changes are taken from the machine itself only. Set Auth:ApiKeys, and send a key with the role admin.");
        }
        if (keys.Now.ClientOf(context.Request) is not { } client) return ApiKeyCheck.RefuseUnknown(context);
        return client.Role == ApiRole.Admin ? null : ApiKeyCheck.Refuse(context, $"The key of '{client.Name}' has no right to change anything here; that needs the role admin.");
    }

    /// <summary>
    /// Whether the client's address and the peer of the connection are both loopback addresses. The peer alone may be a proxy on this machine
    /// whose client is elsewhere. The client's address alone may come from a header that a client elsewhere has sent.
    /// </summary>
    private static bool IsFromThisMachine(HttpContext context)
    {
        // The address is null for a Unix socket, and for the in-memory server of a test.
        if (context.Connection.RemoteIpAddress is { } client && !ListenHost.IsLoopback(client)) return false;
        try
        {
            // Forwarded headers replace the address of the request, and not that of its socket.
            return context.Features.Get<IConnectionSocketFeature>()?.Socket.RemoteEndPoint is not IPEndPoint peer || ListenHost.IsLoopback(peer.Address);
        }
        catch (ObjectDisposedException)
        {
            return false; // the connection has ended
        }
    }
}
