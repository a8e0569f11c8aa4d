using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>The connections that requests have come on, so that each can be asked to close while the server's timers still run.</summary>
/// <remarks>
/// The server stops its timers first when it stops, and the end of an HTTP/2 connection (its final GOAWAY) hangs on one of
/// them. A connection on which no request ever came is left to the server, which closes it at once.
/// </remarks>
internal sealed class OpenConnections
{
    private readonly ConcurrentDictionary<string, IConnectionLifetimeNotificationFeature> _open = new(StringComparer.Ordinal);
    private TaskCompletionSource? _none; // somebody waits for none

    /// <summary>Takes note of the request's connection. After the first request on it: one lookup.</summary>
    public void Note(HttpContext context)
    {
        // Under a test server a connection has no id, whatever its type says.
        if (context.Connection.Id is not { Length: > 0 } id || _open.ContainsKey(id)) return;
        // A test server has connections without an end, and those without a way to close them.
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

    /// <summary>Asks each to close, and waits until all have, or the time is over.</summary>
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
        Interlocked.MemoryBarrier(); // pairs with the exchange in CloseAsync: either this sees who waits, or he sees none open
        if (Volatile.Read(ref _none) is { } none && _open.IsEmpty) none.TrySetResult();
    }
}
