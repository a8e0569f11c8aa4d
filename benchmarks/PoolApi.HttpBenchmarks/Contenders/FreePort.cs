using System.Net;
using System.Net.Sockets;

namespace PoolApi.HttpBenchmarks.Contenders;

internal static class FreePort
{
    // Below those that the system gives to clients: one of the thousands of connections might otherwise get it first.
    private const int First = 12_000, Last = 32_000;

    private static readonly HashSet<int> Given = [];

    /// <summary>A port nobody listens on, another each time.</summary>
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
