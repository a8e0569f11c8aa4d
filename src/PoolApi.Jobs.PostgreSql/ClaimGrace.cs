using System.Diagnostics;
using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Delays claims after an interruption of the database.</summary>
/// <remarks>
/// A claim's commit does not wait for the disk, so a crash of the database may undo it. Then the job is queued although an instance runs it. That
/// instance takes it back with its next renewal, which it sends once it has a connection again. No instance may claim the job before that. All instances
/// notice a crash, because their connections end. An instance that starts after the crash asks the server when it started and when its statistics were
/// last reset: a server resets them before it recovers from a crash. The recovery itself may take minutes, so an instance that finds queued jobs from
/// before a recent recovery counts the delay from its own first claim.
/// </remarks>
internal sealed class ClaimGrace(Database database, string schema)
{
    /// <summary>The length of the delay. An instance tries to connect at least every two seconds, and then renews its leases.</summary>
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(3);

    private readonly WriteCheck _check = new(database, schema);
    private readonly string _mayBeUndone = MayBeUndoneSql(schema);

    private long _seen = -1; // the number of interruptions at the last look
    private long _backAt; // a timestamp; 0: it has never been away

    /// <summary>The SQL that tests whether a recent crash may have undone the claim of a job that is queued now.</summary>
    /// <remarks>
    /// This assumes that a recovery takes less than ten minutes. It does not detect the promotion of a standby, which neither restarts the server nor
    /// resets the statistics. It reads a bounded number of jobs: the oldest by their ids, which the clocks of the instances order only roughly.
    /// </remarks>
    internal static string MayBeUndoneSql(string schema) =>
        $"""
        select exists (
          select from (select greatest(pg_postmaster_start_time(), stats_reset) as at from pg_stat_wal) r
          where r.at > now() - interval '10 minutes' and exists (
            select from (select j.created_at from {schema}.jobs j where j.state = 0 order by j.id limit 1000) oldest where oldest.created_at < r.at))
        """;

    /// <summary>The time until claims are allowed; zero: they are.</summary>
    /// <exception cref="JobStoreUnavailableException">The database is still away, or read-only.</exception>
    public async ValueTask<TimeSpan> LeftAsync(CancellationToken cancellation)
    {
        long interruptions = database.Interruptions;
        long seen = Volatile.Read(ref _seen);
        if (interruptions != seen)
        {
            bool isFirst = seen < 0 && interruptions == 0;
            bool mayBeUndone = await database.RunAsync<bool>(isFirst ? MayBeUndoneAsync : _check.WriteAsync, mayRepeat: true, cancellation);
            if (mayBeUndone) Volatile.Write(ref _backAt, Stopwatch.GetTimestamp());
            Volatile.Write(ref _seen, interruptions);
        }
        long backAt = Volatile.Read(ref _backAt);
        if (backAt == 0) return TimeSpan.Zero;
        TimeSpan left = Length - Stopwatch.GetElapsedTime(backAt);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    /// <summary>Whether a recent crash may have undone the claim of a job that is queued now.</summary>
    private async Task<bool> MayBeUndoneAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand(_mayBeUndone, connection);
        try
        {
            return await command.ExecuteScalarAsync() is true;
        }
        catch (PostgresException e) when (e.SqlState is "0A000" or "42501" or "42P01" or "42883")
        {
            // Some compatible servers do not have these statistics, and an operator may have revoked them. Then the first claim waits.
            return true;
        }
    }
}
