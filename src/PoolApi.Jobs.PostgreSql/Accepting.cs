using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Accepts jobs, many in one statement and one commit. Thread-safe.</summary>
/// <remarks>
/// A job whose id or key exists already is not inserted, and does not keep the others from being inserted. It is looked up afterwards. The caller chooses
/// the id, so an acceptance whose response was lost can be repeated. Rows are inserted in the order of their keys, so that two batches with the same keys
/// cannot deadlock.
/// <para>A job that is claimed at once is inserted as running. If its caller does not get the claim, because the response was lost or the call failed
/// later, the claim is undone and the job is queued (<see cref="UndeliveredClaims"/>, <see cref="LostClaims"/>).</para>
/// </remarks>
internal sealed class Accepting : IAsyncDisposable
{
    /// <summary>
    /// The most tries of an acceptance. A try fails if the existing job with the key is deleted after the insert and before the look-up. So many
    /// failures cannot be chance.
    /// </summary>
    private const int Tries = 5;

    private readonly Database _database;
    private readonly ChangeNotifier _changes;
    private readonly LostClaims _lost;
    private readonly Batcher<Row, JobAcceptance> _batcher;
    private readonly string _insert;
    private readonly string _find;

    public Accepting(Database database, string schema, ChangeNotifier changes, LostClaims lost)
    {
        (_database, _changes, _lost) = (database, changes, lost);
        _batcher = new Batcher<Row, JobAcceptance>(AcceptAsync, lanes: 2, maxItems: 128, maxWeight: BatchLimits.MostBytes);
        _insert =
            $"""
            with input as materialized (
              select i.*,
                i.owner is not null and coalesce(i.run_at, now()) <= now() and not {PostgreSqlSuspects.Exist(schema)} as is_claimed
              from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
                as i (id, kind, client, max_attempts, priority, tags, run_at, timeout_us, key, fingerprint,
                      method, path, query, content_type, body, trace_parent, owner, lease_us)
            ), created as (
              insert into {schema}.jobs (
                id, kind, client, max_attempts, priority, tags, created_at, run_at, timeout, deadline, key, fingerprint,
                state, version, attempt, started_at, worker, claim, claim_call, lease_until, lease_length, turn)
              select id, kind, client, max_attempts, priority, tags::text[], now(), coalesce(run_at, now()),
                timeout_us * interval '1 microsecond', coalesce(run_at, now()) + timeout_us * interval '1 microsecond', key, fingerprint,
                case when is_claimed then 1 else 0 end, case when is_claimed then {JobVersion.First} else 1 end,
                case when is_claimed then 1 else 0 end, case when is_claimed then now() end, case when is_claimed then owner end,
                case when is_claimed then {JobVersion.First} else 0 end, case when is_claimed then $19::bigint end,
                case when is_claimed then now() + lease_us * interval '1 microsecond' end,
                case when is_claimed then lease_us * interval '1 microsecond' end,
                case when run_at is null then nextval('{schema}.turns') end
              from input order by key, id
              on conflict do nothing
              returning id, tags, created_at, run_at, deadline, state, version, claim
            ), stored as (
              insert into {schema}.payloads (job_id, method, path, query, content_type, body, trace_parent)
              select i.id, i.method, i.path, i.query, i.content_type, i.body, i.trace_parent
              from input i where i.id in (select id from created)
            ), tagged as (
              insert into {schema}.tags (tag, job_id)
              select t.tag, c.id from created c cross join lateral unnest(c.tags) as t (tag)
              on conflict do nothing
            )
            select id, created_at, run_at, deadline, state, version, claim from created
            """;
        _find =
            $"""
            select {JobColumns.Of("j")}, j.key, j.fingerprint from {schema}.jobs j where j.id = any($1)
            union all
            select {JobColumns.Of("j")}, j.key, j.fingerprint from {schema}.jobs j where j.key = any($2) and j.id <> all($1)
            """;
    }

    public ValueTask<JobAcceptance> AcceptAsync(NewJob job, CancellationToken cancellation) =>
        _batcher.AddAsync(new Row(job, null, default), cancellation, job.Payload.Body.Length);

    public ValueTask<JobAcceptance> AcceptAndClaimAsync(NewJob job, string owner, TimeSpan lease, CancellationToken cancellation) =>
        _batcher.AddAsync(new Row(job, owner, lease), cancellation, job.Payload.Body.Length);

    public ValueTask DisposeAsync() => _batcher.DisposeAsync();

