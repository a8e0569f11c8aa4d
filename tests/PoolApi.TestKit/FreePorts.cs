using System.Net;
using System.Net.Sockets;

namespace PoolApi.TestKit;

/// <summary>Ports for servers under test. They lie below the ephemeral range (32768 and up on Linux), so that no client's
/// outgoing connection can take one between the moment it is found and the moment the server listens.</summary>
public static class FreePorts
{
    private const int First = 12_000;
    private const int Last = 32_000;
    private static readonly Lock Gate = new();
    private static readonly HashSet<int> Given = [];

    /// <summary>A port nobody listens on, and that no other test of this run was given.</summary>
    public static int Next()
    {
        for (int attempt = 0; attempt < 1000; attempt++)
        {
            int port = Random.Shared.Next(First, Last);
            lock (Gate)
            {
                if (!Given.Add(port))
                    continue;
            }

            if (IsFree(port))
                return port;
        }

        throw new InvalidOperationException("no free port found");
    }

    private static bool IsFree(int port)
    {
        using var probe = new TcpListener(IPAddress.Loopback, port);
        try
        {
            probe.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
