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
    public static ServerUrls Read(IConfiguration configuration, List<string> faults) => new(
        Read(configuration, "Urls", DefaultApi, faults),
        Read(configuration, "Management:Urls", DefaultManagement, faults));

    private static List<string> Read(IConfiguration configuration, string key, string fallback, List<string> faults)
    {
        string text = configuration[key] ?? fallback;
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
            return address is { Scheme: "http", PathBase: "", Port: >= 0 and <= 65535 } && address.Host.Length > 0;
        }
        catch (FormatException)
        {
            return false;
        }
    }
}
