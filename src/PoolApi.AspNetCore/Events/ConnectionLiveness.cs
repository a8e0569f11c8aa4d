using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Events;

/// <summary>Lets the kernel find out that the client of a long request has vanished: its machine is off, or the cable is pulled.</summary>
/// <remarks>
/// Such a connection is never closed by its client. Without probes the kernel keeps it for as long as nothing is sent, and for some 15
/// minutes after that. The connection fails within 45 seconds instead, and the request is aborted. On other systems than Linux, and
/// where the server has no sockets, nothing changes.
/// </remarks>
public static class ConnectionLiveness
{
    private const int ProbeSeconds = 15;
    private const int Probes = 3;

    // After a heartbeat, at most 15 s after the client has vanished: together less than a minute.
    private const int UnacknowledgedMilliseconds = 40_000;

    private const int TcpLevel = 6;        // IPPROTO_TCP
    private const int TcpUserTimeout = 18; // TCP_USER_TIMEOUT of Linux

    /// <summary>Probes the connection of a request that waits with nothing to send. A client that is there, and reads nothing, answers.</summary>
    /// <param name="context">The request.</param>
    public static void Probe(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (SocketOf(context) is { } socket) Set(socket, Probe);
    }

    /// <summary>
    /// For a stream: probes the connection, and limits for how long sent bytes may be unacknowledged (there are no probes meanwhile).
    /// </summary>
    /// <param name="context">The request.</param>
    /// <returns>Ends the limit; the next response on this connection may have a slower client.</returns>
    internal static IDisposable? LimitUnacknowledged(HttpContext context)
    {
        if (SocketOf(context) is not { } socket) return null;
        Set(socket, Probe);
        Set(socket, static s => Limit(s, UnacknowledgedMilliseconds));
        // Other streams of an HTTP/2 connection may still need it.
        return HttpProtocol.IsHttp2(context.Request.Protocol) ? null : new Limited(socket);
    }

    private static Socket? SocketOf(HttpContext context) =>
        OperatingSystem.IsLinux() && context.Features.Get<IConnectionSocketFeature>()?.Socket is { ProtocolType: ProtocolType.Tcp } socket ? socket : null;

    private static void Probe(Socket socket)
    {
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, ProbeSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, ProbeSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, Probes - 1);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
    }

    private static void Limit(Socket socket, int milliseconds) => socket.SetRawSocketOption(TcpLevel, TcpUserTimeout, BitConverter.GetBytes(milliseconds));

    private static void Set(Socket socket, Action<Socket> option)
    {
        try
        {
            option(socket);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection has gone already.
        }
    }

    private sealed class Limited(Socket socket) : IDisposable
    {
        public void Dispose() => Set(socket, static s => Limit(s, 0));
    }
}
