using static PoolApi.Settings.FrameworkSetting;

namespace PoolApi.Settings;

/// <summary>Settings of the host. As environment variables they begin with <c>DOTNET_</c> or <c>ASPNETCORE_</c>.</summary>
internal static class HostSettings
{
    public const string PathBaseKey = "PathBase";
    public const string KnownProxiesKey = "ForwardedHeaders:KnownProxies";

    private const string Addresses = "Urls and Management:Urls set where the service listens";
    private const string Https = "Urls takes addresses https://host:port";
    private const string Assemblies = "the service loads no assemblies that it was not built with";

    public static IReadOnlyList<FrameworkSetting> All { get; } =
    [
        Used("Environment", "Production", ValueRule.Any, "`Development` turns the diagnostics routes on; appsettings.{Environment}.json is read"),
        Used("ContentRoot", "the folder of the program", ContentRoot.Rule, "where appsettings.json is, and where a relative path starts"),
        Used("HTTP_PORTS", "none", ValueRule.Ports, "without `Urls`: the API listens on these ports, on every address"),
        Used("AllowedHosts", "*", ValueRule.Hosts, "the hosts that the API accepts; a request with another Host gets 400. The management routes have Management:AllowedHosts instead"),
        Used("ForwardedHeaders_Enabled", "false", ValueRule.Boolean, "take the client's address and the scheme from X-Forwarded-For and X-Forwarded-Proto of any sender; use it only behind a proxy that sets both"),
        Used(KnownProxiesKey, "none", ValueRule.Networks, "the proxies whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Prefix are used; those of other senders are ignored. X-Forwarded-Host never is"),
        Used(PathBaseKey, "none", ValueRule.Prefix, "the prefix of the paths that a proxy passes on without stripping it; requests without it are answered too"),
        Used("HostBuilder:ReloadConfigOnChange", "true", ValueRule.Boolean, "watch appsettings.json; only a change of a log level takes effect. A wrong level is ignored until the next start, which refuses it"),
        Refused("HTTPS_PORTS", Https),
        Refused("HTTPS_PORT", Https),
        Refused("PreferHostingUrls", Addresses),
        Refused("WebRoot", "the service has no static files"),
        Refused("ShutdownTimeoutSeconds", "Shutdown:Drain and Shutdown:Cancel set how long a stop may take"),
        Refused("HostOptions", "the host reads no such section; Shutdown:Drain and Shutdown:Cancel set how long a stop may take"),
        Refused("ServicesStartConcurrently", "the order of the start and of the stop is fixed"),
        Refused("ServicesStopConcurrently", "the order of the start and of the stop is fixed"),
        Refused("CaptureStartupErrors", "a failed start ends the process with exit code 78"),
        Refused("DetailedErrors", "the log has the details of an error, under the trace id"),
        Refused("SuppressStatusMessages", "Logging:LogLevel:Microsoft.Hosting.Lifetime sets what the host logs"),
        Refused("HostingStartupAssemblies", Assemblies),
        Refused("HostingStartupExcludeAssemblies", Assemblies),
        Refused("PreventHostingStartup", Assemblies),
        Refused("StartupAssembly", Assemblies),
        NotOurs("ApplicationName", "a name that only the host itself uses"),
        NotOurs("DOTNET_*", "the runtime reads its own settings from the environment, such as DOTNET_GCHeapHardLimit"),
    ];
}
