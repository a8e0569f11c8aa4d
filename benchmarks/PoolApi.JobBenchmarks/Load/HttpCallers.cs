using PoolApi.HttpBenchmarks.Load;

namespace PoolApi.JobBenchmarks.Load;

/// <summary>Clients of a server, each with a connection of its own that it keeps.</summary>
/// <param name="target">What all of them request.</param>
/// <param name="clients">How many.</param>
/// <param name="expected">The status of each answer.</param>
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
        // One that refuses quickly must not pass for one that is fast.
        if (status != expected) throw new InvalidOperationException($"{target.Url} answered {status}, not {expected}.");
        if (connection.IsReusable) return;
        connection.Dispose();
        _connections[client] = null;
    }
}
