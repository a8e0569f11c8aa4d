using System.Diagnostics;
using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>The server's clock decides, so somebody has to see when it is set: what it then says of leases and pauses is wrong.</summary>
/// <remarks>
/// <para>Set forth, all leases seem to be over: for the length of a lease nobody is taken for dead, and the live ones renew theirs
/// meanwhile. It is seen by comparing the clock with this process's own, which cannot jump, since the last round.</para>
/// <para>Set back, a lease that nobody renews would last as much longer, and a pause too: a lease longer than it was granted for is cut
/// to its length, and a pause that has not begun yet is over.</para>
/// </remarks>
internal sealed class DatabaseClock(string schema)
{
    /// <summary>What two clocks may differ by without either having been set.</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(1);

    private readonly string _check =
        $"""
        with unpaused as (
          update {schema}.jobs set run_at = now(), waits_from = null where state = 0 and turn is null and waits_from > now()
          returning 1
        ), cut as (
          update {schema}.jobs set lease_until = now() + lease_length where state = 1 and lease_until > now() + lease_length
        )
        select clock_timestamp(), (select count(*)::int from unpaused), (select max(lease_length) from {schema}.jobs where state = 1)
        """;

    private readonly Lock _lock = new();
    private (DateTimeOffset Shown, long At)? _last;
    private long _trustedFrom; // a timestamp

    /// <summary>Reads the clock, and corrects what a jump of it has made wrong.</summary>
    /// <returns>Whether a lease that seems to be over is; whether pauses were ended; and what the clock has shown.</returns>
    public async Task<(bool IsTrusted, bool HasUnpaused, DateTimeOffset Shown)> CheckAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand(_check, connection);
        await command.PrepareAsync();
        DateTimeOffset shown;
        bool unpaused;
        TimeSpan lease;
        await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync())
        {
            await reader.ReadAsync();
            shown = new DateTimeOffset(reader.GetDateTime(0), TimeSpan.Zero);
            unpaused = reader.GetInt32(1) > 0;
            lease = reader.IsDBNull(2) ? TimeSpan.Zero : reader.GetTimeSpan(2);
        }
        return (IsTrusted(shown, lease), unpaused, shown);
    }

    /// <param name="shown">What the clock has just shown.</param>
    /// <param name="lease">How long leases are.</param>
    private bool IsTrusted(DateTimeOffset shown, TimeSpan lease)
    {
        lock (_lock)
        {
            long now = Stopwatch.GetTimestamp();
            if (_last is { } last && shown - last.Shown > Stopwatch.GetElapsedTime(last.At, now) + Tolerance)
                _trustedFrom = now + (long)(lease.TotalSeconds * Stopwatch.Frequency);
            _last = (shown, now);
            return now >= _trustedFrom;
        }
    }
}
