namespace PoolApi.Jobs.Sqlite;

/// <summary>Times as the file has them: whole microseconds since 1970, the precision that every store keeps.</summary>
internal static class Moments
{
    public static long ToMicroseconds(DateTimeOffset value) =>
        (value.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond;

    public static DateTimeOffset FromMicroseconds(long value) => DateTimeOffset.UnixEpoch.AddTicks(value * TimeSpan.TicksPerMicrosecond);

    /// <summary>A time as it comes back from the file.</summary>
    public static DateTimeOffset Stored(DateTimeOffset value) => FromMicroseconds(ToMicroseconds(value));

    /// <summary>A time so much later; the last that there is, if that is beyond it.</summary>
    public static DateTimeOffset After(DateTimeOffset from, TimeSpan time) =>
        Stored(time < DateTimeOffset.MaxValue - from ? from + time : DateTimeOffset.MaxValue);

    /// <summary>A time so much earlier; the first that there is, if that is beyond it.</summary>
    public static DateTimeOffset Before(DateTimeOffset from, TimeSpan time) =>
        Stored(time < from - DateTimeOffset.UnixEpoch ? from - time : DateTimeOffset.UnixEpoch);
}
