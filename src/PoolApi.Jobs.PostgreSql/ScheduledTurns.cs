using System.Diagnostics;
using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Gives scheduled jobs a turn when their time has come, after all jobs that are due already. One statement, by ranges of indexes.</summary>
/// <remarks>The server's clock decides. From then on no clock matters, because a job with a turn is due.</remarks>
internal sealed class ScheduledTurns(string schema)
{
    /// <summary>The longest delay of a turn while every claim finds jobs.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>The time until the next job is due, if a job is due that another claim has locked.</summary>
    public static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(1);

    private readonly string _release =
        $"""
        with come as materialized (
          select id from {schema}.jobs where state = 0 and turn is null and run_at <= now() order by run_at limit 500 for update skip locked
        ), turned as materialized (
          select id, nextval('{schema}.turns') as turn from come
        ), released as (
          update {schema}.jobs j set turn = t.turn, waits_from = null from turned t where j.id = t.id returning 1
        )
        select
          (select count(*)::int from released),
          {PostgreSqlSuspects.Exist(schema)},
          exists (
            select from {ReadyKinds.Priorities} cross join lateral ({ReadyKinds.Sql(schema, "$1", "$2")}) k
            cross join lateral (
              select from {schema}.jobs j
              where {ReadyKinds.IsReady} and j.priority = p.priority and j.kind = k.kind and (j.deadline is null or j.deadline > now())
              limit 1) d),
          (select extract(epoch from min(w.run_at) - clock_timestamp())::double precision
           from (select run_at from {schema}.jobs j
                 where state = 0 and turn is null and (deadline is null or deadline > now()) and not exists (select from come c where c.id = j.id)
                 order by run_at limit 1) w)
        """;

    private long _lookedAt; // a timestamp

    /// <summary>Whether the last search for scheduled jobs is long enough ago for another one.</summary>
    public bool MayHaveCome => Stopwatch.GetElapsedTime(Volatile.Read(ref _lookedAt)) > Pause;

    /// <returns>
    /// How many jobs got their turn, whether there are suspects, and the time until the next job is due; zero: a job of these kinds has its turn.
    /// </returns>
    public async Task<(int Released, bool HasSuspects, TimeSpan? Next)> ReleaseAsync(NpgsqlConnection connection, KindFilter kinds)
    {
        Volatile.Write(ref _lookedAt, Stopwatch.GetTimestamp());
        await using var command = new NpgsqlCommand(_release, connection);
        command.Parameters.With(kinds);
        await command.PrepareAsync();
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        // A job whose time has come, but that has no turn, gets it from another claim, which has locked it, or with this instance's next claim.
        TimeSpan? next = reader.GetBoolean(2) ? TimeSpan.Zero
            : reader.IsDBNull(3) ? null
            : TimeSpan.FromSeconds(Math.Max(Soon.TotalSeconds, reader.GetDouble(3)));
        return (reader.GetInt32(0), reader.GetBoolean(1), next);
    }
}
