namespace PoolApi.Auth;

/// <summary>Warns of keys that are stored themselves: who can read the settings can use them. A hash is of no use to a reader.</summary>
internal static partial class PlainKeyWarning
{
    public static void Write(ApiKeys keys, ILogger log)
    {
        if (keys.Plain is { Count: > 0 } clients) ArePlain(log, string.Join(", ", clients));
    }

    [LoggerMessage(3, LogLevel.Warning,
        "The settings have the keys of these clients as plain text: {Clients}. Make new keys with 'PoolApi keys new CLIENT' and store their hashes.")]
    private static partial void ArePlain(ILogger log, string clients);
}
