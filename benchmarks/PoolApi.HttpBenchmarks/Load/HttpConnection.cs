using System.Net;
using System.Net.Sockets;

namespace PoolApi.HttpBenchmarks.Load;

/// <summary>
/// A connection for one request at a time. It costs less than HttpClient. The client and the measured server share the
/// processors, so a costly client would slow the server down.
/// </summary>
internal sealed class HttpConnection(IPEndPoint server) : IDisposable
{
    /// <summary>Instead of a status: the connection ended before the first byte of a response.</summary>
    public const int NoAnswer = 0;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private byte[] _buffer = new byte[1024];

    /// <summary>Whether another request may follow.</summary>
    public bool IsReusable { get; private set; }

    public ValueTask ConnectAsync() => _socket.ConnectAsync(server, CancellationToken.None);

    /// <returns>The status of the complete response, or <see cref="NoAnswer"/>.</returns>
    /// <exception cref="IOException">The connection ended within the response.</exception>
    /// <exception cref="InvalidDataException">The response is not HTTP/1.1.</exception>
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

    /// <summary>Ends the connection while a response is awaited: the server sees that its client disconnects, and the exchange ends at once.</summary>
    public void HangUp()
    {
        try
        {
            // Unlike closing, this ends the exchange without an exception, which would cost more than the whole exchange.
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection is not open yet, or is closed already.
            _socket.Dispose();
        }
    }

    public void Dispose() => _socket.Dispose();
}
