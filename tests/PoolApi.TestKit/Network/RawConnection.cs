using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace PoolApi.TestKit.Network;

/// <summary>One HTTP/1.1 connection on a raw socket, for requests that a client library would not send and for details that it would hide.</summary>
public sealed class RawConnection : IDisposable
{
    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private byte[] _received = new byte[8192];
    private int _length;

    private RawConnection(Socket socket) => (_socket, _stream) = (socket, new NetworkStream(socket));

    /// <summary>What the server sends, for a reader of the test's own. It does not see what this connection has read.</summary>
    public Stream Stream => _stream;

    private ReadOnlySpan<byte> Received => _received.AsSpan(0, _length);

    /// <summary>Opens a connection to a port of this machine.</summary>
    /// <param name="port">The port.</param>
    /// <param name="from">The client's own address; null: the kernel chooses.</param>
    /// <param name="to">The address of this machine; null: 127.0.0.1.</param>
    /// <param name="receiveBuffer">The size of the kernel's receive buffer in bytes, small for a client that does not read; null: the kernel chooses.</param>
    public static async Task<RawConnection> OpenAsync(int port, IPAddress? from = null, IPAddress? to = null, int? receiveBuffer = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (receiveBuffer is { } size) socket.ReceiveBufferSize = size;
            if (from is not null) socket.Bind(new IPEndPoint(from, 0));
            await socket.ConnectAsync(to ?? IPAddress.Loopback, port, Patience.Token);
            return new RawConnection(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends text on a new connection, and reads until the server closes or resets it.</summary>
    public static async Task<string> ExchangeAsync(string host, int port, string text)
    {
        using RawConnection connection = await OpenAsync(port, to: IPAddress.Parse(host));
        await connection.SendAsync(text);
        return await connection.ReadToEndAsync();
    }

    /// <summary>Sends text as it stands, in Latin-1.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Sends bytes as they stand.</summary>
    public Task SendAsync(byte[] bytes) => _stream.WriteAsync(bytes, Patience.Token).AsTask();

    /// <summary>Reads one whole response in Latin-1, as the server sent it. An interim response counts as one.</summary>
    /// <param name="hasBody">False for the response to a HEAD.</param>
    /// <exception cref="IOException">The server has closed or reset the connection instead.</exception>
    public async Task<string> ReadResponseAsync(bool hasBody = true)
    {
        while (true)
        {
            if (EndOfResponse(hasBody) is { } end) return Take(end);
            if (await ReceiveAsync() == 0) throw new IOException($"The server closed the connection after: {Encoding.Latin1.GetString(Received)}");
        }
    }

    /// <summary>Reads until the server closes or resets the connection. A close with unread bytes of the client is a reset.</summary>
    public async Task<string> ReadToEndAsync()
    {
        try
        {
            while (await ReceiveAsync() > 0) { }
        }
        catch (IOException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset })
        {
        }
        return Take(_length);
    }

    /// <summary>Ends the sending (FIN). The connection can still be read.</summary>
    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Resets the connection (RST).</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Close();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _stream.Dispose();
        _socket.Dispose();
    }

    /// <returns>The length of the first response; null: it is not complete yet.</returns>
    private int? EndOfResponse(bool hasBody)
    {
        int head = Received.IndexOf("\r\n\r\n"u8);
        if (head < 0) return null;
        string fields = Encoding.Latin1.GetString(Received[..(head + 2)]);
        int body = head + 4;
        if (!hasBody) return body;
        if (Field(fields, "Content-Length") is { } length)
        {
            int end = body + int.Parse(length, CultureInfo.InvariantCulture);
            return end <= _length ? end : null;
        }
        return Field(fields, "Transfer-Encoding") == "chunked" ? EndOfChunks(body) : body;
    }

    private int? EndOfChunks(int at)
    {
        while (true)
        {
            int line = Received[at..].IndexOf("\r\n"u8);
            if (line < 0) return null;
            int size = int.Parse(Received.Slice(at, line), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            at += line + 2 + size + 2;
            if (at > _length) return null;
            if (size == 0) return at;
        }
    }

    private static string? Field(string fields, string name)
    {
        int at = fields.IndexOf($"\r\n{name}:", StringComparison.OrdinalIgnoreCase);
        if (at < 0) return null;
        at += name.Length + 3;
        return fields[at..fields.IndexOf("\r\n", at, StringComparison.Ordinal)].Trim();
    }

    private string Take(int length)
    {
        string text = Encoding.Latin1.GetString(_received, 0, length);
        _length -= length;
        _received.AsSpan(length, _length).CopyTo(_received);
        return text;
    }

    private async Task<int> ReceiveAsync()
    {
        if (_length == _received.Length) Array.Resize(ref _received, _length * 2);
        int read = await _stream.ReadAsync(_received.AsMemory(_length), Patience.Token).Patiently();
        _length += read;
        return read;
    }
}
