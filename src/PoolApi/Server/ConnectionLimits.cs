using System.Globalization;
using Microsoft.AspNetCore.Connections;
using PoolApi.Settings;

namespace PoolApi.Server;

/// <summary>Limits the connections of each port. The limits are separate: a full API leaves the probes their connections.</summary>
internal sealed class ConnectionLimits
{
    private const string Key = "Kestrel:Limits:MaxConcurrentConnections";

    public ConnectionLimits(IConfiguration configuration, int management, ILoggerFactory loggers)
    {
        ILogger log = loggers.CreateLogger<ConnectionLimits>();
        Management = new("The management port", management, log);
        if (FrameworkSettings.Value(configuration, Key) is { } text)
            Api = new("The API", int.Parse(text, CultureInfo.InvariantCulture), log);
    }

    /// <summary>All listeners of the API together; <see langword="null"/> without a limit.</summary>
    public ConnectionLimit? Api { get; }

    public ConnectionLimit Management { get; }
}

/// <summary>Closes connections beyond a number at once.</summary>
internal sealed partial class ConnectionLimit(string port, int max, ILogger log)
{
    private int _open;
    private int _isLogged; // since the number was last below half

    public ConnectionDelegate Around(ConnectionDelegate next) => connection => RunAsync(connection, next);

    private async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        try
        {
            if (Interlocked.Increment(ref _open) <= max)
            {
                await next(connection);
                return;
            }
            // One line, not one for each connection: a client must not be able to fill the log. The line comes before the abort.
            if (Interlocked.Exchange(ref _isLogged, 1) == 0) LogFull(log, port, max);
            connection.Abort();
        }
        finally
        {
            if (Interlocked.Decrement(ref _open) <= max / 2) Volatile.Write(ref _isLogged, 0);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "{Port} has {Max} connections, which is its limit. The server closes further connections at once.")]
    private static partial void LogFull(ILogger log, string port, int max);
}
