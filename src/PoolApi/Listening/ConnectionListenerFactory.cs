using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;
using PoolApi.Management;

namespace PoolApi.Listening;

/// <summary>Listens on the addresses of the settings, with faults that name the address.</summary>
/// <remarks>
/// It replaces the server's own listener, which retries at once when the process is out of file descriptors, and so spins without a log line.
/// The connections themselves are those of the server.
/// </remarks>
internal sealed class ConnectionListenerFactory(
    IOptions<SocketTransportOptions> options, ServerUrls urls, ILoggerFactory logs) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public bool CanBind(EndPoint endpoint) => endpoint is IPEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        SocketTransportOptions transport = options.Value;
        Socket? socket = null;
        try
        {
            socket = transport.CreateBoundListenSocket(endpoint);
            socket.Listen(transport.Backlog);
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            throw ListenFault.Of((IPEndPoint)endpoint, urls.KeyOf((IPEndPoint)endpoint), e);
        }
        var connections = new SocketConnectionContextFactory(
            new SocketConnectionFactoryOptions
            {
                IOQueueCount = transport.IOQueueCount,
                MaxReadBufferSize = transport.MaxReadBufferSize,
                MaxWriteBufferSize = transport.MaxWriteBufferSize,
                UnsafePreferInlineScheduling = transport.UnsafePreferInlineScheduling,
                WaitForDataBeforeAllocatingBuffer = transport.WaitForDataBeforeAllocatingBuffer,
            },
            logs.CreateLogger("Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets"));
        var exhaustion = new AcceptFailures(socket.LocalEndPoint!, TimeProvider.System, logs.CreateLogger<ConnectionListener>());
        return new(new ConnectionListener(socket, connections, transport.NoDelay, exhaustion));
    }
}
