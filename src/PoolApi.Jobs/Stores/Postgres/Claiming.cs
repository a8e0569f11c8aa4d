using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.Stores.Postgres;

/// <summary>Takes on jobs that are due.</summary>
/// <remarks>
/// <para>One statement, and no waiting: what another instance is just taking is passed over. Nor is the disk waited for: a claim
/// that a crash of the database undoes is a job that is queued again, and its number will never be another claim's; whoever runs
/// it takes it back (<see cref="ClaimGrace"/>).</para>
/// <para>The answer is bounded: small bodies come with it, <see cref="BodyLimits"/>; of a large one only the length, and that is known
/// without reading it. Jobs are locked in order, and those are claimed whose bodies fit together; the locks of the others end with the
/// statement.</para>
/// <para>If the answer is lost, jobs may have been claimed that nobody runs: see <see cref="LostClaims"/>.</para>
/// </remarks>
internal sealed class Claiming
{
    private readonly Database _database;
    private readonly JobChanges _changes;
    private readonly LostClaims _lost;
    private readonly ClaimGrace _grace;
    private readonly string _claim;
    private readonly string _next;

    public Claiming(Database database, string schema, JobChanges changes, LostClaims lost)
    {
        (_database, _changes, _lost) = (database, changes, lost);
        _grace = new ClaimGrace(database);
        // Priority by priority, each by its range of the index, so that what is due later is not walked over.
        _claim =
            $"""
            with due as materialized (
              select d.id, d.claim, d.priority, d.run_at
              from (values (1::smallint), (0::smallint), (-1::smallint)) as p (priority)
              cross join lateral (
                select j.id, j.claim, j.priority, j.run_at from {schema}.jobs j
                where j.state = 0 and j.priority = p.priority and j.run_at <= now() and (j.deadline is null or j.deadline > now())
                order by j.run_at limit $1 for update skip locked) d
              limit $1
            ), sized as materialized (
              select d.id, d.claim, b.bytes, sum(b.bytes) over before as total, count(*) over () as due,
                sum(case when b.bytes <= {BodyLimits.Inline} then b.bytes else 0 end) over before as inline
              from due d
              cross join lateral (
                select coalesce((select octet_length(p.body) from {schema}.payloads p where p.job_id = d.id), 0) as bytes) b
              window before as (order by d.priority desc, d.run_at, d.id rows unbounded preceding)
            )
            update {schema}.jobs j set
              state = 1, version = {JobVersion.Next}, attempt = j.attempt + 1, started_at = now(), progress = null, worker = $2,
              claim = greatest(j.claim + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint), ended_claim = null, claim_call = $3,
              lease_until = now() + $4 * interval '1 microsecond'
            from sized s cross join {WithoutDisk.Row} left join {schema}.payloads p on p.job_id = s.id
            where j.id = s.id and s.total <= $5
            returning {JobRow.Of("j")}, j.claim, j.redeliveries, s.claim = 0, p.method, p.path, p.query, p.content_type,
              case when s.bytes <= {BodyLimits.Inline} and s.inline <= {BodyLimits.InlineTogether} then p.body end, p.trace_parent, s.bytes, s.due
            """;
        _next =
            $"""
            select extract(epoch from min(n.run_at) - clock_timestamp())::double precision
            from (values (1::smallint), (0::smallint), (-1::smallint)) as p (priority)
            cross join lateral (
              select j.run_at from {schema}.jobs j
              where j.state = 0 and j.priority = p.priority and (j.deadline is null or j.deadline > now())
              order by j.run_at limit 1) n
            """;
    }

    public async ValueTask<JobClaims> ClaimAsync(string owner, int max, long maxBytes, TimeSpan lease, CancellationToken cancellation)
    {
        TimeSpan grace = await _grace.LeftAsync(cancellation);
        if (grace > TimeSpan.Zero) return new JobClaims([], grace, IsPaused: true);
        foreach (JobChange change in await _lost.UndoAsync(owner, cancellation)) _changes.Changed(change);
        long call = Random.Shared.NextInt64();
        JobClaims claimed;
        try
        {
            claimed = await _database.RunAsync(
                connection => ClaimAsync(connection, owner, call, max, maxBytes, lease), mayRepeat: false, cancellation,
                Database.PatienceFor(BodyLimits.InlineTogether));
        }
        catch (Exception e) when (e is JobStoreException or OperationCanceledException)
        {
            _lost.Add(call);
            throw;
        }
        foreach (JobClaim claim in claimed.Claims) _changes.Changed(new JobChange(claim.Job.Id, claim.Job.Version, false));
        // What arrives late is queued again by the next call, which must come.
        return _lost.MayArrive && claimed.Claims.Count == 0 && !(claimed.NextDue < LostClaims.Pause)
            ? claimed with { NextDue = LostClaims.Pause }
            : claimed;
    }

    private async Task<JobClaims> ClaimAsync(NpgsqlConnection connection, string owner, long call, int max, long maxBytes, TimeSpan lease)
    {
        var claims = new List<JobClaim>(max);
        long due = 0;
        await using (var command = new NpgsqlCommand(_claim, connection))
        {
            command.Parameters.With(NpgsqlDbType.Integer, max).With(NpgsqlDbType.Text, owner).With(NpgsqlDbType.Bigint, call)
                .With(NpgsqlDbType.Bigint, NpgsqlValues.Microseconds(lease)).With(NpgsqlDbType.Bigint, maxBytes);
            await command.PrepareAsync();
            await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
            {
                claims.Add(Read(reader));
                due = reader.GetInt64(JobRow.Count + 10);
            }
        }
        // Whoever waits for a job waits for one statement, and no more.
        if (claims.Count == 0)
        {
            // One that is due and was not claimed did not fit; or another instance is just claiming it, which comes to the same.
            TimeSpan? next = await NextDueAsync(connection);
            return new JobClaims([], next, IsOutOfBytes: maxBytes < long.MaxValue && next <= TimeSpan.Zero);
        }
        claims.Sort(static (a, b) =>
            a.Job.Priority != b.Job.Priority ? b.Job.Priority.CompareTo(a.Job.Priority)
            : a.Job.RunAt != b.Job.RunAt ? a.Job.RunAt.CompareTo(b.Job.RunAt)
            : a.Job.Id.CompareTo(b.Job.Id));
        return new JobClaims(claims, null, IsOutOfBytes: due > claims.Count);
    }

    private async Task<TimeSpan?> NextDueAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand(_next, connection);
        await command.PrepareAsync();
        return await command.ExecuteScalarAsync() is double seconds ? TimeSpan.FromSeconds(Math.Max(0, seconds)) : null;
    }

    private static JobClaim Read(NpgsqlDataReader reader)
    {
        const int Then = JobRow.Count;
        JobPayload payload = reader.IsDBNull(Then + 3)
            ? new JobPayload("", "", "", null, default, null)
            : new JobPayload(
                reader.GetString(Then + 3), reader.GetString(Then + 4), reader.GetString(Then + 5), JobRow.Text(reader, Then + 6),
                reader.IsDBNull(Then + 7) ? default : reader.GetFieldValue<byte[]>(Then + 7), JobRow.Text(reader, Then + 8));
        return new JobClaim(JobRow.Read(reader), payload, reader.GetInt64(Then), reader.GetInt32(Then + 1), reader.GetBoolean(Then + 2))
        {
            UnreadBytes = reader.GetInt32(Then + 9) - payload.Body.Length,
        };
    }
}
