using Microsoft.AspNetCore.HttpOverrides;
using PoolApi.Settings;
using IPNetwork = System.Net.IPNetwork;

namespace PoolApi.Server;

/// <summary>Restores the URL that a client sent to a reverse proxy, from settings and from the headers of known proxies.</summary>
/// <remarks>
/// Links are relative and do not need the restored URL. Addresses that people read need it, and so do proxies that do not strip a prefix.
/// The header X-Forwarded-Host is never used: a proxy can pass Host on, and a web page can set X-Forwarded-Host.
/// </remarks>
internal static class ReverseProxy
{
    private const string FrameworkKey = "ForwardedHeaders_Enabled";

    public static void AddReverseProxy(this IServiceCollection services, IConfiguration configuration)
    {
        string? prefix = FrameworkSettings.Value(configuration, HostSettings.PathBaseKey);
        string? proxies = FrameworkSettings.Value(configuration, HostSettings.KnownProxiesKey);
        if (proxies is not null) services.PostConfigure<ForwardedHeadersOptions>(options => Trust(options, ValueRule.NetworksOf(proxies)!));
        // The framework's own switch adds the middleware too. If it ran twice, it would remove two addresses from X-Forwarded-For.
        bool forwards = proxies is not null && !(FrameworkSettings.Value(configuration, FrameworkKey) is { } on && bool.Parse(on));
        if (proxies is not null || prefix is not null) services.AddSingleton<IStartupFilter>(new Filter(forwards, prefix));
    }

    private static void Trust(ForwardedHeadersOptions options, IReadOnlyList<IPNetwork> proxies)
    {
        options.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedPrefix;
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (IPNetwork network in proxies) options.KnownIPNetworks.Add(network);
        // The list of proxies limits how far back the headers are read.
        options.ForwardLimit = null;
    }

    /// <summary>In front of the routing, which the framework puts at the start of the application's own pipeline.</summary>
    private sealed class Filter(bool forwards, string? prefix) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            if (forwards) app.UseForwardedHeaders();
            app.Use(static rest => context =>
            {
                // A proxy may send a slash at the end, or pass on what a client has sent.
                string given = context.Request.PathBase.Value?.TrimEnd('/') ?? "";
                context.Request.PathBase = given.Length > 0 && ValueRule.Prefix.Accepts(given) ? given : default(PathString);
                return rest(context);
            });
            if (prefix is not null) app.UsePathBase(prefix);
            next(app);
        };
    }
}
