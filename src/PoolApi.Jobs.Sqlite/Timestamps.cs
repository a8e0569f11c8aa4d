namespace PoolApi.Jobs.Sqlite;

/// <summary>Converts times to and from the file's form: whole microseconds since 1970, the precision of every store.</summary>
internal static class Timestamps
{
    public static long ToMicroseconds(DateTimeOffset value) =>
        (value.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond;

    public static DateTimeOffset FromMicroseconds(long value) => DateTimeOffset.UnixEpoch.AddTicks(value * TimeSpan.TicksPerMicrosecond);

    /// <summary>Rounds a time as storing does.</summary>
    public static DateTimeOffset Stored(DateTimeOffset value) => FromMicroseconds(ToMicroseconds(value));

    /// <summary>Adds a duration to a time. The result is at most <see cref="DateTimeOffset.MaxValue"/>.</summary>
    public static DateTimeOffset After(DateTimeOffset from, TimeSpan time) =>
        Stored(time < DateTimeOffset.MaxValue - from ? from + time : DateTimeOffset.MaxValue);

    /// <summary>Subtracts a duration from a time. The result is at least <see cref="DateTimeOffset.UnixEpoch"/>.</summary>
    public static DateTimeOffset Before(DateTimeOffset from, TimeSpan time) =>
        Stored(time < from - DateTimeOffset.UnixEpoch ? from - time : DateTimeOffset.UnixEpoch);
}
