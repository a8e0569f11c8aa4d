using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using PoolApi.Management;
using PoolApi.Settings;

namespace PoolApi.Server;

/// <summary>Gives the server its limits, and each listener its protocols and its limit of connections.</summary>
/// <remarks>The framework reads none of the limits from the configuration, and has one set of protocols for all listeners.</remarks>
internal static class KestrelSetup
{
    // Probes, scrapes and dashboards need some ten connections. Clients of the API cannot take these.
    private const int ManagementConnections = 1024;

    public static void AddServer(this IWebHostBuilder host, IConfiguration configuration, ServerUrls urls)
    {
        // ServerUrls has read HTTP_PORTS already. If the setting stayed, the host would warn that the addresses override it.
        host.UseSetting(WebHostDefaults.HttpPortsKey, "");
        if (urls.Api.Any(static url => url.StartsWith("https:", StringComparison.OrdinalIgnoreCase))) host.UseKestrelHttpsConfiguration();
        host.ConfigureServices(static services => services.AddSingleton(static provider => new ConnectionLimits(
            provider.GetRequiredService<IConfiguration>(), ManagementConnections, provider.GetRequiredService<ILoggerFactory>())));
        host.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            SetLimits(kestrel.Limits, new Values(configuration));
            kestrel.ConfigureEndpointDefaults(listen =>
            {
                bool management = IsManagementOnly(listen.IPEndPoint, urls);
                if (management) listen.Protocols = HttpProtocols.Http1;
                ConnectionLimits limits = kestrel.ApplicationServices.GetRequiredService<ConnectionLimits>();
                ConnectionLimit? limit = management ? limits.Management : limits.Api;
                if (limit is not null) listen.Use(limit.Around);
            });
        });
    }

    /// <summary>Whether a listener serves the management routes and nothing else.</summary>
    internal static bool IsManagementOnly(IPEndPoint? endpoint, ServerUrls urls) =>
        endpoint is not null && urls.Management.Any(url => Listens(url, endpoint)) && !urls.Api.Any(url => Listens(url, endpoint));

    private static bool Listens(string url, IPEndPoint endpoint)
    {
        BindingAddress address = BindingAddress.Parse(url);
        if (address.Port != endpoint.Port) return false;
        // The port identifies the listener, except port 0 (any free port): then the address does.
        return address.Port != 0 || (IPAddress.TryParse(address.Host, out IPAddress? ip) ? ip : IPAddress.IPv6Any).Equals(endpoint.Address);
    }

    private static void SetLimits(KestrelServerLimits limits, Values values)
    {
        // Each route that reads a body has its own limit, and its response gives the reason. The server's limit would cut the connection instead, even
        // while the server discards the body of a request that a route has refused.
        limits.MaxRequestBodySize = null;
        limits.KeepAliveTimeout = values.Time("KeepAliveTimeout") ?? limits.KeepAliveTimeout;
        limits.RequestHeadersTimeout = values.Time("RequestHeadersTimeout") ?? limits.RequestHeadersTimeout;
        limits.MaxRequestHeaderCount = values.Number("MaxRequestHeaderCount") ?? limits.MaxRequestHeaderCount;
        limits.MaxRequestHeadersTotalSize = values.Number("MaxRequestHeadersTotalSize") ?? limits.MaxRequestHeadersTotalSize;
        limits.MaxRequestLineSize = values.Number("MaxRequestLineSize") ?? limits.MaxRequestLineSize;
        limits.MaxRequestBufferSize = values.Number("MaxRequestBufferSize") ?? limits.MaxRequestBufferSize;
        limits.MaxResponseBufferSize = values.Number("MaxResponseBufferSize") ?? limits.MaxResponseBufferSize;
        limits.MinRequestBodyDataRate = values.Rate("MinRequestBodyDataRate", limits.MinRequestBodyDataRate);
        limits.MinResponseDataRate = values.Rate("MinResponseDataRate", limits.MinResponseDataRate);
        Http2Limits http2 = limits.Http2;
        http2.MaxStreamsPerConnection = values.Number("Http2:MaxStreamsPerConnection") ?? http2.MaxStreamsPerConnection;
        http2.HeaderTableSize = values.Number("Http2:HeaderTableSize") ?? http2.HeaderTableSize;
        http2.MaxFrameSize = values.Number("Http2:MaxFrameSize") ?? http2.MaxFrameSize;
        http2.MaxRequestHeaderFieldSize = values.Number("Http2:MaxRequestHeaderFieldSize") ?? http2.MaxRequestHeaderFieldSize;
        http2.InitialConnectionWindowSize = values.Number("Http2:InitialConnectionWindowSize") ?? http2.InitialConnectionWindowSize;
        http2.InitialStreamWindowSize = values.Number("Http2:InitialStreamWindowSize") ?? http2.InitialStreamWindowSize;
        http2.KeepAlivePingDelay = values.Time("Http2:KeepAlivePingDelay") ?? http2.KeepAlivePingDelay;
        http2.KeepAlivePingTimeout = values.Time("Http2:KeepAlivePingTimeout") ?? http2.KeepAlivePingTimeout;
    }

    /// <summary>Reads limits that the table of settings accepts. A wrong one stops the start elsewhere.</summary>
    private sealed class Values(IConfiguration configuration)
    {
        public int? Number(string name) => Value(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;

        public TimeSpan? Time(string name) => Value(name) is { } text ? TimeSpan.Parse(text, CultureInfo.InvariantCulture) : null;

        public MinDataRate? Rate(string name, MinDataRate? fallback)
        {
            if (fallback is null) return null;
            return new(Number(name + ":BytesPerSecond") ?? fallback.BytesPerSecond, Time(name + ":GracePeriod") ?? fallback.GracePeriod);
        }

        private string? Value(string name) => FrameworkSettings.Value(configuration, "Kestrel:Limits:" + name);
    }
}
