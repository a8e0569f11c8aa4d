using System.Net;
using System.Net.Sockets;

namespace PoolApi.TestKit.Network;

/// <summary>Ports for servers under test. They lie below the ephemeral range (32768 and up on Linux), so that no client's
/// outgoing connection can take one between the moment it is found and the moment the server listens.</summary>
public static class FreePorts
{
    private const int First = 12_000;
    private const int Last = 32_000;
    private static readonly Lock Gate = new();

    // A socket for each port that Next has returned, bound to an abstract name with the port's number. The kernel lets one process at a time bind a name
    // and releases it at the end of the process. So concurrent test processes never get the same port, not even while a server restarts.
    private static readonly Dictionary<int, Socket> Given = [];

    /// <summary>Returns a port that has no listener and that no other running test has got.</summary>
    public static int Next()
    {
        for (int attempt = 0; attempt < 1000; attempt++)
        {
            int port = Random.Shared.Next(First, Last);
            lock (Gate)
            {
                if (Given.ContainsKey(port) || !TryClaim(port))
                    continue;
            }

            if (IsFree(port))
                return port;
        }

        throw new InvalidOperationException("no free port found");
    }

    private static bool TryClaim(int port)
    {
        var name = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            name.Bind(new UnixDomainSocketEndPoint($"\0poolapi-test-port-{port}"));
            Given.Add(port, name);
            return true;
        }
        catch (SocketException)
        {
            name.Dispose();
            return false;
        }
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
