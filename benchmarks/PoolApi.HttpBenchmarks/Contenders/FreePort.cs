using System.Net;
using System.Net.Sockets;

namespace PoolApi.HttpBenchmarks.Contenders;

internal static class FreePort
{
    // Below the ephemeral range. Otherwise one of the thousands of client connections might take the port first.
    private const int First = 12_000, Last = 32_000;

    private static readonly HashSet<int> Given = [];

    /// <summary>A port without a listener, another one each time.</summary>
    public static int Next()
    {
        while (true)
        {
            int port = Random.Shared.Next(First, Last);
            if (Given.Add(port) && IsFree(port)) return port;
        }
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
