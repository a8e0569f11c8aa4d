using PoolApi.Threading;

namespace PoolApi.Jobs.Sqlite;

/// <summary>
/// Jobs that ran in an instance that died: any of them may have killed it. They are run so that the killer is found and the others
/// end. On the writer's thread, within its transaction.
/// </summary>
/// <remarks>
/// An instance has one suspect at a time, beside other jobs. One that has been beside a second death runs as its instance's only
/// job, in turn with all others (<see cref="ExclusiveTurns"/>). Only who was alone when the instance died is counted as dangerous.
/// </remarks>
internal sealed class Suspects(Database database, Batch batch)
{
    /// <summary>While an instance waits for its jobs to end: their ends are told, so this is for those that are not.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private static readonly WorkPriority[] HighestFirst = [WorkPriority.High, WorkPriority.Normal, WorkPriority.Low];

    private readonly ExclusiveTurns _turns = new();
    private readonly Statement _any = database.Prepare("SELECT 1 FROM jobs INDEXED BY jobs_suspect WHERE state < 2 AND suspicion > 0 LIMIT 1");

    private readonly Statement _running = database.Prepare(
        "SELECT suspicion, alone_until FROM jobs INDEXED BY jobs_running WHERE state = 1 AND worker = ?");

    private readonly Statement _first = database.Prepare(
        $"SELECT {JobColumns.All} FROM jobs INDEXED BY jobs_suspect WHERE state < 2 AND state = 0 AND suspicion > 0 AND suspicion <= ? " +
        "AND priority = ? AND due <= ? AND (expires IS NULL OR expires > ?) AND (kind IN (SELECT value FROM json_each(?))) <> ? ORDER BY due, id LIMIT 1");

    private readonly Statement _count = database.Prepare(
        "SELECT count(*) FROM jobs INDEXED BY jobs_running WHERE state = 1 AND worker = ?");

    private readonly Statement _mark = database.Prepare("UPDATE jobs SET accompanied = 1 WHERE state = 1 AND worker = ?");

    /// <summary>Whether there are any, queued or running. One look at an index that is empty as a rule.</summary>
    public bool Exist()
    {
        using Statement.Rows rows = _any.Query();
        return rows.Next();
    }

    /// <summary>What an instance may claim of some kinds. Which of its suspects is the next to run alone does not depend on them.</summary>
    public SuspectTurn Look(string owner, KindFilter kinds)
    {
        int running = 0;
        bool hasSuspect = false;
        DateTimeOffset? aloneUntil = null;
        using (Statement.Rows rows = _running.Add(owner).Query())
        {
            while (rows.Next())
            {
                running++;
                hasSuspect |= _running.ReadInt() > 0;
                if (_running.ReadTimeOrNull() is { } until && !(until <= aloneUntil)) aloneUntil = until;
            }
        }
        if (aloneUntil - batch.Steady is { Ticks: > 0 } left) return new SuspectTurn(Pause: left);
        if (hasSuspect || First(int.MaxValue, KindFilter.All) is not { } first) return SuspectTurn.None;
        if (first.Suspicion == 1) return new SuspectTurn(First: First(1, kinds));
        bool isOfKinds = kinds.Contains(first.Kind);
        if (!_turns.IsDue(Now)) return new SuspectTurn(First: First(1, kinds), Otherwise: running == 0 && isOfKinds ? first : null);
        if (running > 0 || !isOfKinds) return new SuspectTurn(Pause: Pause);
        BeginAlone(first);
        return new SuspectTurn(First: first, IsAlone: true);
    }

    /// <summary>One is about to be claimed as its instance's only job.</summary>
    public void BeginAlone(JobRow row)
    {
        _turns.Began(Now);
        row.AloneUntil = batch.Steady + ExclusiveTurns.AloneFor(row.Suspicion);
    }

    /// <summary>Notes of jobs whose instances have died, and of all others of those instances, whether they ran alone.</summary>
    public void MarkAccompanied(List<JobRow> lost)
    {
        foreach (IGrouping<string?, JobRow> ofOne in lost.GroupBy(static r => r.Worker))
        {
            if (Count(ofOne.Key) < 2) continue;
            _mark.Add(ofOne.Key).Run(); // also those whose leases last yet
            foreach (JobRow row in ofOne) row.IsAccompanied = true;
        }
    }

    private TimeSpan Now => batch.Steady - DateTimeOffset.UnixEpoch;

    private long Count(string? worker)
    {
        using Statement.Rows rows = _count.Add(worker).Query();
        return rows.Next() ? _count.ReadLong() : 0;
    }

    private JobRow? First(int mostSuspicion, KindFilter kinds)
    {
        foreach (WorkPriority priority in HighestFirst)
        {
            using Statement.Rows rows = _first.Add(mostSuspicion).Add((int)priority).Add(batch.Steady).Add(batch.Steady)
                .Add(JobColumns.Words(kinds.Kinds)).Add(kinds.IsExclusion).Query();
            if (rows.Next()) return JobColumns.Read(_first);
        }
        return null;
    }
}

/// <summary>What an instance may claim while there are suspects.</summary>
/// <param name="First">This one first.</param>
/// <param name="IsAlone">And no other.</param>
/// <param name="Otherwise">This one, as the only job, if nothing else is due.</param>
/// <param name="Pause">Nothing for so long, unless told sooner.</param>
internal readonly record struct SuspectTurn(JobRow? First = null, bool IsAlone = false, JobRow? Otherwise = null, TimeSpan? Pause = null)
{
    /// <summary>Whatever is due, but no suspect.</summary>
    public static SuspectTurn None => default;
}
