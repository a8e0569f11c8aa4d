using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>The connections that have carried a request. The stop asks each of them to close while the server's timers still run.</summary>
/// <remarks>
/// Kestrel stops its timers first when it stops, but the end of an HTTP/2 connection (its final GOAWAY) needs one of them. Kestrel itself
/// closes a connection without a request at once.
/// </remarks>
internal sealed class OpenConnections
{
    private readonly ConcurrentDictionary<string, IConnectionLifetimeNotificationFeature> _open = new(StringComparer.Ordinal);
    private TaskCompletionSource? _none; // set when CloseAsync waits for the last connection

    /// <summary>Adds the request's connection. From the second request on, this costs one lookup.</summary>
    public void Note(HttpContext context)
    {
        // TestServer's connections have a null id, although its type is not nullable.
        if (context.Connection.Id is not { Length: > 0 } id || _open.ContainsKey(id)) return;
        // TestServer's connections lack these features or never close.
        if (context.Features.Get<IConnectionLifetimeNotificationFeature>() is not { } connection
            || context.Features.Get<IConnectionLifetimeFeature>() is not { ConnectionClosed.CanBeCanceled: true } lifetime
            || !_open.TryAdd(id, connection))
        {
            return;
        }
        lifetime.ConnectionClosed.UnsafeRegister(
            static state =>
            {
                var (connections, id) = ((OpenConnections, string))state!;
                connections.Forget(id);
            },
            (this, id));
    }

    /// <summary>Asks each connection to close and waits until all have closed, but no longer than <paramref name="time"/>.</summary>
    public async Task CloseAsync(TimeSpan time)
    {
        var none = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Exchange(ref _none, none);
        foreach (IConnectionLifetimeNotificationFeature connection in _open.Values) connection.RequestClose();
        if (_open.IsEmpty) return;
        await none.Task.WaitAsync(time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Forget(string id)
    {
        _open.TryRemove(id, out _);
        Interlocked.MemoryBarrier(); // pairs with the exchange in CloseAsync: either this thread sees _none, or CloseAsync sees no connection
        if (Volatile.Read(ref _none) is { } none && _open.IsEmpty) none.TrySetResult();
    }
}
