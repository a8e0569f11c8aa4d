using System.Diagnostics;
using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Detects jumps of the server's clock. Leases and pauses use that clock, so a jump makes them wrong.</summary>
/// <remarks>
/// <para>If the clock was set forward, all leases seem to have run out. So for the length of a lease no job is redelivered, and live instances
/// renew their leases meanwhile. A round detects the jump: it compares the time since the last round with this process's monotonic clock.</para>
/// <para>If the clock was set back, leases and pauses would last longer. So a round cuts a lease that exceeds its granted length. It ends a pause
/// whose beginning lies in the future.</para>
/// </remarks>
internal sealed class DatabaseClock(string schema)
{
    /// <summary>The largest difference between the two clocks that does not count as a jump.</summary>
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

    /// <summary>Reads the clock. Corrects the leases and pauses if the clock was set back.</summary>
    /// <returns>Whether leases that have run out by the clock count as such; whether pauses were ended; and the clock's time.</returns>
    public async Task<(bool IsTrusted, bool HasUnpaused, DateTimeOffset Shown)> CheckAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand(_check, connection);
        await command.PrepareAsync();
        DateTimeOffset shown;
        bool unpaused;
        TimeSpan lease;
        long asked = Stopwatch.GetTimestamp();
        await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync())
        {
            await reader.ReadAsync();
            shown = new DateTimeOffset(reader.GetDateTime(0), TimeSpan.Zero);
            unpaused = reader.GetInt32(1) > 0;
            lease = reader.IsDBNull(2) ? TimeSpan.Zero : reader.GetTimeSpan(2);
        }
        return (IsTrusted(shown, lease, asked), unpaused, shown);
    }

    /// <param name="shown">The server's time.</param>
    /// <param name="lease">The longest granted lease of a running job.</param>
    /// <param name="asked">
    /// A timestamp from before the server read its clock. From it the next round counts its time, so a late response never counts as a jump. A jump that is
    /// shorter than that delay goes unnoticed.
    /// </param>
    private bool IsTrusted(DateTimeOffset shown, TimeSpan lease, long asked)
    {
        lock (_lock)
        {
            long now = Stopwatch.GetTimestamp();
            if (_last is { } last && shown - last.Shown > Stopwatch.GetElapsedTime(last.At, now) + Tolerance)
                _trustedFrom = now + (long)(lease.TotalSeconds * Stopwatch.Frequency);
            _last = (shown, asked);
            return now >= _trustedFrom;
        }
    }
}