    private async Task<JobAcceptance[]> AcceptAsync(IReadOnlyList<Row> rows)
    {
        foreach (Row row in rows) row.Acceptance = null; // after a failed batch each is tried alone
        var claims = new UndeliveredClaims(_lost, _changes.MayBeDue);
        try
        {
            for (int tries = 1; tries <= Tries; tries++)
            {
                Row[] open = [.. rows.Where(static r => r.Acceptance is null)];
                if (open.Length == 0) break;
                await _database.RunAsync(
                    connection => AcceptAsync(connection, open, claims), mayRepeat: true, CancellationToken.None, _database.PatienceFor(Weight(open)));
            }
            if (rows.Any(static r => r.Acceptance is null)) throw new JobStoreUnavailableException("The job with this idempotency key was deleted each time it was looked up. Send the request again.");
        }
        catch
        {
            claims.GiveUp();
            throw;
        }
        return [.. rows.Select(static r => r.Acceptance!.Value)];
    }

    private async Task<bool> AcceptAsync(NpgsqlConnection connection, Row[] rows, UndeliveredClaims claims)
    {
        foreach (Row row in rows) row.Acceptance = null; // it may be the second try
        // Each try has its own number, so that its lost claims are not confused with the claims of the next try.
        long call = Random.Shared.NextInt64();
        bool mayClaim = rows.Any(static r => r.Owner is not null), isInserted = false;
        try
        {
            await InsertAsync(connection, rows, call, () => isInserted = true);
            Row[] others = [.. rows.Where(static r => r.Acceptance is null)];
            if (others.Length > 0) await FindAsync(connection, others);
        }
        catch (Exception e) when (mayClaim && (isInserted || e is not PostgresException)) // the server has rolled back a statement that it refuses
        {
            claims.Lost(call);
            throw;
        }
        if (mayClaim) claims.Made(call);
        if (rows.Any(static r => r.Acceptance is { Outcome: AcceptOutcome.Created, Claim: null })) _changes.MayBeDue();
        return true;
    }

    /// <param name="connection">The session.</param>
    /// <param name="rows">The jobs.</param>
    /// <param name="call">The number of the call.</param>
    /// <param name="inserted">Called when the rows are committed. The session may still fail after that.</param>
    private async Task InsertAsync(NpgsqlConnection connection, Row[] rows, long call, Action inserted)
    {
        await using var command = new NpgsqlCommand(_insert, connection);
        command.Parameters
            .WithColumn(NpgsqlDbType.Uuid, rows, static r => r.Job.Id)
            .WithColumn(NpgsqlDbType.Text, rows, static r => NpgsqlValues.Storable(r.Job.Kind))
            .WithColumn(NpgsqlDbType.Text, rows, static r => NpgsqlValues.Storable(r.Job.Client))
            .WithColumn(NpgsqlDbType.Integer, rows, static r => r.Job.MaxAttempts)
            .WithColumn(NpgsqlDbType.Smallint, rows, static r => (short)r.Job.Priority)
            .WithColumn(NpgsqlDbType.Text, rows, static r => ArrayLiteral(r.Job.Tags))
            .WithColumn(NpgsqlDbType.TimestampTz, rows, static r => NpgsqlValues.Storable(r.Job.RunAt))
            .WithColumn(NpgsqlDbType.Bigint, rows, static r => r.Job.Timeout is { } t ? NpgsqlValues.Microseconds(t) : (long?)null)
            .WithColumn(NpgsqlDbType.Bytea, rows, static r => r.Key)
            .WithColumn(NpgsqlDbType.Bytea, rows, static r => r.Job.Idempotency?.Fingerprint.ToArray())
            .WithColumn(NpgsqlDbType.Text, rows, static r => NpgsqlValues.Storable(r.Job.Payload.Metadata[0]) ?? "")
            .WithColumn(NpgsqlDbType.Text, rows, static r => NpgsqlValues.Storable(r.Job.Payload.Metadata[1]) ?? "")
            .WithColumn(NpgsqlDbType.Text, rows, static r => NpgsqlValues.Storable(r.Job.Payload.Metadata[2]) ?? "")
            .WithColumn(NpgsqlDbType.Text, rows, static r => NpgsqlValues.Storable(r.Job.Payload.Metadata[3]))
            .WithColumn(NpgsqlDbType.Bytea, rows, static r => NpgsqlValues.Bytes(r.Job.Payload.Body))
            .WithColumn(NpgsqlDbType.Text, rows, static r => NpgsqlValues.Storable(r.Job.Payload.Metadata[4]))
            .WithColumn(NpgsqlDbType.Text, rows, static r => r.Owner)
            .WithColumn(NpgsqlDbType.Bigint, rows, static r => NpgsqlValues.Microseconds(r.Lease))
            .With(NpgsqlDbType.Bigint, call);
        await _database.ExtendedAsync(command, Weight(rows), async insert =>
        {
            await InsertAsync(insert, rows);
            inserted();
            return true;
        });
    }

