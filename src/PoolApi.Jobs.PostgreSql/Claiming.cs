using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Claims due jobs. One statement in the usual case; its cost depends neither on the number of jobs nor on other pools' queues.</summary>
/// <remarks>
/// <para>The statement waits for no lock: it skips jobs that other instances are claiming. Its commit does not wait for the disk. If a crash of the
/// database undoes a claim, the job is queued again, and the instance that runs it takes it back (<see cref="ClaimGrace"/>). The number of the claim is
/// never used again.</para>
/// <para>The response is bounded. It includes small bodies (<see cref="BodyLimits"/>), and only the length of large ones, which the server knows without
/// reading them. Jobs are locked in order, and claimed while their bodies fit into the limit. The locks of the others end with the statement.</para>
/// <para>If the response is lost, jobs may be claimed that no instance runs: see <see cref="LostClaims"/>.</para>
/// </remarks>
internal sealed class Claiming
{
    private readonly Database _database;
    private readonly ChangeNotifier _changes;
    private readonly LostClaims _lost;
    private readonly ClaimGrace _grace;
    private readonly ScheduledTurns _scheduled;
    private readonly string _claim;
    private readonly string _claimOfKinds;
    private readonly PostgreSqlSuspects _suspects;
    private readonly string _claimOne;

    public Claiming(Database database, string schema, ChangeNotifier changes, LostClaims lost, PostgreSqlSuspects suspects)
    {
        (_database, _changes, _lost, _suspects) = (database, changes, lost, suspects);
        _scheduled = new ScheduledTurns(schema);
        _grace = new ClaimGrace(database, schema);
        // Reads ranges of an index, one priority after another from the highest, until it has enough jobs. While there are suspects, the statement
        // claims other jobs only if the caller allows it.
        _claim = DueSql(
            $"""
                select j.id, j.claim, j.priority, j.turn from {schema}.jobs j
                where {ReadyKinds.IsReady} and j.priority = p.priority and (j.deadline is null or j.deadline > now())
                order by j.turn limit $1 for update skip locked
            """);
        _claimOfKinds = DueSql(
            $"""
                select j.* from ({ReadyKinds.Sql(schema, "$7", "$8")}) k
                cross join lateral (
                  select j.id, j.claim, j.priority, j.turn from {schema}.jobs j
                  where {ReadyKinds.IsReady} and j.priority = p.priority and j.kind = k.kind and (j.deadline is null or j.deadline > now())
                  order by j.turn limit $1 for update skip locked) j
                order by j.turn limit $1
            """);
        _claimOne = Sql(schema, $"select j.id, j.claim, j.priority, j.turn from {schema}.jobs j where j.id = $1 and j.state = 0 for update skip locked", "$5 * interval '1 microsecond'");

        string DueSql(string ofPriority) => Sql(
            schema,
            $"""
              select d.id, d.claim, d.priority, d.turn
              from {ReadyKinds.Priorities}
              cross join lateral (
            {ofPriority}
              ) d
              where $5 or not {PostgreSqlSuspects.Exist(schema)}
              limit $1
            """,
            "null");
    }

    /// <param name="schema">The schema.</param>
    /// <param name="due">The query of the jobs: id, claim, priority and turn.</param>
    /// <param name="alone">The time for which the instance claims no other job.</param>
    private static string Sql(string schema, string due, string alone) =>
            $"""
            with due as materialized (
            {due}
            ), sized as materialized (
              select d.id, d.claim, b.bytes, sum(b.bytes) over before as total, count(*) over () as due,
                sum(case when b.bytes <= {BodyLimits.Inline} then b.bytes else 0 end) over before as inline
              from due d
              cross join lateral (
                select coalesce((select octet_length(p.body) from {schema}.payloads p where p.job_id = d.id), 0) as bytes) b
              window before as (order by d.priority desc, d.turn, d.id rows unbounded preceding)
            )
            update {schema}.jobs j set
              state = 1, version = {JobVersion.Next}, attempt = j.attempt + 1, started_at = now(), progress = null, worker = $2,
              claim = greatest(j.claim + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint), ended_claim = null, claim_call = $3,
              lease_until = now() + $4 * interval '1 microsecond', lease_length = $4 * interval '1 microsecond',
              accompanied = false, alone_until = now() + {alone}
            from sized s cross join {AsynchronousCommit.Row} left join {schema}.payloads p on p.job_id = s.id
            where j.id = s.id and s.total <= $6
            returning {JobColumns.Of("j")}, j.claim, j.redeliveries, s.claim = 0, p.method, p.path, p.query, p.content_type,
              case when s.bytes <= {BodyLimits.Inline} and s.inline <= {BodyLimits.InlineTogether} then p.body end, p.trace_parent, s.bytes, s.due,
              extract(epoch from least(j.deadline - now(), j.timeout))::double precision
            """;

