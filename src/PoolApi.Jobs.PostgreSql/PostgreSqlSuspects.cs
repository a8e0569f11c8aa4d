using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>
/// Schedules suspects: jobs that ran in an instance when it died, any of which may have killed it. They run so that the job that kills is found and the
/// others end. Without suspects it costs one look at an empty index.
/// </summary>
/// <remarks>
/// An instance runs one suspect at a time, beside other jobs. A suspect that was running at a second death runs alone, alternating with all other jobs
/// (<see cref="ExclusiveTurns"/>). Only a job that ran alone when its instance died counts towards poison.
/// <see cref="PostgreSqlMaintenance"/> decides that when it finds the death, so it is correct even if two concurrent calls claimed more than they should.
/// </remarks>
internal sealed class PostgreSqlSuspects(Database database, string schema)
{
    /// <summary>The pause of claims while an instance waits for its jobs to end. An end that is reported ends it sooner.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly string _running =
        $"""
        select count(*)::int, coalesce(bool_or(suspicion > 0), false), extract(epoch from max(alone_until) - now())::double precision
        from {schema}.jobs where state = 1 and worker = $1
        """;

    // Repeats the condition of the partial index jobs_suspect: state < 2 and suspicion > 0.
    private readonly string _first =
        $"""
        select j.id, j.suspicion, j.kind, coalesce((select octet_length(p.body) from {schema}.payloads p where p.job_id = j.id), 0)::bigint
        from {schema}.jobs j
        where j.state = 0 and j.state < 2 and j.suspicion > 0 and j.suspicion <= $1 and j.turn is not null
          and (j.deadline is null or j.deadline > now()) and (j.kind = any($2)) <> $3
        order by j.priority desc, j.turn limit 1
        """;

    private readonly string _acquit =
        $"""
        update {schema}.jobs j set
          lost_claim = null, suspicion = greatest(0, j.suspicion - 1), deaths = j.deaths - case when j.lost_alone then 1 else 0 end
        from unnest($1, $2) as i (id, claim)
        where j.id = i.id and j.lost_claim = i.claim and case when j.state < 2 then true else false end
        """;

    private readonly Lock _lock = new();
    private readonly ExclusiveTurns _turns = new();
    private volatile bool _mayWait;

    /// <summary>Whether a suspect may wait for a running job of this instance to end.</summary>
    public bool MayWait { get => _mayWait; set => _mayWait = value; }

    /// <summary>The SQL that tests whether any instance has a queued or running suspect. One seek of an index that is usually empty.</summary>
    public static string Exist(string schema) => $"exists (select from {schema}.jobs s where s.state < 2 and s.suspicion > 0)";

    /// <summary>Decides what an instance may claim of some kinds. The next suspect to run alone is chosen from all kinds.</summary>
    public async Task<PostgreSqlSuspectTurn> NextTurnAsync(NpgsqlConnection connection, string owner, KindFilter kinds)
    {
        (int running, bool hasSuspect, TimeSpan? alone) = await RunningAsync(connection, owner);
        if (alone > TimeSpan.Zero) return new PostgreSqlSuspectTurn(Pause: alone);
        if (hasSuspect || await FirstAsync(connection, int.MaxValue, KindFilter.All) is not { } first) return default;
        if (first.Suspicion == 1) return new PostgreSqlSuspectTurn(First: await FirstAsync(connection, 1, kinds));
        bool isOfKinds = kinds.Contains(first.Kind);
        bool isDue;
        lock (_lock) isDue = _turns.IsDue(Now);
        if (!isDue) return new PostgreSqlSuspectTurn(First: await FirstAsync(connection, 1, kinds), Otherwise: running == 0 && isOfKinds ? first : null);
        return running > 0 || !isOfKinds ? new PostgreSqlSuspectTurn(Pause: Pause) : new PostgreSqlSuspectTurn(First: first, IsAlone: true);
    }

    /// <summary>Records that this instance has claimed a suspect to run alone.</summary>
    public void BeganAlone()
    {
        lock (_lock) _turns.Began(Now);
    }

    /// <summary>Withdraws the deaths that were counted for lost claims, because the instance of these claims is alive.</summary>
    public async ValueTask AcquitAsync(JobClaim[] lost, CancellationToken cancellation)
    {
        if (lost.Length == 0) return;
        await database.RunAsync(
            async connection =>
            {
                await using var command = new NpgsqlCommand(_acquit, connection);
                command.Parameters.WithColumn(NpgsqlDbType.Uuid, lost, static c => c.Job.Id).WithColumn(NpgsqlDbType.Bigint, lost, static c => c.Number);
                await command.PrepareAsync();
                return await command.ExecuteNonQueryAsync();
            },
            mayRepeat: true, cancellation);
    }

    private static TimeSpan Now => Stopwatch.GetElapsedTime(0);

    private async Task<(int Running, bool HasSuspect, TimeSpan? Alone)> RunningAsync(NpgsqlConnection connection, string owner)
    {
        await using var command = new NpgsqlCommand(_running, connection);
        command.Parameters.With(NpgsqlDbType.Text, owner);
        await command.PrepareAsync();
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return (reader.GetInt32(0), reader.GetBoolean(1), reader.IsDBNull(2) ? null : TimeSpan.FromSeconds(reader.GetDouble(2)));
    }

    private async Task<Suspect?> FirstAsync(NpgsqlConnection connection, int mostSuspicion, KindFilter kinds)
    {
        await using var command = new NpgsqlCommand(_first, connection);
        command.Parameters.With(NpgsqlDbType.Integer, mostSuspicion).With(kinds);
        await command.PrepareAsync();
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        return await reader.ReadAsync() ? new Suspect(reader.GetGuid(0), reader.GetInt32(1), reader.GetString(2), reader.GetInt64(3)) : null;
    }
}

/// <summary>A queued job that was running when an instance died.</summary>
/// <param name="Id">The job.</param>
/// <param name="Suspicion">The number of these deaths.</param>
/// <param name="Kind">The job's kind.</param>
/// <param name="Bytes">The length of its body.</param>
internal sealed record Suspect(Guid Id, int Suspicion, string Kind, long Bytes);

/// <summary>Decision about a claim while there are suspects.</summary>
/// <param name="First">The suspect to claim first.</param>
/// <param name="IsAlone">Whether no other job may be claimed beside it.</param>
/// <param name="Otherwise">The suspect to claim to run alone, if no other job is due.</param>
/// <param name="Pause">How long nothing may be claimed, unless an event comes sooner.</param>
internal readonly record struct PostgreSqlSuspectTurn(Suspect? First = null, bool IsAlone = false, Suspect? Otherwise = null, TimeSpan? Pause = null);
