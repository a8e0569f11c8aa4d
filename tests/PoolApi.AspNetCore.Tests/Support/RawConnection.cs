using System.Net.Sockets;
using System.Text;

namespace PoolApi.AspNetCore.Tests.Support;

/// <summary>HTTP/1.1 by hand.</summary>
internal sealed class RawConnection(Socket socket) : IDisposable
{
    private readonly StringBuilder _seen = new();

    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(byte[] bytes)
    {
        int sent = 0;
        while (sent < bytes.Length) sent += await socket.SendAsync(bytes.AsMemory(sent), TestApp.Token);
    }

    /// <summary>Reads one whole response with a Content-Length or an empty body, interim ones included.</summary>
    public async Task<string> ReadResponseAsync(bool hasBody = true)
    {
        while (true)
        {
            string seen = _seen.ToString();
            int head = seen.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (head >= 0)
            {
                string headers = seen[..head];
                int end = head + 4;
                if (hasBody && headers.Contains("Content-Length: ", StringComparison.OrdinalIgnoreCase))
                {
                    int at = headers.IndexOf("Content-Length: ", StringComparison.OrdinalIgnoreCase) + 16;
                    end += int.Parse(headers.AsSpan(at, headers.AsSpan(at).IndexOfAnyExceptInRange('0', '9') is var n and >= 0 ? n : headers.Length - at));
                    if (seen.Length >= end) return Take(end);
                }
                else if (hasBody && headers.Contains("Transfer-Encoding: chunked", StringComparison.OrdinalIgnoreCase))
                {
                    int last = seen.IndexOf("\r\n0\r\n\r\n", head + 2, StringComparison.Ordinal);
                    if (last >= 0) return Take(last + 7);
                }
                else
                {
                    return Take(end);
                }
            }
            if (await ReceiveAsync() == 0) throw new IOException($"The server closed the connection after: {_seen}");
        }
    }

    /// <summary>Reads until the server closes the connection, or resets it: a close with unread bytes of the client is a reset.</summary>
    public async Task<string> ReadToEndAsync()
    {
        try
        {
            while (await ReceiveAsync() > 0) { }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
        }
        return Take(_seen.Length);
    }

    /// <summary>Says that nothing more comes (FIN), and goes on reading.</summary>
    public void EndSending() => socket.Shutdown(SocketShutdown.Send);

    /// <summary>Goes away without a word (RST).</summary>
    public void Reset()
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
    }

    public void Dispose() => socket.Dispose();

    private string Take(int length)
    {
        string text = _seen.ToString(0, length);
        _seen.Remove(0, length);
        return text;
    }

    private async Task<int> ReceiveAsync()
    {
        var buffer = new byte[8192];
        int read = await socket.ReceiveAsync(buffer, TestApp.Token);
        _seen.Append(Encoding.Latin1.GetString(buffer, 0, read));
        return read;
    }
}
