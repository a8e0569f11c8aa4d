using System.Net.WebSockets;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Wraps the features by which a handler whose run time is limited may leave HTTP: an upgrade, an extended CONNECT, a WebSocket. Each begins the response
/// with the headers that the handler has set, so they must be copied to the server's response first.
/// </summary>
internal static class HandlerUpgrades
{
    /// <summary>Wraps the features that the request has.</summary>
    /// <param name="features">The request's features.</param>
    /// <param name="pass">Copies the response to the server's, or throws an <see cref="OperationCanceledException"/> if the limit is over.</param>
    public static void Attach(IFeatureCollection features, Action pass)
    {
        if (features.Get<IHttpUpgradeFeature>() is { } upgrade) features.Set<IHttpUpgradeFeature>(new Upgrade(upgrade, pass));
        if (features.Get<IHttpExtendedConnectFeature>() is { } connect) features.Set<IHttpExtendedConnectFeature>(new Connect(connect, pass));
        if (features.Get<IHttpWebSocketFeature>() is { } webSocket) features.Set<IHttpWebSocketFeature>(new WebSockets(webSocket, pass));
    }

    private sealed class Upgrade(IHttpUpgradeFeature server, Action pass) : IHttpUpgradeFeature
    {
        public bool IsUpgradableRequest => server.IsUpgradableRequest;

        public Task<Stream> UpgradeAsync()
        {
            pass();
            return server.UpgradeAsync();
        }
    }

    private sealed class Connect(IHttpExtendedConnectFeature server, Action pass) : IHttpExtendedConnectFeature
    {
        public bool IsExtendedConnect => server.IsExtendedConnect;

        public string? Protocol => server.Protocol;

        public ValueTask<Stream> AcceptAsync()
        {
            pass();
            return server.AcceptAsync();
        }
    }

    private sealed class WebSockets(IHttpWebSocketFeature middleware, Action pass) : IHttpWebSocketFeature
    {
        public bool IsWebSocketRequest => middleware.IsWebSocketRequest;

        public Task<WebSocket> AcceptAsync(WebSocketAcceptContext context)
        {
            pass();
            return middleware.AcceptAsync(context);
        }
    }
}
