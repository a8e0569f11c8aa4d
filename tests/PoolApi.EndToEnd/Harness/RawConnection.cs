using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace PoolApi.EndToEnd.Harness;

/// <summary>One HTTP/1.1 connection, spoken by hand: for what a well-behaved client library would not send, or would hide.</summary>
internal sealed class RawConnection : IDisposable
{
    private readonly TcpClient _client;
    private readonly NetworkStream _stream;

    // What has been read ahead of its answer's reader: the next answer's, if there is one.
    private readonly byte[] _ahead = new byte[4096];
    private int _first;
    private int _end;

    private RawConnection(TcpClient client) => (_client, _stream) = (client, client.GetStream());

    /// <summary>Opens a connection.</summary>
    public static async Task<RawConnection> OpenAsync(int port)
    {
        var client = new TcpClient { NoDelay = true };
        try
        {
            await client.ConnectAsync("127.0.0.1", port);
            return new RawConnection(client);
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>Sends text as it stands.</summary>
    public Task SendAsync(string text) => _stream.WriteAsync(Encoding.Latin1.GetBytes(text)).AsTask();

    /// <summary>Sends a request without a body and reads its answer.</summary>
    public async Task<Answer> AskAsync(string method, string target, string host)
    {
        await SendAsync($"{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n");
        return await ReadAsync() ?? throw new IOException("the connection was closed without an answer");
    }

    /// <summary>Reads one answer; null if the connection is closed or reset instead.</summary>
    public async Task<Answer?> ReadAsync(double seconds = 30)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        try
        {
            string? status = await ReadLineAsync(deadline.Token);
            if (status is null)
                return null;
            var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            while (await ReadLineAsync(deadline.Token) is { Length: > 0 } field)
            {
                string[] parts = field.Split(':', 2);
                headers[parts[0]] = parts[1].Trim();
            }

            int code = int.Parse(status.Split(' ')[1], CultureInfo.InvariantCulture);
            return new Answer(code, headers, await ReadBodyAsync(headers, deadline.Token));
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <inheritdoc />
    public void Dispose() => _client.Dispose();

    private async Task<byte[]> ReadBodyAsync(Dictionary<string, string> headers, CancellationToken cancellation)
    {
        if (headers.TryGetValue("Content-Length", out string? length))
            return await ReadExactlyAsync(int.Parse(length, CultureInfo.InvariantCulture), cancellation);
        if (!headers.ContainsKey("Transfer-Encoding"))
            return [];
        var body = new MemoryStream();
        while (true)
        {
            string size = await ReadLineAsync(cancellation) ?? throw new IOException("closed within a chunked body");
            byte[] chunk = await ReadExactlyAsync(int.Parse(size, NumberStyles.HexNumber, CultureInfo.InvariantCulture), cancellation);
            await ReadLineAsync(cancellation);
            if (chunk.Length == 0)
                return body.ToArray();
            body.Write(chunk);
        }
    }

    private async Task<byte[]> ReadExactlyAsync(int length, CancellationToken cancellation)
    {
        byte[] bytes = new byte[length];
        int read = Math.Min(length, _end - _first);
        _ahead.AsSpan(_first, read).CopyTo(bytes);
        _first += read;
        await _stream.ReadExactlyAsync(bytes.AsMemory(read), cancellation);
        return bytes;
    }

    private async Task<string?> ReadLineAsync(CancellationToken cancellation)
    {
        var line = new StringBuilder();
        while (true)
        {
            if (_first == _end)
            {
                _first = 0;
                _end = await _stream.ReadAsync(_ahead, cancellation);
                if (_end == 0)
                    return null;
            }

            byte next = _ahead[_first++];
            if (next == '\n')
                return line.ToString().TrimEnd('\r');
            line.Append((char)next);
        }
    }
}
