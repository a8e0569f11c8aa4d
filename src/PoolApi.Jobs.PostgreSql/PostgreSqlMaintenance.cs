using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Expires, redelivers, sweeps and deletes jobs. Each step is one small transaction that skips rows that other instances have locked.</summary>
/// <remarks>
/// Deleting a large body takes time, because the server visits each of its pieces. So each sweep has a limit of bytes, and its timeout grows with its bytes.
/// </remarks>
internal sealed class PostgreSqlMaintenance
{
    private readonly Database _database;
    private readonly ChangeNotifier _changes;
    private readonly DatabaseClock _clock;
    private readonly string _expire;
    private readonly string _redeliver;
    private readonly string _old;
    private readonly string _sweep;
    private readonly string _remove;

    public PostgreSqlMaintenance(Database database, string schema, ChangeNotifier changes)
    {
        (_database, _changes) = (database, changes);
        _clock = new DatabaseClock(schema);
        _expire =
            $"""
            with late as materialized (
              select id from {schema}.jobs where state = 0 and deadline <= now() order by deadline limit $1 for update skip locked
            )
            update {schema}.jobs j set
              state = 5, version = {JobVersion.Next}, finished_at = now(), progress = null, error_name = $2, error_detail = $3
            from late where j.id = late.id
            returning j.id, j.version, j.kind, j.state
            """;
        // Jobs that ran beside a lost one are marked too, since their leases may last a little longer. All CTEs see the state at the start of the statement,
        // so that two instances that run maintenance concurrently do not mistake each other's jobs for jobs that ran alone. A lease counts as run out if
        // it had run out when the clock was read, just before this statement. The network may delay the statement until the end of an outage. Even then
        // it takes no job from a live instance.
        _redeliver =
            $"""
            with lost as materialized (
              select id, worker, cancel_requested, accompanied, deaths
              from {schema}.jobs where state = 1 and lease_until < $5 limit $1 for update skip locked
            ), running as materialized (
              select worker, count(*) as jobs from {schema}.jobs where state = 1 and exists (select from lost) group by worker
            ), classified as materialized (
              select l.id, l.accompanied or r.jobs > 1 as accompanied,
                case when l.cancel_requested then 4 when not (l.accompanied or r.jobs > 1) and l.deaths >= $2 then 3 else 0 end::smallint as state
              from lost l join running r on r.worker = l.worker
            ), beside as (
              update {schema}.jobs j set accompanied = true
              from (select o.id from {schema}.jobs o
                    where o.state = 1 and not o.accompanied and o.worker in (select worker from lost) and o.id not in (select id from lost)
                    for update skip locked) o
              where j.id = o.id
            )
            update {schema}.jobs j set
              state = lost.state, version = {JobVersion.Next}, progress = null, lease_until = null, cancel_requested = false,
              finished_at = case when lost.state = 0 then null else now() end,
              redeliveries = j.redeliveries + case when lost.state = 0 then 1 else 0 end,
              suspicion = case when lost.state = 0 then j.suspicion + 1 else 0 end,
              deaths = j.deaths + case when lost.state = 0 and not lost.accompanied then 1 else 0 end,
              earlier = case when lost.state = 0 then {PastAttemptsSql.With(PastOutcome.Lost)} else j.earlier end,
              lost_claim = j.claim, lost_alone = not lost.accompanied, alone_until = null,
              error_name = case when lost.state = 3 then $3 else j.error_name end,
              error_detail = case when lost.state = 3 then $4 else j.error_detail end
            from classified lost where j.id = lost.id
            returning j.id, j.version, j.kind, j.state
            """;
        // The lengths cost no read of the bodies.
        _old =
            $"""
            select j.id,
              coalesce((select octet_length(p.body) from {schema}.payloads p where p.job_id = j.id), 0)::bigint
              + coalesce((select octet_length(r.body) from {schema}.results r where r.job_id = j.id), 0)
            from {schema}.jobs j
            where not j.swept and j.finished_at is not null and j.finished_at < now() - $2 * interval '1 microsecond'
            order by j.finished_at limit $1
            """;
        // A case expression, so that the planner finds the jobs by their ids. One may have been retried since it was found.
        _sweep =
            $"""
            with old as materialized (
              select id from {schema}.jobs
              where id = any($1) and case when swept then false else finished_at < now() - $2 * interval '1 microsecond' end
              for update skip locked
            ), payloads as (
              delete from {schema}.payloads p using old where p.job_id = old.id
            ), results as (
              delete from {schema}.results r using old where r.job_id = old.id
            )
            update {schema}.jobs j set swept = true from old where j.id = old.id
            """;
        _remove =
            $"""
            with old as materialized (
              select id from {schema}.jobs
              where swept and finished_at is not null and finished_at < now() - 2 * $2 * interval '1 microsecond'
              order by finished_at limit $1 for update skip locked
            ), gone as (
              delete from {schema}.jobs j using old where j.id = old.id returning j.id, j.version, j.kind, j.state, j.tags
            ), untagged as (
              delete from {schema}.tags t using (select g.id, u.tag from gone g cross join lateral unnest(g.tags) as u (tag)) g
              where t.tag = g.tag and t.job_id = g.id
            )
            select id, version, kind, state from gone
            """;
    }

