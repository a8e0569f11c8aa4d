using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Writes the ends of attempts, many in one statement and one commit. Thread-safe.</summary>
/// <remarks>
/// <para>An end is written only if the claim is not lost: the job is running under its number and owner, or it is queued under a smaller number. Numbers
/// only grow, so in the second case a crash of the database undid the claim and no instance has claimed the job since. The attempt did run, and its end
/// counts.</para>
/// <para>Batches are sorted by id, so that two batches with the same jobs cannot deadlock.</para>
/// </remarks>
internal sealed class Finishing : IAsyncDisposable
{
    private readonly Database _database;
    private readonly ChangeNotifier _changes;
    private readonly Batcher<(JobClaim Claim, JobEnd End), bool> _batcher;
    private readonly PostgreSqlSuspects _suspects;
    private readonly string _finish;
    private readonly string _repeated;

    public Finishing(Database database, string schema, ChangeNotifier changes, PostgreSqlSuspects suspects)
    {
        (_database, _changes, _suspects) = (database, changes, suspects);
        _batcher = new Batcher<(JobClaim, JobEnd), bool>(FinishAsync, lanes: 2, maxItems: 128, maxWeight: BatchLimits.MostBytes);
        _finish =
            $"""
            with input as materialized (
              select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
                as i (id, claim, owner, attempt, started_at, state, retry_us, error_name, error_detail)
            ), ended as (
              update {schema}.jobs j set
                state = case when i.state = 0 and j.cancel_requested then 4 else i.state end,
                version = {JobVersion.Next},
                attempt = i.attempt, started_at = i.started_at, worker = i.owner,
                claim = i.claim, ended_claim = i.claim, lease_until = null,
                run_at = case when i.state = 0 then now() + i.retry_us * interval '1 microsecond' else j.run_at end,
                waits_from = case when i.state = 0 and i.retry_us > 0 then now() end,
                turn = case when i.state <> 0 or j.cancel_requested then j.turn when i.retry_us > 0 then null else nextval('{schema}.turns') end,
                suspicion = 0, alone_until = null,
                earlier = case when i.state = 0 and not j.cancel_requested
                  then {PastAttemptsSql.With(PastOutcome.Retried, "i.attempt", "i.started_at", "i.owner", "i.error_name", "i.error_detail")} else j.earlier end,
                finished_at = case when i.state = 0 and not j.cancel_requested then null else now() end,
                progress = null, error_name = i.error_name, error_detail = i.error_detail, cancel_requested = false
              from input i
              where j.id = i.id and {Leases.BelongsToClaim}
              returning j.id, j.claim, j.version, j.state
            ), stored as (
              insert into {schema}.results (job_id, status, content_type, body)
              select r.id, r.status, r.content_type, r.body
              from unnest($10, $11, $12, $13, $14) as r (id, claim, status, content_type, body)
              join ended e on e.id = r.id and e.claim = r.claim and e.state >= 2
              on conflict (job_id) do update set status = excluded.status, content_type = excluded.content_type, body = excluded.body
            )
            select id, claim, version, state from ended
            """;
        _repeated = $"select id, ended_claim, version, state from {schema}.jobs where id = any($1) and ended_claim is not null";
    }

    public ValueTask<bool> FinishAsync(JobClaim claim, JobEnd ending, CancellationToken cancellation) =>
        _batcher.AddAsync((claim, ending), cancellation, ending.Result?.Body.Length ?? 0);

    public ValueTask DisposeAsync() => _batcher.DisposeAsync();

    private async Task<bool[]> FinishAsync(IReadOnlyList<(JobClaim Claim, JobEnd End)> ends)
    {
        HashSet<(Guid, long)> done = [];
        await _database.RunAsync(
            async connection =>
            {
                List<Ended> ended = await WriteAsync(connection, [.. ends.OrderBy(static e => e.Claim.Job.Id)]);
                Report(ended);
                done = [.. ended.Select(static e => (e.Id, e.Claim))];
                JobClaim[] others = [.. ends.Select(static e => e.Claim).Where(c => !done.Contains((c.Job.Id, c.Number)))];
                if (others.Length > 0)
                {
                    // The response to the statement that wrote them may be lost, so the change may not have been reported.
                    List<Ended> repeated = await FindRepeatedAsync(connection, others);
                    Report(repeated);
                    done.UnionWith(repeated.Select(static e => (e.Id, e.Claim)));
                }
                return true;
            },
            mayRepeat: true, CancellationToken.None, _database.PatienceFor(Weight(ends)));

        await _suspects.AcquitAsync([.. ends.Select(static e => e.Claim).Where(c => !done.Contains((c.Job.Id, c.Number)))], CancellationToken.None);
        return [.. ends.Select(e => done.Contains((e.Claim.Job.Id, e.Claim.Number)))];
    }

