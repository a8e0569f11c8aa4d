using System.Net;
using System.Net.Sockets;

namespace PoolApi.HttpBenchmarks.Load;

/// <summary>
/// A connection for one request at a time. Barer than HttpClient, because what it costs is taken from the server that is
/// measured: they share the processors.
/// </summary>
internal sealed class HttpConnection(IPEndPoint server) : IDisposable
{
    /// <summary>Instead of a status: the connection ended before anything of an answer had come.</summary>
    public const int NoAnswer = 0;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private byte[] _buffer = new byte[1024];

    /// <summary>Whether another request may follow.</summary>
    public bool IsReusable { get; private set; }

    public ValueTask ConnectAsync() => _socket.ConnectAsync(server, CancellationToken.None);

    /// <returns>The status of the answer once all of it has come, or <see cref="NoAnswer"/>.</returns>
    /// <exception cref="IOException">The connection ended within the answer.</exception>
    /// <exception cref="InvalidDataException">The answer is not HTTP/1.1.</exception>
    public async ValueTask<int> ExchangeAsync(ReadOnlyMemory<byte> request)
    {
        IsReusable = false;
        int length = 0;
        try
        {
            await _socket.SendAsync(request);
            AnswerHead? head = null;
            while (true)
            {
                if (length == _buffer.Length) Array.Resize(ref _buffer, length * 2);
                int received = await _socket.ReceiveAsync(_buffer.AsMemory(length));
                length += received;
                if (head is null && AnswerHead.TryParse(_buffer.AsSpan(0, length), out AnswerHead parsed)) head = parsed;
                if (head is { } h && h.IsComplete(_buffer.AsSpan(0, length)))
                {
                    IsReusable = !h.Closes;
                    return h.Status;
                }
                if (received > 0) continue;
                if (length == 0) return NoAnswer;
                return head is { ContentLength: null, Chunked: false } whole
                    ? whole.Status
                    : throw new IOException("The connection ended within an answer.");
            }
        }
        catch (Exception e) when (length == 0 && e is SocketException or ObjectDisposedException)
        {
            return NoAnswer;
        }
    }

    /// <summary>Ends the connection while an answer is awaited: the server sees its client leave, the exchange ends at once.</summary>
    public void HangUp()
    {
        try
        {
            // Unlike closing, this ends the exchange without an exception, which would cost more than the whole exchange.
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Not yet, or not any more, connected.
            _socket.Dispose();
        }
    }

    public void Dispose() => _socket.Dispose();
}
