namespace PoolApi.Management;

/// <summary>Warns once, at the start, if the service asks for no keys and other machines can reach it.</summary>
internal static partial class OpenAccessWarning
{
    public static void Write(ServerUrls urls, ILogger log)
    {
        string[] open = [.. urls.Api.Where(static url => !ListenHost.IsLoopback(BindingAddress.Parse(url).Host))];
        if (open.Length > 0) IsOpen(log, string.Join(", ", open));
    }

    [LoggerMessage(1, LogLevel.Warning, "Everybody who reaches {Addresses} may send work: no keys are set. Make one with 'PoolApi keys new CLIENT' and store its hash under Auth:ApiKeys.")]
    private static partial void IsOpen(ILogger log, string addresses);
}
