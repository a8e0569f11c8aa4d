using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Expires, redelivers, sweeps and deletes jobs. Each step is one small transaction that skips rows that other instances have locked.</summary>
internal sealed class Maintenance
{
    private readonly Database _database;
    private readonly JobChanges _changes;
    private readonly DatabaseClock _clock;
    private readonly string _expire;
    private readonly string _redeliver;
    private readonly string _sweep;
    private readonly string _remove;

    public Maintenance(Database database, string schema, JobChanges changes)
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
        // so that two instances that run maintenance concurrently do not mistake each other's jobs for jobs that ran alone.
        _redeliver =
            $"""
            with lost as materialized (
              select id, worker, cancel_requested, accompanied, deaths
              from {schema}.jobs where state = 1 and lease_until < now() limit $1 for update skip locked
            ), running as materialized (
              select worker, count(*) as jobs from {schema}.jobs where state = 1 and exists (select from lost) group by worker
            ), judged as materialized (
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
            from judged lost where j.id = lost.id
            returning j.id, j.version, j.kind, j.state
            """;
        _sweep =
            $"""
            with old as materialized (
              select id from {schema}.jobs
              where not swept and finished_at is not null and finished_at < now() - $2 * interval '1 microsecond'
              order by finished_at limit $1 for update skip locked
            ), payloads as (
              delete from {schema}.payloads p using old where p.job_id = old.id
            ), results as (
              delete from {schema}.results r using old where r.job_id = old.id
            )
            update {schema}.jobs j set swept = true from old where j.id = old.id
            returning j.id, j.version, j.kind, j.state
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
        List<Tended> expired = await RunAsync(_expire, rules, static (p, _) => WithError(p, JobError.Expired), cancellation);
        (bool isTrusted, bool hasUnpaused) = await _database.RunAsync(_clock.LookAsync, mayRepeat: true, cancellation);
        List<Tended> lost = !isTrusted || !rules.MayRedeliver ? [] : await RunAsync(
            _redeliver, rules, static (p, r) => WithError(p.With(NpgsqlDbType.Integer, r.MaxRedeliveries), JobError.Poison), cancellation);
        List<Tended> swept = await RunAsync(_sweep, rules, WithRetention, cancellation);
        List<Tended> removed = await RunAsync(_remove, rules, WithRetention, cancellation);
        Tended[] redelivered = [.. lost.Where(static t => t.State == JobState.Queued)];
        foreach (Tended tended in expired.Concat(lost)) _changes.Changed(new JobChange(tended.Id, tended.Version, false));
        if (redelivered.Length > 0 || hasUnpaused) _changes.MayBeDue();
        return new MaintenanceReport(
            expired.Count,
            redelivered.CountBy(static t => t.Kind).ToDictionary(StringComparer.Ordinal),
            lost.Count(static t => t.State == JobState.Failed),
            swept.Count + removed.Count,
            Math.Max(Math.Max(expired.Count, lost.Count), Math.Max(swept.Count, removed.Count)) >= rules.Limit);
    }

    private static NpgsqlParameterCollection WithError(NpgsqlParameterCollection parameters, JobError error) =>
        parameters.With(NpgsqlDbType.Text, error.Name).With(NpgsqlDbType.Text, error.Detail);

    private static NpgsqlParameterCollection WithRetention(NpgsqlParameterCollection parameters, MaintenanceRules rules) =>
        parameters.With(NpgsqlDbType.Bigint, NpgsqlValues.Microseconds(rules.Retention));

    private Task<List<Tended>> RunAsync(
        string sql, MaintenanceRules rules, Func<NpgsqlParameterCollection, MaintenanceRules, NpgsqlParameterCollection> more,
        CancellationToken cancellation) =>
        _database.RunAsync(
            async connection =>
            {
                await using var command = new NpgsqlCommand(sql, connection);
                more(command.Parameters.With(NpgsqlDbType.Integer, rules.Limit), rules);
                await command.PrepareAsync();
                var tended = new List<Tended>();
                await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
                while (await reader.ReadAsync())
                    tended.Add(new Tended(reader.GetGuid(0), reader.GetInt64(1), reader.GetString(2), (JobState)reader.GetInt16(3)));
                return tended;
            },
            mayRepeat: true, cancellation);

    private sealed record Tended(Guid Id, long Version, string Kind, JobState State);
}
