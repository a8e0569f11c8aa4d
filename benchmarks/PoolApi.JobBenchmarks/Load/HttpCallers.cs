using PoolApi.HttpBenchmarks.Load;

namespace PoolApi.JobBenchmarks.Load;

/// <summary>Clients of a server, each with a connection of its own that it keeps.</summary>
/// <param name="target">The request of all clients.</param>
/// <param name="clients">The number of clients.</param>
/// <param name="expected">The status that each response must have.</param>
internal sealed class HttpCallers(Target target, int clients, int expected) : IDisposable
{
    private readonly HttpConnection?[] _connections = new HttpConnection?[clients];

    public Task<CallResult> RunAsync(TimeSpan duration) => Callers.ForAsync(clients, duration, CallAsync);

    public void Dispose()
    {
        foreach (HttpConnection? connection in _connections) connection?.Dispose();
    }

    private async ValueTask CallAsync(int client)
    {
        HttpConnection? connection = _connections[client];
        if (connection is null)
        {
            _connections[client] = connection = new HttpConnection(target.Server);
            await connection.ConnectAsync();
        }
        int status = await connection.ExchangeAsync(target.Request);
        // A server that rejects quickly must not count as fast.
        if (status != expected) throw new InvalidOperationException($"{target.Url} answered {status}, not {expected}.");
        if (connection.IsReusable) return;
        connection.Dispose();
        _connections[client] = null;
    }
}
