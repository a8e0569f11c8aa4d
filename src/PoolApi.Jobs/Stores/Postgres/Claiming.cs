using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.Stores.Postgres;

/// <summary>Takes on jobs that are due.</summary>
/// <remarks>
/// <para>One statement, and no waiting: what another instance is just taking is passed over. Nor is the disk waited for: a claim
/// that a crash of the database undoes is a job that is queued again, and its number will never be another claim's; whoever runs
/// it takes it back (<see cref="ClaimGrace"/>).</para>
/// <para>If the answer is lost, jobs may have been claimed that nobody runs: see <see cref="LostClaims"/>.</para>
/// </remarks>
internal sealed class Claiming
{
    private readonly Database _database;
    private readonly JobChanges _changes;
    private readonly LostClaims _lost;
    private readonly ClaimGrace _grace;
    private readonly Waiting _waiting;
    private readonly string _claim;
    private readonly Suspects _suspects;
    private readonly string _claimOne;

    public Claiming(Database database, string schema, JobChanges changes, LostClaims lost, Suspects suspects)
    {
        (_database, _changes, _lost, _suspects) = (database, changes, lost, suspects);
        _waiting = new Waiting(schema);
        _grace = new ClaimGrace(database, schema);
        // Priority by priority, each by its range of the index. While there are suspects, others are claimed only by who says so.
        _claim = Sql(
            schema,
            $"""
              select d.id, d.claim
              from (values (1::smallint), (0::smallint), (-1::smallint)) as p (priority)
              cross join lateral (
                select j.id, j.claim from {schema}.jobs j
                where j.state = 0 and j.suspicion = 0 and j.priority = p.priority and j.turn is not null and (j.deadline is null or j.deadline > now())
                order by j.turn limit $1 for update skip locked) d
              where $5 or not {Suspects.Exist(schema)}
              limit $1
            """,
            "null");
        _claimOne = Sql(schema, $"select j.id, j.claim from {schema}.jobs j where j.id = $1 and j.state = 0 for update skip locked", "$5 * interval '1 microsecond'");
    }

    /// <param name="schema">The schema.</param>
    /// <param name="due">Which jobs: id and claim.</param>
    /// <param name="alone">How long the instance claims no other job.</param>
    private static string Sql(string schema, string due, string alone) =>
            $"""
            with due as materialized (
            {due}
            )
            update {schema}.jobs j set
              state = 1, version = {JobVersion.Next}, attempt = j.attempt + 1, started_at = now(), progress = null, worker = $2,
              claim = greatest(j.claim + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint), ended_claim = null, claim_call = $3,
              lease_until = now() + $4 * interval '1 microsecond', lease_length = $4 * interval '1 microsecond',
              accompanied = false, alone_until = now() + {alone}
            from due cross join {WithoutDisk.Row} left join {schema}.payloads p on p.job_id = due.id
            where j.id = due.id
            returning {JobRow.Of("j")}, j.claim, j.redeliveries, due.claim = 0, p.method, p.path, p.query, p.content_type, p.body, p.trace_parent,
              extract(epoch from least(j.deadline - now(), j.timeout))::double precision
            """;

