using System.Net;
using PoolApi.Settings;

namespace PoolApi.Management;

/// <summary>The addresses that the server listens on, read from <c>Urls</c> and <c>Management:Urls</c>, with names resolved.</summary>
internal sealed class ServerUrls
{
    public const string DefaultApi = "http://localhost:8080";
    public const string DefaultManagement = "http://localhost:8081";
    public const string ApiKey = "Urls";
    public const string ManagementKey = "Management:Urls";

    private ServerUrls(List<string> api, List<string> management, List<string> managementNames)
    {
        Api = api;
        Management = management;
        ManagementNames = managementNames;
        All = [.. api.Union(management, StringComparer.OrdinalIgnoreCase)];
    }

    public IReadOnlyList<string> Api { get; }

    public IReadOnlyList<string> Management { get; }

    /// <summary>The host names in <c>Management:Urls</c>, as they were written.</summary>
    public IReadOnlyList<string> ManagementNames { get; }

    /// <summary>Each address once, the API's first.</summary>
    public List<string> All { get; }

    /// <summary>Where this machine reaches the management port, in the order to try.</summary>
    public IEnumerable<Uri> ManagementProbes => Management
        .Select(BindingAddress.Parse)
        .SelectMany(static address => ListenHost.Probes(address.Host).Select(host => new Uri($"http://{host}:{address.Port}")))
        .Distinct();

    /// <summary>Reads the addresses. A wrong one is a fault, and the default is used in its place.</summary>
    public static ServerUrls Read(IConfiguration configuration, List<string> faults) => Read(configuration, faults, Dns.GetHostAddresses);

    /// <summary>Reads the addresses, with names resolved by the caller.</summary>
    public static ServerUrls Read(IConfiguration configuration, List<string> faults, Func<string, IPAddress[]> lookUp)
    {
        var names = new List<string>();
        var urls = new ServerUrls(
            Read(configuration, ApiKey, FromPorts(configuration) ?? DefaultApi, faults, lookUp, []),
            Read(configuration, ManagementKey, DefaultManagement, faults, lookUp, names),
            names);
        if (urls.Api.Any(IsHttps) && FrameworkSettings.Value(configuration, KestrelSettings.Certificate) is null)
            faults.Add($"{ApiKey} has an address https://…, and no certificate is set: {KestrelSettings.Certificate} names its file.");
        // The port alone decides which routes answer. If only some addresses of a port were shared, clients of the API could reach the management routes.
        foreach (int port in urls.Management.Select(PortOf).Intersect(urls.Api.Select(PortOf)).Where(static port => port != 0))
        {
            string[] management = On(urls.Management, port);
            string[] api = On(urls.Api, port);
            if (!management.ToHashSet(StringComparer.OrdinalIgnoreCase).SetEquals(api))
                faults.Add($"{ManagementKey} is '{Text(management)}' and {ApiKey} is '{Text(api)}'; they must be the same address, or have different ports.");
        }
        const string Protocols = KestrelSettings.Protocols;
        if ("Http2".Equals(FrameworkSettings.Value(configuration, Protocols), StringComparison.OrdinalIgnoreCase) && urls.Management.Intersect(urls.Api, StringComparer.OrdinalIgnoreCase).Any())
            faults.Add($"{Protocols} is Http2, and {ManagementKey} is an address of {ApiKey}; probes and scrapes speak HTTP/1.1. Give the management a port of its own.");
        return urls;

        static string[] On(IEnumerable<string> urls, int port) => [.. urls.Where(url => PortOf(url) == port)];
        static string Text(string[] urls) => string.Join(';', urls);
    }

    /// <summary>The setting that a bound address comes from.</summary>
    public string KeyOf(IPEndPoint bound)
    {
        bool api = Api.Any(url => PortOf(url) == bound.Port);
        bool management = Management.Any(url => PortOf(url) == bound.Port);
        return api && management ? $"{ApiKey} and {ManagementKey}" : management ? ManagementKey : ApiKey;
    }

    private static bool IsHttps(string url) => url.StartsWith("https:", StringComparison.OrdinalIgnoreCase);

    private static int PortOf(string url) => BindingAddress.Parse(url).Port;

    /// <summary>The addresses of <c>HTTP_PORTS</c>: its ports on every interface, as elsewhere in ASP.NET Core.</summary>
    private static string? FromPorts(IConfiguration configuration) =>
        FrameworkSettings.Value(configuration, "HTTP_PORTS") is { } ports && ValueRule.PortsOf(ports) is { } numbers
            ? string.Join(';', numbers.Select(static port => $"http://*:{port}"))
            : null;

    private static List<string> Read(
        IConfiguration configuration, string key, string fallback, List<string> faults, Func<string, IPAddress[]> lookUp, List<string> names)
    {
        // A list in JSON comes as settings under the key.
        string text = configuration[key] is { Length: > 0 } set ? set : (configuration.GetSection(key).GetChildren().Any() ? "a list" : fallback);
        BindingAddress?[] parts = [.. text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(part => Parse(part, mayBeHttps: key == ApiKey))];
        if (parts.Length == 0 || Array.Exists(parts, static part => part is null))
        {
            faults.Add($"{key} is '{text}'; it must be {(key == ApiKey ? ManagementSettings.ApiAddresses : ManagementSettings.Addresses)}.");
            return [fallback];
        }
        int before = faults.Count;
        var urls = new List<string>();
        foreach (BindingAddress part in parts.OfType<BindingAddress>())
        {
            IReadOnlyList<string> hosts = ListenHost.Resolve(part.Host, lookUp, out string? fault);
            bool isName = !ListenHost.IsWildcard(part.Host) && !ListenHost.IsAddress(part.Host);
            if (isName) names.Add(part.Host);
            // Each address of a name would have a free port of its own.
            if (fault is null && part.Port == 0 && isName) fault = "is a name; with port 0 the host must be an IP address, * or +";
            if (fault is not null) faults.Add($"{key} is '{text}': the host '{part.Host}' {fault}.");
            else urls.AddRange(hosts.Select(host => $"{part.Scheme}://{host}:{part.Port}").Except(urls, StringComparer.OrdinalIgnoreCase));
        }
        return faults.Count == before ? urls : [fallback];
    }

    private static BindingAddress? Parse(string text, bool mayBeHttps)
    {
        try
        {
            BindingAddress address = BindingAddress.Parse(text);
            return (address.Scheme is "http" || (mayBeHttps && address.Scheme is "https")) && address is { PathBase: "", Port: >= 0 and <= 65535, IsUnixPipe: false, IsNamedPipe: false }
                && address.Host.Length > 0 ? address : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