    public async ValueTask<JobClaims> ClaimAsync(string owner, int max, long maxBytes, TimeSpan lease, KindFilter kinds, CancellationToken cancellation)
    {
        TimeSpan grace = await _grace.LeftAsync(cancellation);
        if (grace > TimeSpan.Zero) return new JobClaims([], grace, IsPaused: true);
        await _lost.UndoAsync(owner, cancellation);
        var undelivered = new UndeliveredClaims(_lost, static () => { });
        JobClaims claimed;
        try
        {
            // Each try has its own number, so that the claims of a failed try are not confused with those of the next.
            claimed = await _database.RunAsync(
                connection => TryAsync(connection, new Taking(owner, Random.Shared.NextInt64(), lease, maxBytes, kinds), max, undelivered),
                mayRepeat: false, cancellation, _database.PatienceFor(BodyLimits.InlineTogether));
        }
        catch (Exception e) when (e is JobStoreException or OperationCanceledException)
        {
            undelivered.GiveUp();
            throw;
        }
        foreach (JobClaim claim in claimed.Claims) _changes.Changed(new JobChange(claim.Job.Id, claim.Job.Version, false));
        // A lost call may still reach the database and claim jobs. Only a later call undoes these claims, so the result makes the caller call again soon.
        return _lost.MayArrive && claimed.Claims.Count == 0 && !(claimed.NextDue < LostClaims.Pause)
            ? claimed with { NextDue = LostClaims.Pause }
            : claimed;
    }

    private async Task<JobClaims> TryAsync(NpgsqlConnection connection, Taking taking, int max, UndeliveredClaims undelivered)
    {
        undelivered.Made(taking.Call); // before the statements, because the caller may give up during one
        try
        {
            return await ClaimAsync(connection, taking, max);
        }
        catch (Exception e) when (taking.Claims.Count > 0 || e is not PostgresException) // the server has rolled back a statement that it refuses
        {
            undelivered.Lost(taking.Call);
            throw;
        }
    }

    private async Task<JobClaims> ClaimAsync(NpgsqlConnection connection, Taking taking, int max)
    {
        // Scheduled jobs get their turn in time, also while every claim finds jobs.
        if (_scheduled.MayHaveCome) await _scheduled.ReleaseAsync(connection, taking.Kinds);
        await TakeAsync(connection, taking, max, despiteSuspects: false);
        if (taking.Claims.Count > 0) return taking.ToClaims(null); // one statement in the usual case
        (int released, bool suspects, TimeSpan? next) = await _scheduled.ReleaseAsync(connection, taking.Kinds);
        _suspects.MayWait = suspects;
        if (suspects) return await ClaimBesideSuspectsAsync(connection, taking, max, next);
        // Another claim may have given a job its turn since the first statement.
        if (released > 0 || next == TimeSpan.Zero) await TakeAsync(connection, taking, max, despiteSuspects: false);
        return taking.ToClaims(next);
    }

    /// <summary>Claims while there are suspects in any instance: a suspect, other jobs, or both.</summary>
    private async Task<JobClaims> ClaimBesideSuspectsAsync(NpgsqlConnection connection, Taking taking, int max, TimeSpan? next)
    {
        PostgreSqlSuspectTurn turn = await _suspects.NextTurnAsync(connection, taking.Owner, taking.Kinds);
        if (turn.Pause is { } pause) return new JobClaims([], pause, IsPaused: true);
        if (turn.First is { } first)
        {
            if (first.Bytes > taking.BytesLeft) return taking.ToClaims(TimeSpan.Zero); // no job overtakes it
            await TakeAsync(connection, taking, first, turn.IsAlone);
        }
        if (taking.Claims.Count < max && !(turn.IsAlone && taking.Claims.Count > 0))
            await TakeAsync(connection, taking, max - taking.Claims.Count, despiteSuspects: true);
        if (taking.Claims.Count == 0 && turn.Otherwise is { } other)
        {
            if (other.Bytes > taking.BytesLeft) return taking.ToClaims(TimeSpan.Zero);
            await TakeAsync(connection, taking, other, isAlone: true);
        }
        // If the suspect was not claimed, another instance is claiming it.
        return taking.ToClaims(turn.First is null || next < ScheduledTurns.Soon ? next : ScheduledTurns.Soon);
    }

