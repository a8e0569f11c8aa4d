using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace PoolApi.Management;

/// <summary>
/// Decides what a port serves. It goes by the local port of a request's connection, never by a header, which the client chooses.
/// </summary>
internal sealed class Listeners(ServerUrls urls, IServer server)
{
    private readonly Lock _once = new();
    private HashSet<int>? _api;
    private HashSet<int>? _management;

    public ListenerKind KindOf(HttpContext context)
    {
        int port = context.Connection.LocalPort;
        if (port == 0) return ListenerKind.Both; // a test server has no port
        Resolve();
        // Any port that is not the management port serves the API alone, independent of the setting that opened it.
        if (!_management!.Contains(port)) return ListenerKind.Api;
        return _api!.Contains(port) ? ListenerKind.Both : ListenerKind.Management;
    }

    /// <summary>
    /// Read at the first request: by then the server has replaced the addresses of the settings by those it listens on, in the same order (port
    /// 0 means any free port).
    /// </summary>
    private void Resolve()
    {
        if (Volatile.Read(ref _management) is not null) return;
        lock (_once)
        {
            if (_management is not null) return;
            string[] bound = [.. server.Features.Get<IServerAddressesFeature>()?.Addresses ?? []];
            bool inOrder = bound.Length == urls.All.Count;
            HashSet<int> PortsOf(IReadOnlyList<string> wanted) => [.. wanted.Select(PortOf)];
            int PortOf(string url)
            {
                int port = BindingAddress.Parse(url).Port;
                // A port other than 0 is taken from the settings: the server's addresses may come from elsewhere.
                return port == 0 && inOrder ? BindingAddress.Parse(bound[urls.All.IndexOf(url)]).Port : port;
            }
            _api = PortsOf(urls.Api);
            Volatile.Write(ref _management, PortsOf(urls.Management));
        }
    }
}
