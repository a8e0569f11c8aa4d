using System.Net;
using System.Net.Sockets;

namespace PoolApi.EndToEnd.Harness.Network;

/// <summary>Forwards connections to a port. A test can cut it, which breaks all connections and refuses new ones, and open it again.</summary>
internal sealed class TcpForwarder : IAsyncDisposable
{
    private readonly int _to;
    private readonly Lock _gate = new();
    private readonly HashSet<TcpClient> _open = [];
    private readonly List<Task> _running = [];
    private TcpListener? _listener;

    /// <param name="to">The port of this machine that connections are forwarded to.</param>
    public TcpForwarder(int to)
    {
        _to = to;
        Port = FreePorts.Next();
        Open();
    }

    /// <summary>The port that clients use.</summary>
    public int Port { get; }

    /// <summary>The address that clients use, without a slash at the end.</summary>
    public string Url => $"http://127.0.0.1:{Port}";

    /// <summary>Accepts connections from now on.</summary>
    public void Open()
    {
        var listener = new TcpListener(IPAddress.Loopback, Port);
        listener.Start();
        lock (_gate)
        {
            _listener = listener;
            _running.Add(AcceptAsync(listener));
        }
    }

    /// <summary>Breaks every connection, and accepts no more.</summary>
    public void Cut()
    {
        lock (_gate)
        {
            _listener?.Dispose();
            _listener = null;
            foreach (var client in _open)
                client.Dispose();
            _open.Clear();
        }
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        Cut();
        Task[] running;
        lock (_gate)
            running = [.. _running];
        await Task.WhenAll(running);
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        while (true)
        {
            TcpClient client;
            try
            {
                client = await listener.AcceptTcpClientAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
            {
                return;
            }

            lock (_gate)
                _running.Add(ForwardAsync(listener, client));
        }
    }

    private async Task ForwardAsync(TcpListener listener, TcpClient client)
    {
        using var server = new TcpClient();
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, _to);
            lock (_gate)
            {
                if (_listener != listener)
                {
                    client.Dispose();
                    return;
                }

                _open.Add(client);
                _open.Add(server);
            }

            var up = CopyAsync(client, server);
            var down = CopyAsync(server, client);
            await Task.WhenAny(up, down);
            client.Dispose();
            server.Dispose();
            await Task.WhenAll(up, down);
        }
        catch (SocketException)
        {
            // Nothing listens on the target port.
            client.Dispose();
        }
        finally
        {
            lock (_gate)
            {
                _open.Remove(client);
                _open.Remove(server);
            }
        }
    }

    private static async Task CopyAsync(TcpClient from, TcpClient to)
    {
        try
        {
            await from.GetStream().CopyToAsync(to.GetStream());
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The connection was cut.
        }
    }
}
