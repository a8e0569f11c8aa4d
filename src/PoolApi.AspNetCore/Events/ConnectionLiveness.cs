using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Events;

/// <summary>Enables TCP keep-alive for long requests, so that the kernel detects clients that have vanished without closing their connection.</summary>
/// <remarks>
/// Examples are a client's machine that loses power, or a network cable that is pulled. Without keep-alive the kernel keeps such a connection
/// while nothing is sent, and for some 15 minutes after data is sent. With it the connection fails within 45 seconds, and the request is
/// aborted. Does nothing on systems other than Linux, or if the server does not use sockets.
/// </remarks>
public static class ConnectionLiveness
{
    private const int ProbeSeconds = 15;
    private const int Probes = 3;

    // A heartbeat is sent at most 15 s after the client has vanished. With this limit the connection fails within a minute.
    private const int UnacknowledgedMilliseconds = 40_000;

    private const int TcpLevel = 6;        // IPPROTO_TCP
    private const int TcpUserTimeout = 18; // TCP_USER_TIMEOUT of Linux

    private static readonly ConditionalWeakTable<Socket, StreamCount> OpenStreams = [];

    /// <summary>Enables keep-alive probes for the connection of a request that waits with nothing to send. A live client answers them even if it does not read.</summary>
    /// <param name="context">The request.</param>
    public static void Probe(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (SocketOf(context) is { } socket) Set(socket, Probe);
    }

    /// <summary>
    /// Enables keep-alive probes for the connection of a stream, and limits how long sent bytes may stay unacknowledged. TCP sends no probes
    /// while bytes are unacknowledged.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <returns>
    /// To be disposed of when the stream has ended. With the last stream of the connection the limit is removed, because another response on the connection
    /// may be larger and slower. (HTTP/1.1 has one stream at a time.)
    /// </returns>
    internal static IDisposable? LimitUnacknowledged(HttpContext context)
    {
        if (SocketOf(context) is not { } socket) return null;
        Set(socket, Probe);
        return new LimitedStream(socket, OpenStreams.GetOrCreateValue(socket));
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
            // The connection is already closed.
        }
    }

    /// <summary>The number of limited streams on one connection. Guarded by its own lock, under which the option of the socket is set too, so the two always agree.</summary>
    private sealed class StreamCount
    {
        public int Open { get; set; }
    }

    private sealed class LimitedStream : IDisposable
    {
        private readonly Socket _socket;
        private readonly StreamCount _streams;

        public LimitedStream(Socket socket, StreamCount streams)
        {
            (_socket, _streams) = (socket, streams);
            lock (streams)
            {
                if (++streams.Open == 1) Set(socket, static s => Limit(s, UnacknowledgedMilliseconds));
            }
        }

        public void Dispose()
        {
            lock (_streams)
            {
                if (--_streams.Open == 0) Set(_socket, static s => Limit(s, 0));
            }
        }
    }
}
