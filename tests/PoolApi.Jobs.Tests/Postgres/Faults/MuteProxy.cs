using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace PoolApi.Jobs.Tests.Postgres.Faults;

/// <summary>The stage of a connection at which the server stops answering.</summary>
public enum MuteAt
{
    /// <summary>None: the connection is passed on to the server.</summary>
    Nowhere,

    /// <summary>The connection is accepted.</summary>
    Accept,

    /// <summary>The client's request for TLS is granted.</summary>
    TlsGranted,

    /// <summary>The TLS handshake has begun.</summary>
    TlsHandshake,

    /// <summary>The client's request for TLS is declined, and its startup packet is read.</summary>
    Startup,

    /// <summary>The client is authenticated.</summary>
    Authenticated,

    /// <summary>The session is ready.</summary>
    Ready,
}

/// <summary>A proxy between a store and its database. New connections stop at a given stage and stay there until they are closed.</summary>
internal sealed class MuteProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _lock = new();
    private readonly HashSet<Socket> _passed = [];
    private readonly List<Task> _connections = [];
    private readonly Task _accepting;
    private int _accepted;
    private int _mute;
    private int _mostMute;

    public MuteProxy(int target = 0, MuteAt muteAt = MuteAt.Nowhere)
    {
        (Target, MuteAt) = (target, muteAt);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The port that new connections are passed on to.</summary>
    public int Target { get; set; }

    /// <summary>The stage at which new connections stop.</summary>
    public MuteAt MuteAt { get; set; }

    /// <summary>The delay of the server's answers on connections that are passed on.</summary>
    public TimeSpan AnswerDelay { get; set; }

    /// <summary>The number of connections that the proxy has accepted.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>The number of connections that wait for an answer and that the client has not closed.</summary>
    public int Mute => Volatile.Read(ref _mute);

    /// <summary>The largest number of such connections at a time.</summary>
    public int MostMute => Volatile.Read(ref _mostMute);

    /// <summary>Closes the connections that are passed on.</summary>
    public void Cut()
    {
        Socket[] passed;
        lock (_lock) passed = [.. _passed];
        foreach (Socket socket in passed) socket.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        _listener.Stop();
        await _accepting;
        Cut();
        await Task.WhenAll(_connections).Patiently();
        _closing.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _connections.Add(ServeAsync(await _listener.AcceptSocketAsync(_closing.Token)));
                Interlocked.Increment(ref _accepted);
            }
        }
        catch (Exception e) when (e is SocketException or InvalidOperationException or OperationCanceledException)
        {
            // Stopped.
        }
    }

    private async Task ServeAsync(Socket client)
    {
        MuteAt muteAt = MuteAt;
        client.NoDelay = true;
        try
        {
            if (muteAt == MuteAt.Nowhere) await PassAsync(client);
            else await KeepWaitingAsync(client, muteAt);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException or IOException)
        {
            // Closed by either side.
        }
        finally
        {
            client.Dispose();
        }
    }

    private async Task PassAsync(Socket client)
    {
        using var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        lock (_lock) _passed.UnionWith([client, server]);
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, Target, _closing.Token);
            await Task.WhenAny(PumpAsync(client, server, static () => TimeSpan.Zero), PumpAsync(server, client, () => AnswerDelay));
        }
        finally
        {
            lock (_lock) _passed.ExceptWith([client, server]);
        }
    }

    private static async Task PumpAsync(Socket from, Socket to, Func<TimeSpan> delay)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            int count;
            while ((count = await from.ReceiveAsync(buffer)) > 0)
            {
                await Task.Delay(delay());
                for (int sent = 0; sent < count;) sent += await to.SendAsync(buffer.AsMemory(sent, count - sent));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Closed by either side.
        }
    }

    private async Task KeepWaitingAsync(Socket client, MuteAt muteAt)
    {
        lock (_lock) _mostMute = Math.Max(_mostMute, ++_mute);
        try
        {
            await using var stream = new NetworkStream(client);
            if (muteAt != MuteAt.Accept) await AnswerAsync(stream, muteAt);
            var ignored = new byte[4096];
            while (await stream.ReadAsync(ignored, _closing.Token) > 0)
            {
                // The proxy does not answer any more.
            }
        }
        finally
        {
            lock (_lock) _mute--;
        }
    }

    private async Task AnswerAsync(NetworkStream stream, MuteAt muteAt)
    {
        const int TlsRequest = 80877103;
        byte[] packet = await PacketAsync(stream);
        if (BinaryPrimitives.ReadInt32BigEndian(packet) == TlsRequest)
        {
            if (muteAt is MuteAt.TlsGranted or MuteAt.TlsHandshake)
            {
                await stream.WriteAsync("S"u8.ToArray(), _closing.Token);
                if (muteAt == MuteAt.TlsGranted) return;
                await stream.ReadAtLeastAsync(new byte[64], 64, throwOnEndOfStream: true, _closing.Token);
                await stream.WriteAsync(new byte[] { 22, 3, 3, 0, 122, 2, 0 }, _closing.Token); // the beginning of a ServerHello
                return;
            }
            await stream.WriteAsync("N"u8.ToArray(), _closing.Token);
            await PacketAsync(stream);
        }
        if (muteAt is MuteAt.Authenticated or MuteAt.Ready) await WriteAsync(stream, 'R', [0, 0, 0, 0]);
        if (muteAt != MuteAt.Ready) return;
        await WriteAsync(stream, 'S', [.. "server_version"u8, 0, .. "15.4"u8, 0]);
        await WriteAsync(stream, 'K', [0, 0, 0, 7, 0, 0, 0, 7]);
        await WriteAsync(stream, 'Z', "I"u8.ToArray());
    }

    private async Task<byte[]> PacketAsync(NetworkStream stream)
    {
        var length = new byte[4];
        await stream.ReadExactlyAsync(length, _closing.Token);
        var rest = new byte[BinaryPrimitives.ReadInt32BigEndian(length) - 4];
        await stream.ReadExactlyAsync(rest, _closing.Token);
        return rest;
    }

    private async Task WriteAsync(NetworkStream stream, char type, byte[] body)
    {
        var message = new byte[body.Length + 5];
        message[0] = (byte)type;
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), body.Length + 4);
        body.CopyTo(message, 5);
        await stream.WriteAsync(message, _closing.Token);
    }
}
