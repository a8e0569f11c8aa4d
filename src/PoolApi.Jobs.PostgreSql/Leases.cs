using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Renews leases, writes progress, and hands claims back, many in one statement. Thread-safe.</summary>
/// <remarks>
/// Commits of renewals and progress do not wait for the disk. A crash of the database may undo them, and the next ones replace them. A renewal also takes
/// back a job whose claim a crash has undone (<see cref="Finishing"/>).
/// </remarks>
internal sealed class Leases : IAsyncDisposable
{
    /// <summary>
    /// Whether job j belongs to claim i, or did until a crash of the database undid the claim. A case expression, so that the planner finds the job by its id
    /// and not by an index of states.
    /// </summary>
    public const string BelongsToClaim =
        "case j.state when 1 then j.claim = i.claim and j.worker = i.owner when 0 then j.claim < i.claim else false end";

    private readonly Database _database;
    private readonly ChangeNotifier _changes;
    private readonly Batcher<JobClaim, bool> _handBacks;
    private readonly Batcher<(JobClaim Claim, double Progress), bool> _progress;
    private readonly PostgreSqlSuspects _suspects;
    private readonly string _renew;
    private readonly string _handBack;
    private readonly string _report;

    public Leases(Database database, string schema, ChangeNotifier changes, PostgreSqlSuspects suspects)
    {
        (_database, _changes, _suspects) = (database, changes, suspects);
        _handBacks = new Batcher<JobClaim, bool>(HandBackAsync, lanes: 1, maxItems: 256, maxWeight: 1);
        _progress = new Batcher<(JobClaim, double), bool>(ReportAsync, lanes: 1, maxItems: 256, maxWeight: 1);
        const string Input = "unnest($1, $2, $3)";
        const string Held = "j.id = i.id and case j.state when 1 then j.claim = i.claim and j.worker = i.owner else false end";
        // A job that is taken back may still have the number of an older call. That call may have been given up (LostClaims), so the number is removed.
        _renew =
            $"""
            update {schema}.jobs j set
              lease_until = now() + $6 * interval '1 microsecond', lease_length = $6 * interval '1 microsecond',
              version = case j.state when 0 then {JobVersion.Next} else j.version end,
              state = 1, attempt = i.attempt, started_at = i.started_at, worker = i.owner, claim = i.claim,
              claim_call = case j.state when 0 then null else j.claim_call end
            from unnest($1, $2, $3, $4, $5) as i (id, claim, owner, attempt, started_at) cross join {AsynchronousCommit.Row}
            where j.id = i.id and {BelongsToClaim}
            returning j.id, j.claim, j.cancel_requested
            """;
        _handBack =
            $"""
            update {schema}.jobs j set
              state = case when j.cancel_requested then 4 else 0 end, version = {JobVersion.Next},
              attempt = case when j.cancel_requested then j.attempt else j.attempt - 1 end,
              started_at = case when j.cancel_requested or j.attempt > 1 then j.started_at end,
              finished_at = case when j.cancel_requested then now() end,
              earlier = case when j.cancel_requested then j.earlier else {PastAttemptsSql.With(PastOutcome.HandedBack)} end,
              cancel_requested = false, progress = null, lease_until = null, alone_until = null
            from {Input} as i (id, claim, owner)
            where {Held}
            returning j.id, j.version
            """;
        _report =
            $"""
            update {schema}.jobs j set progress = i.progress, version = {JobVersion.Next}
            from unnest($1, $2, $3, $4) as i (id, claim, owner, progress) cross join {AsynchronousCommit.Row}
            where {Held}
            returning j.id, j.version
            """;
    }

    public async ValueTask<IReadOnlyList<LeaseState>> RenewAsync(IReadOnlyList<JobClaim> claims, TimeSpan lease, CancellationToken cancellation)
    {
        if (claims.Count == 0) return [];
        JobClaim[] sorted = Sorted(claims);
        Dictionary<(Guid, long), bool> held = await _database.RunAsync(
            async connection =>
            {
                await using var command = new NpgsqlCommand(_renew, connection);
                AddClaims(command.Parameters, sorted)
                    .WithColumn(NpgsqlDbType.Integer, sorted, static c => c.Job.Attempt)
                    .WithColumn(NpgsqlDbType.TimestampTz, sorted, static c => NpgsqlValues.Storable(c.Job.StartedAt))
                    .With(NpgsqlDbType.Bigint, NpgsqlValues.Microseconds(lease));
                await command.PrepareAsync();
                var states = new Dictionary<(Guid, long), bool>();
                await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
                while (await reader.ReadAsync()) states[(reader.GetGuid(0), reader.GetInt64(1))] = reader.GetBoolean(2);
                return states;
            },
            mayRepeat: true, cancellation);
        await _suspects.AcquitAsync([.. sorted.Where(c => !held.ContainsKey((c.Job.Id, c.Number)))], cancellation);
        return [.. claims.Select(c => !held.TryGetValue((c.Job.Id, c.Number), out bool isCancelled) ? LeaseState.Lost
            : isCancelled ? LeaseState.CancelRequested : LeaseState.Held)];
    }

    public async ValueTask HandBackAsync(IReadOnlyList<JobClaim> claims, CancellationToken cancellation) =>
        await Task.WhenAll(claims.Select(c => _handBacks.AddAsync(c, cancellation).AsTask()));

    public async ValueTask ReportProgressAsync(JobClaim claim, double progress, CancellationToken cancellation) =>
        await _progress.AddAsync((claim, progress), cancellation);

    public async ValueTask DisposeAsync()
    {
        await _progress.DisposeAsync();
        await _handBacks.DisposeAsync();
    }

    private async Task<bool[]> HandBackAsync(IReadOnlyList<JobClaim> claims)
    {
        JobClaim[] sorted = Sorted(claims);
        await _database.RunAsync(
            async connection =>
            {
                await using var command = new NpgsqlCommand(_handBack, connection);
                AddClaims(command.Parameters, sorted);
                await command.PrepareAsync();
                int changed = await _changes.ExecuteAsync(command);
                if (changed > 0 || _suspects.MayWait) _changes.MayBeDue();
                return true;
            },
            mayRepeat: true, CancellationToken.None);
        return new bool[claims.Count];
    }

    private async Task<bool[]> ReportAsync(IReadOnlyList<(JobClaim Claim, double Progress)> reports)
    {
        (JobClaim Claim, double Progress)[] sorted = [.. reports.OrderBy(static r => r.Claim.Job.Id)];
        await _database.RunAsync(
            async connection =>
            {
                await using var command = new NpgsqlCommand(_report, connection);
                AddClaims(command.Parameters, [.. sorted.Select(static r => r.Claim)])
                    .WithColumn(NpgsqlDbType.Double, sorted, static r => r.Progress);
                await command.PrepareAsync();
                return await _changes.ExecuteAsync(command);
            },
            mayRepeat: true, CancellationToken.None);
        return new bool[reports.Count];
    }

    private static NpgsqlParameterCollection AddClaims(NpgsqlParameterCollection parameters, JobClaim[] claims) => parameters
        .WithColumn(NpgsqlDbType.Uuid, claims, static c => c.Job.Id)
        .WithColumn(NpgsqlDbType.Bigint, claims, static c => c.Number)
        .WithColumn(NpgsqlDbType.Text, claims, static c => NpgsqlValues.Storable(c.Job.Worker));

    /// <summary>Sorts claims by id, as all statements do, so that two statements with the same jobs cannot deadlock.</summary>
    private static JobClaim[] Sorted(IReadOnlyList<JobClaim> claims) => [.. claims.OrderBy(static c => c.Job.Id)];
}