    private async Task TakeAsync(NpgsqlConnection connection, Taking taking, int max, bool despiteSuspects)
    {
        await using var command = new NpgsqlCommand(taking.Kinds.IsAll ? _claim : _claimOfKinds, connection);
        command.Parameters.With(NpgsqlDbType.Integer, max).With(NpgsqlDbType.Text, taking.Owner).With(NpgsqlDbType.Bigint, taking.Call)
            .With(NpgsqlDbType.Bigint, NpgsqlValues.Microseconds(taking.Lease)).With(NpgsqlDbType.Boolean, despiteSuspects)
            .With(NpgsqlDbType.Bigint, taking.BytesLeft);
        if (!taking.Kinds.IsAll) command.Parameters.With(taking.Kinds);
        await ReadAsync(command, taking);
    }

    private async Task TakeAsync(NpgsqlConnection connection, Taking taking, Suspect suspect, bool isAlone)
    {
        int before = taking.Claims.Count;
        await using var command = new NpgsqlCommand(_claimOne, connection);
        command.Parameters.With(NpgsqlDbType.Uuid, suspect.Id).With(NpgsqlDbType.Text, taking.Owner).With(NpgsqlDbType.Bigint, taking.Call)
            .With(NpgsqlDbType.Bigint, NpgsqlValues.Microseconds(taking.Lease))
            .With(NpgsqlDbType.Bigint, isAlone ? NpgsqlValues.Microseconds(ExclusiveTurns.AloneFor(suspect.Suspicion)) : (long?)null)
            .With(NpgsqlDbType.Bigint, taking.BytesLeft);
        await ReadAsync(command, taking);
        if (isAlone && taking.Claims.Count > before) _suspects.BeganAlone();
    }

    private static async Task ReadAsync(NpgsqlCommand command, Taking taking)
    {
        List<JobClaim> claims = [];
        long due = 0;
        await command.PrepareAsync();
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            claims.Add(Read(reader));
            due = reader.GetInt64(JobColumns.Count + 10);
        }
        claims.Sort(static (a, b) =>
            a.Job.Priority != b.Job.Priority ? b.Job.Priority.CompareTo(a.Job.Priority)
            : a.Job.RunAt != b.Job.RunAt ? a.Job.RunAt.CompareTo(b.Job.RunAt)
            : a.Job.Id.CompareTo(b.Job.Id));
        taking.Add(claims, areAll: due == claims.Count);
    }

    private static JobClaim Read(NpgsqlDataReader reader)
    {
        const int Then = JobColumns.Count;
        JobPayload payload = reader.IsDBNull(Then + 3)
            ? new JobPayload(default)
            : new JobPayload(
                reader.IsDBNull(Then + 7) ? default : reader.GetFieldValue<byte[]>(Then + 7),
                reader.GetString(Then + 3), reader.GetString(Then + 4), reader.GetString(Then + 5), JobColumns.Text(reader, Then + 6), JobColumns.Text(reader, Then + 8));
        return new JobClaim(JobColumns.Read(reader), payload, reader.GetInt64(Then), reader.GetInt32(Then + 1), reader.GetBoolean(Then + 2))
        {
            UnreadBytes = reader.GetInt32(Then + 9) - payload.Body.Length,
            TimeLeft = reader.IsDBNull(Then + 11) ? null : TimeSpan.FromSeconds(reader.GetDouble(Then + 11)),
        };
    }

    /// <summary>The claims of one call so far, and the bytes that are left for more.</summary>
    private sealed class Taking(string owner, long call, TimeSpan lease, long maxBytes, KindFilter kinds)
    {
        private readonly bool _isLimited = maxBytes < long.MaxValue;
        private bool _didNotFit;

        public string Owner => owner;

        public long Call => call;

        public TimeSpan Lease => lease;

        public KindFilter Kinds => kinds;

        public long BytesLeft { get; private set; } = maxBytes;

        public List<JobClaim> Claims { get; } = [];

        /// <param name="claims">The claims of a statement.</param>
        /// <param name="areAll">Whether it claimed all jobs that it found, so that none was too large.</param>
        public void Add(List<JobClaim> claims, bool areAll)
        {
            Claims.AddRange(claims);
            if (_isLimited) BytesLeft = Math.Max(0, BytesLeft - claims.Sum(static c => c.BodyBytes));
            _didNotFit |= !areAll;
        }

        /// <param name="next">How long until the next is due; zero: one is due, and was not claimed.</param>
        public JobClaims ToClaims(TimeSpan? next) => Claims.Count > 0
            ? new JobClaims(Claims, null, IsOutOfBytes: _didNotFit)
            // A due job was not claimed. Its body does not fit, or another instance has locked its row. The store does not know which.
            : new JobClaims([], next, IsOutOfBytes: _isLimited && next <= TimeSpan.Zero);
    }
}