    public async ValueTask<JobClaims> ClaimAsync(string owner, int max, TimeSpan lease, CancellationToken cancellation)
    {
        TimeSpan grace = await _grace.LeftAsync(cancellation);
        if (grace > TimeSpan.Zero) return new JobClaims([], grace, IsPaused: true);
        foreach (JobChange change in await _lost.UndoAsync(owner, cancellation)) _changes.Changed(change);
        long call = Random.Shared.NextInt64();
        JobClaims claimed;
        try
        {
            claimed = await _database.RunAsync(
                connection => ClaimAsync(connection, owner, call, max, lease), mayRepeat: false, cancellation, Database.PatienceForBodies);
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

    private async Task<JobClaims> ClaimAsync(NpgsqlConnection connection, string owner, long call, int max, TimeSpan lease)
    {
        // What comes to be due gets its turn in time, also while claims never come up empty.
        if (_waiting.MayHaveCome) await _waiting.ReleaseAsync(connection);
        List<JobClaim> claims = await TakeAsync(connection, owner, call, max, lease, despiteSuspects: false);
        if (claims.Count > 0) return new JobClaims(claims, null); // whoever waits for a job waits for one statement, and no more
        (int released, bool suspects, TimeSpan? next) = await _waiting.ReleaseAsync(connection);
        _suspects.MayWait = suspects;
        if (suspects) return await ClaimBesideSuspectsAsync(connection, owner, call, max, lease, next);
        if (released > 0) claims = await TakeAsync(connection, owner, call, max, lease, despiteSuspects: false);
        return new JobClaims(claims, claims.Count > 0 ? null : next);
    }

    /// <summary>Claims while there are suspects, on whatever instance: one of them, or others, or both.</summary>
    private async Task<JobClaims> ClaimBesideSuspectsAsync(
        NpgsqlConnection connection, string owner, long call, int max, TimeSpan lease, TimeSpan? next)
    {
        SuspectTurn turn = await _suspects.LookAsync(connection, owner);
        if (turn.Pause is { } pause) return new JobClaims([], pause, IsPaused: true);
        List<JobClaim> claims = [];
        if (turn.First is { } first) claims.AddRange(await TakeAsync(connection, owner, call, first, lease, turn.IsAlone));
        if (claims.Count < max && !(turn.IsAlone && claims.Count > 0))
            claims.AddRange(await TakeAsync(connection, owner, call, max - claims.Count, lease, despiteSuspects: true));
        if (claims.Count == 0 && turn.Otherwise is { } other) claims.AddRange(await TakeAsync(connection, owner, call, other, lease, isAlone: true));
        return new JobClaims(claims, claims.Count > 0 ? null : next);
    }

    private async Task<List<JobClaim>> TakeAsync(NpgsqlConnection connection, string owner, long call, int max, TimeSpan lease, bool despiteSuspects)
    {
        await using var command = new NpgsqlCommand(_claim, connection);
        command.Parameters.With(NpgsqlDbType.Integer, max).With(NpgsqlDbType.Text, owner).With(NpgsqlDbType.Bigint, call)
            .With(NpgsqlDbType.Bigint, NpgsqlValues.Microseconds(lease)).With(NpgsqlDbType.Boolean, despiteSuspects);
        return await ReadAsync(command);
    }

    private async Task<List<JobClaim>> TakeAsync(NpgsqlConnection connection, string owner, long call, Suspect suspect, TimeSpan lease, bool isAlone)
    {
        await using var command = new NpgsqlCommand(_claimOne, connection);
        command.Parameters.With(NpgsqlDbType.Uuid, suspect.Id).With(NpgsqlDbType.Text, owner).With(NpgsqlDbType.Bigint, call)
            .With(NpgsqlDbType.Bigint, NpgsqlValues.Microseconds(lease))
            .With(NpgsqlDbType.Bigint, isAlone ? NpgsqlValues.Microseconds(ExclusiveTurns.AloneFor(suspect.Suspicion)) : (long?)null);
        List<JobClaim> claims = await ReadAsync(command);
        if (isAlone && claims.Count > 0) _suspects.BeganAlone();
        return claims;
    }

    private static async Task<List<JobClaim>> ReadAsync(NpgsqlCommand command)
    {
        var claims = new List<JobClaim>();
        await command.PrepareAsync();
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync()) claims.Add(Read(reader));
        claims.Sort(static (a, b) =>
            a.Job.Priority != b.Job.Priority ? b.Job.Priority.CompareTo(a.Job.Priority)
            : a.Job.RunAt != b.Job.RunAt ? a.Job.RunAt.CompareTo(b.Job.RunAt)
            : a.Job.Id.CompareTo(b.Job.Id));
        return claims;
    }

    private static JobClaim Read(NpgsqlDataReader reader)
    {
        const int Then = JobRow.Count;
        JobPayload payload = reader.IsDBNull(Then + 3)
            ? new JobPayload("", "", "", null, default, null)
            : new JobPayload(
                reader.GetString(Then + 3), reader.GetString(Then + 4), reader.GetString(Then + 5), JobRow.Text(reader, Then + 6),
                reader.GetFieldValue<byte[]>(Then + 7), JobRow.Text(reader, Then + 8));
        return new JobClaim(JobRow.Read(reader), payload, reader.GetInt64(Then), reader.GetInt32(Then + 1), reader.GetBoolean(Then + 2))
        {
            TimeLeft = reader.IsDBNull(Then + 9) ? null : TimeSpan.FromSeconds(reader.GetDouble(Then + 9)),
        };
    }
}