    private void Report(List<Ended> ended)
    {
        foreach (Ended one in ended) _changes.Changed(new JobChange(one.Id, one.Version, false));
        if (_suspects.MayWait || ended.Exists(static e => e.State == JobState.Queued)) _changes.MayBeDue();
    }

    private async Task<List<Ended>> WriteAsync(NpgsqlConnection connection, (JobClaim Claim, JobEnd End)[] ends)
    {
        (JobClaim Claim, JobResult Result)[] results =
            [.. ends.Where(static e => e.End.Result is not null && e.End.State.IsFinal()).Select(static e => (e.Claim, e.End.Result!))];
        await using var command = new NpgsqlCommand(_finish, connection);
        command.Parameters
            .WithColumn(NpgsqlDbType.Uuid, ends, static e => e.Claim.Job.Id)
            .WithColumn(NpgsqlDbType.Bigint, ends, static e => e.Claim.Number)
            .WithColumn(NpgsqlDbType.Text, ends, static e => NpgsqlValues.Storable(e.Claim.Job.Worker))
            .WithColumn(NpgsqlDbType.Integer, ends, static e => e.Claim.Job.Attempt)
            .WithColumn(NpgsqlDbType.TimestampTz, ends, static e => NpgsqlValues.Storable(e.Claim.Job.StartedAt))
            .WithColumn(NpgsqlDbType.Smallint, ends, static e => (short)e.End.State)
            .WithColumn(NpgsqlDbType.Bigint, ends, static e => NpgsqlValues.Microseconds(e.End.RetryAfter))
            .WithColumn(NpgsqlDbType.Text, ends, static e => NpgsqlValues.Storable(e.End.Error?.Name))
            .WithColumn(NpgsqlDbType.Text, ends, static e => NpgsqlValues.Storable(e.End.Error?.Detail))
            .WithColumn(NpgsqlDbType.Uuid, results, static r => r.Claim.Job.Id)
            .WithColumn(NpgsqlDbType.Bigint, results, static r => r.Claim.Number)
            .WithColumn(NpgsqlDbType.Integer, results, static r => r.Result.Status)
            .WithColumn(NpgsqlDbType.Text, results, static r => NpgsqlValues.Storable(r.Result.ContentType))
            .WithColumn(NpgsqlDbType.Bytea, results, static r => NpgsqlValues.Bytes(r.Result.Body));
        return await _database.ExtendedAsync(command, Weight(ends), static async write =>
        {
            await write.PrepareAsync();
            return await ReadAsync(write);
        });
    }

    private static long Weight(IEnumerable<(JobClaim Claim, JobEnd End)> ends) => ends.Sum(static e => e.End.Result?.Body.Length ?? 0L);

    /// <summary>Finds the claims whose ends an earlier call has written.</summary>
    private async Task<List<Ended>> FindRepeatedAsync(NpgsqlConnection connection, JobClaim[] claims)
    {
        await using var command = new NpgsqlCommand(_repeated, connection);
        command.Parameters.With(NpgsqlDbType.Array | NpgsqlDbType.Uuid, claims.Select(static c => c.Job.Id).ToArray());
        await command.PrepareAsync();
        List<Ended> ended = await ReadAsync(command);
        return ended.FindAll(e => claims.Any(c => c.Job.Id == e.Id && c.Number == e.Claim));
    }

    private static async Task<List<Ended>> ReadAsync(NpgsqlCommand command)
    {
        var ended = new List<Ended>();
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            ended.Add(new Ended(reader.GetGuid(0), reader.GetInt64(1), reader.GetInt64(2), (JobState)reader.GetInt16(3)));
        return ended;
    }

    /// <summary>A job whose attempt has ended.</summary>
    private readonly record struct Ended(Guid Id, long Claim, long Version, JobState State);
}
