using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using PoolApi.Listening;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Listening;

/// <summary>A listener continues after a failure, because the server accepts no further connection from a listener that throws.</summary>
public sealed class ConnectionListenerTests
{
    [Fact]
    public async Task A_lack_of_memory_while_a_connection_is_accepted_closes_that_connection_only()
    {
        var clock = new FullMemoryClock();
        using var log = new CapturingLog();
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        var failures = new AcceptFailures(socket.LocalEndPoint!, clock, log.For<ConnectionListener>());
        var connections = new SocketConnectionContextFactory(new SocketConnectionFactoryOptions(), NullLogger.Instance);
        await using var listener = new ConnectionListener(socket, connections, noDelay: true, failures);
        // After a failure the listener reads the clock at each connection.
        Assert.True(await failures.WaitAfterAsync(new SocketException((int)SocketError.TooManyOpenSockets), ServiceApp.Token));
        clock.FailOnce();

        using var first = new TcpClient(AddressFamily.InterNetwork);
        await first.ConnectAsync((IPEndPoint)listener.EndPoint, ServiceApp.Token);
        Task<ConnectionContext?> accepting = listener.AcceptAsync(ServiceApp.Token).AsTask();
        using var second = new TcpClient(AddressFamily.InterNetwork);
        await second.ConnectAsync((IPEndPoint)listener.EndPoint, ServiceApp.Token);

        await using ConnectionContext? accepted = await accepting.Patiently();
        Assert.Equal(second.Client.LocalEndPoint, accepted?.RemoteEndPoint);
        Assert.Equal(0, await first.GetStream().ReadAsync(new byte[1], ServiceApp.Token).Patiently()); // it is closed
    }
}
