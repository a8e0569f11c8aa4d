using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>
/// Jobs that ran in an instance that died: any of them may have killed it. They are run so that the killer is found and the others end.
/// </summary>
/// <remarks>
/// An instance has one suspect at a time, beside other jobs. One that has been beside a second death runs as its instance's only job,
/// in turn with all others (<see cref="ExclusiveTurns"/>). Only who was alone when the instance died is counted as dangerous; that is
/// found when the death is (<see cref="Maintenance"/>), so it is right even where two calls have claimed more than they should.
/// </remarks>
internal sealed class Suspects(Database database, string schema)
{
    /// <summary>While an instance waits for its jobs to end: their ends are told, so this is for those that are not.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly string _running =
        $"""
        select count(*)::int, coalesce(bool_or(suspicion > 0), false), extract(epoch from max(alone_until) - now())::double precision
        from {schema}.jobs where state = 1 and worker = $1
        """;

    private readonly string _first =
        $"""
        select j.id, j.suspicion, j.kind from {schema}.jobs j
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

    /// <summary>Some may wait for a job of this instance to end.</summary>
    public bool MayWait { get => _mayWait; set => _mayWait = value; }

    /// <summary>Whether there are any, queued or running, on whatever instance: a look at an index that is empty as a rule.</summary>
    public static string Exist(string schema) => $"exists (select from {schema}.jobs s where s.state < 2 and s.suspicion > 0)";

    /// <summary>What an instance may claim of some kinds. Which of its suspects is the next to run alone does not depend on them.</summary>
    public async Task<SuspectTurn> LookAsync(NpgsqlConnection connection, string owner, KindFilter kinds)
    {
        (int running, bool hasSuspect, TimeSpan? alone) = await RunningAsync(connection, owner);
        if (alone > TimeSpan.Zero) return new SuspectTurn(Pause: alone);
        if (hasSuspect || await FirstAsync(connection, int.MaxValue, KindFilter.All) is not { } first) return default;
        if (first.Suspicion == 1) return new SuspectTurn(First: await FirstAsync(connection, 1, kinds));
        bool isOfKinds = kinds.Contains(first.Kind);
        bool isDue;
        lock (_lock) isDue = _turns.IsDue(Now);
        if (!isDue) return new SuspectTurn(First: await FirstAsync(connection, 1, kinds), Otherwise: running == 0 && isOfKinds ? first : null);
        return running > 0 || !isOfKinds ? new SuspectTurn(Pause: Pause) : new SuspectTurn(First: first, IsAlone: true);
    }

    /// <summary>One was claimed as its instance's only job.</summary>
    public void BeganAlone()
    {
        lock (_lock) _turns.Began(Now);
    }

    /// <summary>Claims that are lost, and whose instance lives after all: what was taken for a death was none.</summary>
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
        return await reader.ReadAsync() ? new Suspect(reader.GetGuid(0), reader.GetInt32(1), reader.GetString(2)) : null;
    }
}

/// <summary>A queued job that was running at so many deaths.</summary>
internal sealed record Suspect(Guid Id, int Suspicion, string Kind);

/// <summary>What an instance may claim while there are suspects.</summary>
/// <param name="First">This one first.</param>
/// <param name="IsAlone">And no other.</param>
/// <param name="Otherwise">This one, as the only job, if nothing else is due.</param>
/// <param name="Pause">Nothing for so long, unless told sooner.</param>
internal readonly record struct SuspectTurn(Suspect? First = null, bool IsAlone = false, Suspect? Otherwise = null, TimeSpan? Pause = null);
