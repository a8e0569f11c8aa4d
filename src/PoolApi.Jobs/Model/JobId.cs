using System.Buffers.Binary;

namespace PoolApi.Jobs;

/// <summary>
/// Makes a job's id: a UUID of version 7 that is greater than all that this process has made before, so that lists, which go by
/// the id, have jobs in the order in which they came.
/// </summary>
/// <remarks>
/// After RFC 9562, section 6.2, method 3: the 12 bits behind the milliseconds are their fraction, and who comes within the same
/// quarter of a microsecond, or while the clock is set back, gets the next one. The other 62 bits are random, and cannot be guessed.
/// </remarks>
internal static class JobId
{
    private const int FractionBits = 12;

    private static long s_last; // milliseconds since 1970, and their fraction

    /// <summary>The next id. Thread-safe; costs about what a random one does.</summary>
    public static Guid Next()
    {
        long now = (long)(((Int128)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks << FractionBits) / TimeSpan.TicksPerMillisecond);
        long last, time;
        do
        {
            last = Volatile.Read(ref s_last);
            time = Math.Max(now, last + 1);
        }
        while (Interlocked.CompareExchange(ref s_last, time, last) != last);

        Span<byte> bytes = stackalloc byte[16];
        Guid.NewGuid().TryWriteBytes(bytes, bigEndian: true, out _); // the variant, in the second half, is the same
        const long Version = 7L << FractionBits;
        BinaryPrimitives.WriteInt64BigEndian(bytes, ((time >> FractionBits) << 16) | Version | (time & ((1 << FractionBits) - 1)));
        return new Guid(bytes, bigEndian: true);
    }
}
