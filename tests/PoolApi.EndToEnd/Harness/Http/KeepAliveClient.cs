using System.Net.Sockets;

namespace PoolApi.EndToEnd.Harness.Http;

/// <summary>A client that keeps one connection as long as the service allows, and sends no request twice. A library would repeat
/// requests and hide lost ones.</summary>
internal sealed class KeepAliveClient(int port) : IDisposable
{
    private RawConnection? _connection;

    /// <summary>POST. Returns null if nothing listens, or if the connection is closed without an answer.</summary>
    /// <param name="target">Path and query.</param>
    /// <param name="fields">Further header fields, each with its line end.</param>
    public async Task<Answer?> PostAsync(string target, string fields = "")
    {
        try
        {
            _connection ??= await RawConnection.OpenAsync(port);
            await _connection.SendAsync($"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}Content-Length: 0\r\n\r\n");
            var answer = await _connection.ReadAsync();
            if (answer is null || answer.AsksToClose)
                Close();
            return answer;
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            Close();
            return null;
        }
    }

    /// <inheritdoc />
    public void Dispose() => Close();

    private void Close()
    {
        _connection?.Dispose();
        _connection = null;
    }
}