    public async ValueTask<MaintenanceReport> MaintainAsync(MaintenanceRules rules, CancellationToken cancellation)
    {
        List<Maintained> expired = await RunAsync(_expire, rules, p => WithError(p, JobError.Expired), cancellation);
        (bool isTrusted, DateTimeOffset shown) = await CheckClockAsync(cancellation);
        List<Maintained> lost = !isTrusted || !rules.MayRedeliver ? [] : await RunAsync(
            _redeliver, rules,
            p => WithError(p.With(NpgsqlDbType.Integer, rules.MaxRedeliveries), JobError.Poison).With(NpgsqlDbType.TimestampTz, NpgsqlValues.Storable(shown)),
            cancellation);
        (int swept, bool mayBeMoreBytes, List<Maintained> removed, Exception? fault) = (0, false, [], null);
        try
        {
            (swept, mayBeMoreBytes) = await SweepAsync(rules, cancellation);
            removed = await RunAsync(_remove, rules, p => WithRetention(p, rules), cancellation, isReported: false);
        }
        catch (JobStoreException e)
        {
            fault = e;
        }
        return new MaintenanceReport(
            expired.Count,
            lost.Where(static m => m.State == JobState.Queued).CountBy(static m => m.Kind).ToDictionary(StringComparer.Ordinal),
            lost.Count(static m => m.State == JobState.Failed),
            swept + removed.Count,
            mayBeMoreBytes || Math.Max(Math.Max(expired.Count, lost.Count), Math.Max(swept, removed.Count)) >= rules.Limit)
        { SweepFault = fault };
    }

    /// <returns>Whether leases that have run out by the clock count as such, and the clock's time.</returns>
    private Task<(bool IsTrusted, DateTimeOffset Shown)> CheckClockAsync(CancellationToken cancellation) => _database.RunAsync(
        async connection =>
        {
            (bool isTrusted, bool hasUnpaused, DateTimeOffset shown) = await _clock.CheckAsync(connection);
            if (hasUnpaused) _changes.MayBeDue();
            return (isTrusted, shown);
        },
        mayRepeat: true, cancellation);

    /// <summary>Deletes the payloads and results of jobs that are past the retention.</summary>
    /// <returns>The number of these jobs, and whether the limit of bytes has left some for the next round.</returns>
    private async Task<(int Count, bool IsLimited)> SweepAsync(MaintenanceRules rules, CancellationToken cancellation)
    {
        List<(Guid Id, long Bytes)> old = await _database.RunAsync(
            async connection =>
            {
                await using var command = new NpgsqlCommand(_old, connection);
                WithRetention(command.Parameters.With(NpgsqlDbType.Integer, rules.Limit), rules);
                await command.PrepareAsync();
                var found = new List<(Guid, long)>();
                await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
                while (await reader.ReadAsync()) found.Add((reader.GetGuid(0), reader.GetInt64(1)));
                return found;
            },
            mayRepeat: true, cancellation);
        if (old.Count == 0) return default;
        int count = 1;
        long bytes = old[0].Bytes;
        while (count < old.Count && bytes + old[count].Bytes <= rules.SweepBytes) bytes += old[count++].Bytes;
        Guid[] ids = [.. old.Take(count).Select(static o => o.Id)];
        int swept = await _database.RunAsync(
            async connection =>
            {
                await using var command = new NpgsqlCommand(_sweep, connection);
                WithRetention(command.Parameters.With(NpgsqlDbType.Array | NpgsqlDbType.Uuid, ids), rules);
                return await _database.ExtendedAsync(command, bytes, static async sweep =>
                {
                    await sweep.PrepareAsync();
                    return await sweep.ExecuteNonQueryAsync();
                });
            },
            mayRepeat: true, cancellation, _database.PatienceFor(bytes));
        // If no row could be locked, another instance sweeps these jobs. A further round at once would only repeat the query.
        return (swept, swept > 0 && count < old.Count);
    }

    private static NpgsqlParameterCollection WithError(NpgsqlParameterCollection parameters, JobError error) =>
        parameters.With(NpgsqlDbType.Text, error.Name).With(NpgsqlDbType.Text, error.Detail);

    private static NpgsqlParameterCollection WithRetention(NpgsqlParameterCollection parameters, MaintenanceRules rules) =>
        parameters.With(NpgsqlDbType.Bigint, NpgsqlValues.Microseconds(rules.Retention));

    /// <param name="sql">The statement.</param>
    /// <param name="rules">The rules.</param>
    /// <param name="more">Adds the parameters after the first, which is the limit.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="isReported">Whether the changes are reported.</param>
    private Task<List<Maintained>> RunAsync(
        string sql, MaintenanceRules rules, Func<NpgsqlParameterCollection, NpgsqlParameterCollection> more, CancellationToken cancellation,
        bool isReported = true) =>
        _database.RunAsync(
            async connection =>
            {
                await using var command = new NpgsqlCommand(sql, connection);
                more(command.Parameters.With(NpgsqlDbType.Integer, rules.Limit));
                await command.PrepareAsync();
                var maintained = new List<Maintained>();
                await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync())
                {
                    while (await reader.ReadAsync())
                        maintained.Add(new Maintained(reader.GetGuid(0), reader.GetInt64(1), reader.GetString(2), (JobState)reader.GetInt16(3)));
                }
                if (!isReported) return maintained;
                foreach (Maintained job in maintained) _changes.Changed(new JobChange(job.Id, job.Version, false));
                if (maintained.Exists(static m => m.State == JobState.Queued)) _changes.MayBeDue();
                return maintained;
            },
            mayRepeat: true, cancellation);

    private sealed record Maintained(Guid Id, long Version, string Kind, JobState State);
}
