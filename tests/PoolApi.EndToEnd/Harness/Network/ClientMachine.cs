using System.Net;

namespace PoolApi.EndToEnd.Harness.Network;

/// <summary>A client with an address of its own, as if it were another machine. A test can cut its network without affecting other tests.</summary>
internal sealed class ClientMachine : IAsyncDisposable
{
    private readonly List<RawConnection> _connections = [];
    private readonly string _address;
    private NetworkCut? _cut;

    /// <summary>Chooses its address.</summary>
    public ClientMachine()
    {
        // All of 127.0.0.0/8 is this machine. The port only serves as a number that no other test has, from which the address is made.
        int number = FreePorts.Next();
        _address = $"127.{number >> 8}.{number & 255}.1";
    }

    /// <summary>How many requests it has sent, each on a connection of its own.</summary>
    public int Requests => _connections.Count;

    /// <summary>Sends a request without a body, on a new connection, and reads nothing.</summary>
    /// <param name="server">The port.</param>
    /// <param name="request">Method and path: "GET /".</param>
    /// <param name="fields">Header fields, each as on the wire: "Prefer: wait=1".</param>
    public async Task<RawConnection> SendAsync(Endpoint server, string request, params string[] fields)
    {
        var connection = await RawConnection.OpenAsync(server.Port, IPAddress.Parse(_address));
        _connections.Add(connection);
        string more = string.Concat(fields.Select(static field => $"{field}\r\n"));
        await connection.SendAsync($"{request} HTTP/1.1\r\nHost: {server.Host}\r\nContent-Length: 0\r\n{more}\r\n");
        return connection;
    }

    /// <summary>From now on the kernel drops all packets in both directions, including FIN, RST and ACK.</summary>
    public async Task CutOffAsync() => _cut = await NetworkCut.MakeAsync(["-s", _address], ["-d", _address]);

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        _connections.ForEach(static connection => connection.Dispose());
        if (_cut is not null)
            await _cut.DisposeAsync();
    }
}
