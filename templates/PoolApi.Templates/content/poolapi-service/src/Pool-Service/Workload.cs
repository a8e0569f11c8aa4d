using System.Security.Cryptography;

namespace Pool_Service;

/// <summary>The work of this service. Put your own here: it may compute or block, since it runs on a thread of the pool.</summary>
public static class Workload
{
    /// <summary>Hashes this many times.</summary>
    public static string Run(int rounds, CancellationToken cancellation)
    {
        byte[] hash = new byte[32];
        for (int round = 0; round < rounds; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            hash = SHA256.HashData(hash);
        }
        return Convert.ToHexString(hash);
    }
}
