using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace PoolApi.Listening;

/// <summary>Accepts the connections of one address, one after the other.</summary>
internal sealed class ConnectionListener(Socket socket, SocketConnectionContextFactory connections, bool noDelay, AcceptFailures failures) : IConnectionListener
{
    private readonly CancellationTokenSource _unbound = new();

    public EndPoint EndPoint { get; } = socket.LocalEndPoint!;

    /// <returns>The next connection; <see langword="null"/> when this no longer listens.</returns>
    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Socket? accepted = null;
            try
            {
                accepted = await socket.AcceptAsync(cancellationToken);
                failures.Accepted();
                if (accepted.LocalEndPoint is IPEndPoint) accepted.NoDelay = noDelay;
                return connections.Create(accepted);
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException { SocketErrorCode: SocketError.OperationAborted })
            {
                accepted?.Dispose();
                return null;
            }
            catch (Exception e) when (e is SocketException or OutOfMemoryException)
            {
                // The server accepts no connection any more after an exception of this method, also if there was no memory for a moment only.
                accepted?.Dispose();
                if (!await failures.WaitAfterAsync(e, _unbound.Token)) return null;
            }
        }
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        socket.Dispose();
        return new(_unbound.CancelAsync());
    }

    public ValueTask DisposeAsync()
    {
        socket.Dispose();
        connections.Dispose();
        _unbound.Dispose();
        return default;
    }
}
