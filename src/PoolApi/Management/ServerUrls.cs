using PoolApi.Settings;

namespace PoolApi.Management;

/// <summary>The addresses that the server listens on, read from <c>Urls</c> and <c>Management:Urls</c>.</summary>
internal sealed class ServerUrls
{
    public const string DefaultApi = "http://localhost:8080";
    public const string DefaultManagement = "http://localhost:8081";

    private ServerUrls(List<string> api, List<string> management)
    {
        Api = api;
        Management = management;
        All = [.. api.Union(management, StringComparer.OrdinalIgnoreCase)];
    }

    public IReadOnlyList<string> Api { get; }

    public IReadOnlyList<string> Management { get; }

    /// <summary>Each address once, the API's first.</summary>
    public List<string> All { get; }

    /// <summary>Reads the addresses; what is wrong with them goes to the faults, and the default takes its place.</summary>
    public static ServerUrls Read(IConfiguration configuration, List<string> faults)
    {
        var urls = new ServerUrls(
            Read(configuration, "Urls", FromPorts(configuration) ?? DefaultApi, faults),
            Read(configuration, "Management:Urls", DefaultManagement, faults));
        // The port alone tells which routes answer: shared in part, it would open the management to whoever reaches the API.
        foreach (string url in urls.Management.Except(urls.Api))
        {
            int port = BindingAddress.Parse(url).Port;
            if (port != 0 && urls.Api.FirstOrDefault(api => BindingAddress.Parse(api).Port == port) is { } api)
                faults.Add($"Management:Urls is '{url}' and Urls is '{api}'; they may be the same address, or have different ports.");
        }
        return urls;
    }

    /// <summary>Whether a host is where to listen, not where to ask: a wildcard.</summary>
    public static bool IsAnyHost(string host) => host is "+" or "*" or "0.0.0.0" or "[::]";

    /// <summary>The addresses that <c>HTTP_PORTS</c> means: any, as elsewhere in ASP.NET Core.</summary>
    private static string? FromPorts(IConfiguration configuration) =>
        FrameworkSettings.Value(configuration, "HTTP_PORTS") is { } ports && ValueRule.PortsOf(ports) is { } numbers
            ? string.Join(';', numbers.Select(static port => $"http://*:{port}"))
            : null;

    private static List<string> Read(IConfiguration configuration, string key, string fallback, List<string> faults)
    {
        // A list in JSON comes as settings under the key.
        string text = configuration[key] ?? (configuration.GetSection(key).GetChildren().Any() ? "a list" : fallback);
        string[] parts = text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var urls = parts.Where(IsUrl).Select(static part => BindingAddress.Parse(part).ToString()).ToList();
        if (parts.Length > 0 && urls.Count == parts.Length) return urls;
        faults.Add($"{key} is '{text}'; it may be one or more addresses http://host:port, separated by ';'. TLS belongs to the proxy in front.");
        return [fallback];
    }

    private static bool IsUrl(string text)
    {
        try
        {
            BindingAddress address = BindingAddress.Parse(text);
            return address is { Scheme: "http", PathBase: "", Port: >= 0 and <= 65535, IsUnixPipe: false, IsNamedPipe: false }
                && address.Host.Length > 0;
        }
        catch (FormatException)
        {
            return false;
        }
    }
}
