using System.Net;
using System.Net.Sockets;
using PoolApi.Tests.Management;
using PoolApi.Tests.Settings;

namespace PoolApi.Tests.Listening;

/// <summary>Each port has its own limit of connections: a client that fills one port does not affect the other.</summary>
public sealed class ConnectionLimitTests
{
    private const string Api = "127.0.0.1";
    private const string Management = "127.0.0.2";
    private const string Work = "/v1/diagnostics/noop";
    private const string Probe = "/livez";
    private const string Answered = "HTTP/1.1 200 ";
    private const string Closed = "";

    [Fact]
    public async Task With_1024_idle_connections_the_management_port_closes_the_next_and_the_API_still_answers()
    {
        // On a busy machine the first ones must not time out before the last one is open.
        await using RunningService service = RunningService.With(("Kestrel:Limits:KeepAliveTimeout", "01:00:00"));
        using var idle = new IdleConnections();
        await idle.OpenAsync(1024, Management, service.Management, Probe);

        for (int i = 0; i < 2; i++) Assert.Equal(Closed, await AskAsync(Management, service.Management, Probe));
        Assert.StartsWith(Answered, await AskAsync(Api, service.Api, Work), StringComparison.Ordinal);
        Assert.Single(service.App.Log, static line => line.StartsWith("The management port has 1024 connections", StringComparison.Ordinal));

        idle.CloseOne();
        await Patience.UntilAsync(
            async () => (await AskAsync(Management, service.Management, Probe)).StartsWith(Answered, StringComparison.Ordinal), "an answer in the place of the closed connection");
    }

    [Fact]
    public async Task The_connection_limits_of_the_API_port_and_the_management_port_count_separately()
    {
        const int Limit = 3;
        await using RunningService service = RunningService.With(("Kestrel:Limits:MaxConcurrentConnections", $"{Limit}"));
        using var idle = new IdleConnections();
        await idle.OpenAsync(Limit + 1, Management, service.Management, Probe);
        await idle.OpenAsync(Limit, Api, service.Api, Work);

        Assert.Equal(Closed, await AskAsync(Api, service.Api, Work));
        Assert.StartsWith(Answered, await AskAsync(Management, service.Management, Probe), StringComparison.Ordinal);
    }

    /// <summary>Returns the response on a new connection; <see cref="Closed"/> if the server closes the connection without one.</summary>
    private static async Task<string> AskAsync(string host, int port, string path)
    {
        try
        {
            return await PortTests.Get(host, port, "GET " + path);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            return Closed;
        }
    }

    /// <summary>Connections that are kept open after one answer each.</summary>
    private sealed class IdleConnections : IDisposable
    {
        private readonly List<RawConnection> _open = [];

        public async Task OpenAsync(int count, string host, int port, string path)
        {
            for (int i = 0; i < count; i++)
            {
                RawConnection connection = await RawConnection.OpenAsync(port, to: IPAddress.Parse(host));
                _open.Add(connection);
                await connection.SendAsync($"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
                // The answer shows that the server has counted this connection. Without it, a later connection could be counted first.
                Assert.StartsWith(Answered, await connection.ReadResponseAsync(), StringComparison.Ordinal);
            }
        }

        public void CloseOne() => _open[0].Dispose();

        public void Dispose()
        {
            foreach (RawConnection connection in _open) connection.Dispose();
        }
    }
}
