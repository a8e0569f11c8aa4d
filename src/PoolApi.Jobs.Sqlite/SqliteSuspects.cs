using PoolApi.Threading;

namespace PoolApi.Jobs.Sqlite;

/// <summary>
/// Schedules suspects: jobs that ran in an instance when it died, any of which may have killed it. They run so that the job that kills is found and
/// the others end. Used on the writer's thread, within its transaction. Without suspects it costs one seek of an empty index.
/// </summary>
/// <remarks>
/// An instance runs one suspect at a time, beside other jobs. A suspect that was running at a second death runs alone, alternating with all other jobs
/// (<see cref="ExclusiveTurns"/>). Only a job that ran alone when its instance died counts towards poison.
/// </remarks>
internal sealed class SqliteSuspects(Database database, Batch batch)
{
    /// <summary>The pause of claims while an instance waits for its jobs to end. An end that is reported ends it sooner.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private static readonly WorkPriority[] HighestFirst = [WorkPriority.High, WorkPriority.Normal, WorkPriority.Low];

    private readonly ExclusiveTurns _turns = new();
    private readonly Statement _any = database.Prepare("SELECT 1 FROM jobs INDEXED BY jobs_suspect WHERE state < 2 AND suspicion > 0 LIMIT 1");

    private readonly Statement _running = database.Prepare(
        "SELECT suspicion, alone_until FROM jobs INDEXED BY jobs_running WHERE state = 1 AND worker = ?");

    // Repeats the condition of the partial index, without which SQLite does not use it.
    private readonly Statement _first = database.Prepare(
        $"SELECT {JobColumns.All} FROM jobs INDEXED BY jobs_suspect WHERE state < 2 AND state = 0 AND suspicion > 0 AND suspicion <= ? " +
        "AND priority = ? AND due <= ? AND (expires IS NULL OR expires > ?) AND (kind IN (SELECT value FROM json_each(?))) <> ? ORDER BY due, id LIMIT 1");

    private readonly Statement _count = database.Prepare(
        "SELECT count(*) FROM jobs INDEXED BY jobs_running WHERE state = 1 AND worker = ?");

    private readonly Statement _mark = database.Prepare("UPDATE jobs SET accompanied = 1 WHERE state = 1 AND worker = ?");

    /// <summary>Whether there are suspects, queued or running. One seek of an index that is usually empty.</summary>
    public bool Exist()
    {
        using Statement.Rows rows = _any.Query();
        return rows.Next();
    }

    /// <summary>Decides what an instance may claim of some kinds. The next suspect to run alone is chosen from all kinds.</summary>
    public SqliteSuspectTurn NextTurn(string owner, KindFilter kinds)
    {
        int running = 0;
        bool hasSuspect = false;
        DateTimeOffset? aloneUntil = null;
        using (Statement.Rows rows = _running.Bind(owner).Query())
        {
            while (rows.Next())
            {
                running++;
                hasSuspect |= _running.ReadInt() > 0;
                if (_running.ReadTimeOrNull() is { } until && !(until <= aloneUntil)) aloneUntil = until;
            }
        }
        if (aloneUntil - batch.Steady is { Ticks: > 0 } left) return new SqliteSuspectTurn(Pause: left);
        if (hasSuspect || First(int.MaxValue, KindFilter.All) is not { } first) return SqliteSuspectTurn.None;
        if (first.Suspicion == 1) return new SqliteSuspectTurn(First: First(1, kinds));
        bool isOfKinds = kinds.Contains(first.Kind);
        if (!_turns.IsDue(Now)) return new SqliteSuspectTurn(First: First(1, kinds), Otherwise: running == 0 && isOfKinds ? first : null);
        if (running > 0 || !isOfKinds) return new SqliteSuspectTurn(Pause: Pause);
        return new SqliteSuspectTurn(First: first, IsAlone: true);
    }

    /// <summary>Records that a suspect is claimed to run alone.</summary>
    public void BeginAlone(JobRow row)
    {
        _turns.Began(Now);
        row.AloneUntil = batch.Steady + ExclusiveTurns.AloneFor(row.Suspicion);
    }

    /// <summary>Marks the jobs of dead instances in which more than one job ran.</summary>
    public void MarkAccompanied(List<JobRow> lost)
    {
        foreach (IGrouping<string?, JobRow> ofOne in lost.GroupBy(static r => r.Worker))
        {
            if (Count(ofOne.Key) < 2) continue;
            _mark.Bind(ofOne.Key).Run(); // also jobs whose leases have not run out yet
            foreach (JobRow row in ofOne) row.IsAccompanied = true;
        }
    }

    private TimeSpan Now => batch.Steady - DateTimeOffset.UnixEpoch;

    private long Count(string? worker)
    {
        using Statement.Rows rows = _count.Bind(worker).Query();
        return rows.Next() ? _count.ReadLong() : 0;
    }

    private JobRow? First(int mostSuspicion, KindFilter kinds)
    {
        foreach (WorkPriority priority in HighestFirst)
        {
            using Statement.Rows rows = _first.Bind(mostSuspicion).Bind((int)priority).Bind(batch.Steady).Bind(batch.Steady)
                .Bind(JobColumns.Words(kinds.Kinds)).Bind(kinds.IsExclusion).Query();
            if (rows.Next()) return JobColumns.Read(_first);
        }
        return null;
    }
}

/// <summary>Decision about a claim while there are suspects.</summary>
/// <param name="First">The suspect to claim first.</param>
/// <param name="IsAlone">Whether no other job may be claimed beside it.</param>
/// <param name="Otherwise">The suspect to claim to run alone, if no other job is due.</param>
/// <param name="Pause">How long nothing may be claimed, unless an event comes sooner.</param>
internal readonly record struct SqliteSuspectTurn(JobRow? First = null, bool IsAlone = false, JobRow? Otherwise = null, TimeSpan? Pause = null)
{
    /// <summary>Any due jobs but no suspect.</summary>
    public static SqliteSuspectTurn None => default;
}
