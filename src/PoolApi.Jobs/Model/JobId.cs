using System.Buffers.Binary;

namespace PoolApi.Jobs;

/// <summary>
/// Generates job ids: version 7 UUIDs, each greater than all earlier ones of this process. Lists sort by id, so they have jobs in the order of
/// acceptance.
/// </summary>
/// <remarks>
/// RFC 9562, section 6.2, method 3: the 12 bits after the milliseconds hold their fraction. An id within the same quarter of a microsecond, or
/// after the clock was set back, gets the next value. The other 62 bits are random and cannot be guessed.
/// </remarks>
internal static class JobId
{
    private const int FractionBits = 12;

    private static long s_last; // milliseconds since 1970, and their fraction

    /// <summary>Generates the next id. Thread-safe; costs about as much as a random UUID.</summary>
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
        Guid.NewGuid().TryWriteBytes(bytes, bigEndian: true, out _); // the second half stays: its variant bits are those of version 7 too
        const long Version = 7L << FractionBits;
        BinaryPrimitives.WriteInt64BigEndian(bytes, ((time >> FractionBits) << 16) | Version | (time & ((1 << FractionBits) - 1)));
        return new Guid(bytes, bigEndian: true);
    }
}
