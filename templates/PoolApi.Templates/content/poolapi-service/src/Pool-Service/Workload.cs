using System.Security.Cryptography;

namespace Pool_Service;

/// <summary>The work of this service: put your own here. It may compute or block, since the thread is the pool's.</summary>
public static class Workload
{
    /// <summary>Hashes so many times.</summary>
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
