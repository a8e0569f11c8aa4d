namespace PoolApi.Management;

/// <summary>Warns at the start, once for each port, if the service asks for no keys and other machines can reach the port.</summary>
internal static partial class OpenAccessWarning
{
    public static void Write(ServerUrls urls, ILogger log)
    {
        if (Open(urls.Api) is { Length: > 0 } api) IsOpen(log, string.Join(", ", api));
        if (Open(urls.Management) is { Length: > 0 } management) IsManagementOpen(log, string.Join(", ", management));
    }

    private static string[] Open(IEnumerable<string> urls) => [.. urls.Where(static url => !ListenHost.IsLoopback(BindingAddress.Parse(url).Host))];

    [LoggerMessage(1, LogLevel.Warning, "Everybody who reaches {Addresses} may send work: no keys are set. Make one with 'PoolApi keys new CLIENT' and store its hash under Auth:ApiKeys.")]
    private static partial void IsOpen(ILogger log, string addresses);

    [LoggerMessage(2, LogLevel.Warning,
        "Everybody who reaches {Addresses} may see every worker and job. No keys are set, so changes there are accepted from this machine only. "
        + "Keep Management:Urls on a private network.")]
    private static partial void IsManagementOpen(ILogger log, string addresses);
}