    private static async Task InsertAsync(NpgsqlCommand command, Row[] rows)
    {
        await command.PrepareAsync();
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        // The rows usually return in the order in which they were sent.
        int next = 0;
        while (await reader.ReadAsync())
        {
            Guid id = reader.GetGuid(0);
            while (rows[next % rows.Length].Job.Id != id || rows[next % rows.Length].Acceptance is not null) next++;
            rows[next % rows.Length].Created(reader);
        }
    }

    private async Task FindAsync(NpgsqlConnection connection, Row[] rows)
    {
        await using var command = new NpgsqlCommand(_find, connection);
        command.Parameters
            .WithColumn(NpgsqlDbType.Uuid, rows, static r => r.Job.Id)
            .With(NpgsqlDbType.Array | NpgsqlDbType.Bytea, rows.Where(static r => r.Key is not null).Select(static r => r.Key!).ToArray());
        await command.PrepareAsync();
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            Job job = JobColumns.Read(reader);
            byte[]? key = reader.IsDBNull(JobColumns.Count) ? null : reader.GetFieldValue<byte[]>(JobColumns.Count);
            byte[]? fingerprint = reader.IsDBNull(JobColumns.Count + 1) ? null : reader.GetFieldValue<byte[]>(JobColumns.Count + 1);
            foreach (Row row in rows) row.Found(job, key, fingerprint);
        }
    }

    private static long Weight(Row[] rows) => rows.Sum(static r => (long)r.Job.Payload.Body.Length);

    /// <summary>An array as PostgreSQL writes it: <c>{"a","b \"c\""}</c>.</summary>
    private static string ArrayLiteral(IReadOnlyList<string> items) => items.Count == 0
        ? "{}"
        : $"{{{string.Join(',', items.Select(static t => $"\"{NpgsqlValues.Storable(t)!.Replace("\\", @"\\").Replace("\"", "\\\"")}\""))}}}";

    /// <summary>Hashes a client and its key to one short value. Jobs without a client share one space of keys.</summary>
    internal static byte[] KeyOf(string? client, string key)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, client?.Length ?? -1);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(length);
        hash.AppendData(MemoryMarshal.AsBytes(client.AsSpan()));
        hash.AppendData(MemoryMarshal.AsBytes(key.AsSpan()));
        return hash.GetHashAndReset();
    }

    /// <summary>A job that is being accepted.</summary>
    private sealed class Row(NewJob job, string? owner, TimeSpan lease)
    {
        public NewJob Job => job;

        /// <summary>The instance that also claims it; <see langword="null"/>: none.</summary>
        public string? Owner => owner;

        public TimeSpan Lease => lease;

        public byte[]? Key { get; } = job.Idempotency is { } given ? KeyOf(job.Client, given.Key) : null;

        public JobAcceptance? Acceptance { get; set; }

        /// <summary>Reads the row that the database returned for it.</summary>
        public void Created(NpgsqlDataReader row)
        {
            DateTimeOffset createdAt = JobColumns.Time(row, 1)!.Value;
            var accepted = new Job
            {
                Id = job.Id,
                Kind = job.Kind,
                Client = job.Client,
                State = JobState.Queued,
                Version = 1,
                MaxAttempts = job.MaxAttempts,
                Priority = job.Priority,
                Tags = job.Tags,
                CreatedAt = createdAt,
                RunAt = JobColumns.Time(row, 2)!.Value,
                Deadline = JobColumns.Time(row, 3),
            };
            JobClaim? claim = (JobState)row.GetInt16(4) != JobState.Running ? null : new JobClaim(
                accepted with { State = JobState.Running, Version = row.GetInt64(5), Attempt = 1, StartedAt = createdAt, Worker = owner },
                job.Payload, row.GetInt64(6), Redeliveries: 0, IsFirst: true)
            { TimeLeft = accepted.Deadline - createdAt };
            Acceptance = new JobAcceptance(AcceptOutcome.Created, accepted, claim);
        }

        public void Found(Job found, byte[]? key, byte[]? fingerprint)
        {
            if (Acceptance is not null) return;
            // Inserted by an earlier try whose response was lost.
            if (found.Id == job.Id)
            {
                Acceptance = new JobAcceptance(AcceptOutcome.Created, found);
            }
            else if (Key is not null && key is not null && key.AsSpan().SequenceEqual(Key))
            {
                bool isSame = job.Idempotency!.Fingerprint.Span.SequenceEqual(fingerprint);
                Acceptance = new JobAcceptance(isSame ? AcceptOutcome.Existing : AcceptOutcome.OtherRequest, found);
            }
        }
    }
}
