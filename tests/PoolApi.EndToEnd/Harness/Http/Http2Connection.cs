using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace PoolApi.EndToEnd.Harness.Http;

/// <summary>One HTTP/2 connection without TLS, used frame by frame. Unlike a client library, it does not close after a GOAWAY.</summary>
internal sealed class Http2Connection : IDisposable
{
    private readonly TcpClient _client;
    private readonly NetworkStream _stream;
    private readonly List<Http2Frame> _frames = [];

    private Http2Connection(TcpClient client) => (_client, _stream) = (client, client.GetStream());

    /// <summary>All frames that were read so far.</summary>
    public IReadOnlyList<Http2Frame> Frames => _frames;

    /// <summary>Opens a connection, and sends the preface and empty settings.</summary>
    public static async Task<Http2Connection> OpenAsync(int port)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync("127.0.0.1", port);
        var connection = new Http2Connection(client);
        await connection._stream.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray());
        await connection.WriteAsync(new Http2Frame(Http2FrameType.Settings, 0, 0, []));
        return connection;
    }

    /// <summary>Sends a GET on the stream with this number, which must be odd and higher than the one before.</summary>
    public Task GetAsync(int stream, string path)
    {
        // HPACK: :method GET and :scheme http are in the static table (2, 6). :path (4) and :authority (1) have literal values
        // without indexing.
        byte[] fields = [0x82, 0x86, 0x04, .. Literal(path), 0x01, .. Literal("127.0.0.1")];
        return WriteAsync(new Http2Frame(
            Http2FrameType.Headers, Http2Frame.EndHeaders | Http2Frame.EndStreamOrAck, stream, fields));

        static byte[] Literal(string text) => [(byte)text.Length, .. Encoding.ASCII.GetBytes(text)];
    }

    /// <summary>Reads until the wanted frame arrives.</summary>
    public async Task<Http2Frame> ReadUntilAsync(Func<Http2Frame, bool> wanted, double seconds = 180)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        while (await ReadAsync(deadline.Token) is { } frame)
        {
            if (wanted(frame))
                return frame;
        }

        throw new IOException($"the connection was closed before the awaited frame; read: {string.Join(", ", _frames)}");
    }

    /// <summary>Reads until the server closes the connection. Throws if the server resets it, or does not close it in time.</summary>
    public async Task ReadToEndAsync(double seconds = 180)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        while (await ReadAsync(deadline.Token) is not null)
        {
        }
    }

    /// <inheritdoc />
    public void Dispose() => _client.Dispose();

    private async Task<Http2Frame?> ReadAsync(CancellationToken cancellation)
    {
        byte[] head = new byte[9];
        int read = await _stream.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellation);
        if (read == 0)
            return null;
        Assert.Equal(head.Length, read);
        byte[] payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
        await _stream.ReadExactlyAsync(payload, cancellation);
        int stream = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)) & int.MaxValue;
        var frame = new Http2Frame((Http2FrameType)head[3], head[4], stream, payload);
        _frames.Add(frame);
        // Settings and pings are acknowledged here and not by the tests. Otherwise a server may treat the client as dead.
        if (frame.Type is Http2FrameType.Settings or Http2FrameType.Ping && (frame.Flags & Http2Frame.EndStreamOrAck) == 0)
        {
            byte[] echo = frame.Type == Http2FrameType.Ping ? payload : [];
            await WriteAsync(new Http2Frame(frame.Type, Http2Frame.EndStreamOrAck, 0, echo));
        }

        return frame;
    }

    private async Task WriteAsync(Http2Frame frame)
    {
        int length = frame.Payload.Length;
        byte[] head = [(byte)(length >> 16), (byte)(length >> 8), (byte)length, (byte)frame.Type, frame.Flags, 0, 0, 0, 0];
        byte[] bytes = [.. head, .. frame.Payload];
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(5), frame.Stream);
        await _stream.WriteAsync(bytes);
    }
}
