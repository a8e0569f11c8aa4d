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

    // A socket for each port that was given, bound to an abstract name with its number. The kernel gives such a name to one process at a time and takes it
    // back at the end of that process, so test processes that run side by side are never given the same port, not even for a server that starts again.
    private static readonly Dictionary<int, Socket> Given = [];

    /// <summary>A port nobody listens on, and that no other test that runs on this machine was given.</summary>
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
