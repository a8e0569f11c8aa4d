namespace PoolApi.Jobs.Sqlite;

/// <summary>
/// The steps of maintenance and of recovery. A method with a limit handles at most so many jobs, so that its transaction is small, and returns how many
/// it handled. It reads one partial index that has only such jobs. Used on the writer's thread, within its transaction.
/// </summary>
internal sealed class SqliteMaintenance(Database database, JobTable table, SqliteSuspects suspects, Batch batch)
{
    private readonly Statement _late = database.Prepare(
        $"SELECT {JobColumns.All} FROM jobs WHERE state = 0 AND expires <= ? ORDER BY expires LIMIT ?");

    private readonly Statement _lost = database.Prepare(
        $"SELECT {JobColumns.All} FROM jobs WHERE state = 1 AND lease <= ? ORDER BY lease LIMIT ?");

    private readonly Statement _scheduled = database.Prepare(
        $"SELECT {JobColumns.All} FROM jobs WHERE state = 0 AND due IS NULL AND run_at <= ? ORDER BY run_at LIMIT ?");

    private readonly Statement _ended = database.Prepare(
        $"SELECT {JobColumns.All} FROM jobs WHERE swept = ? AND ended <= ? ORDER BY ended LIMIT ?");

    private readonly Statement _orphan = database.Prepare("UPDATE jobs SET lease = ? WHERE state = 1");

    private readonly Statement _running = database.Prepare("SELECT id, claim FROM jobs WHERE state = 1");

    private readonly Statement _orphanOf = database.Prepare("UPDATE jobs SET lease = ? WHERE id = ? AND state = 1 AND claim = ?");

    /// <summary>Ends the leases of all running jobs, because no process is left that could renew them.</summary>
    public void EndLeases() => _orphan.Bind(batch.Steady).Run();

    /// <summary>Makes jobs due whose start time has come by the wall clock. From then on only the steady time counts for them.</summary>
    public int Release(int limit)
    {
        List<JobRow> rows = Read(_scheduled.Bind(batch.Now).Bind(limit));
        foreach (JobRow row in rows)
        {
            row.Due = Timestamps.Before(batch.Steady, batch.Now - row.RunAt);
            row.Expires = row.Timeout is { } timeout ? Timestamps.After(row.Due.Value, timeout) : null;
            table.SaveUnseen(row);
        }
        return rows.Count;
    }

    /// <summary>The claims of the jobs that the file has as running.</summary>
    public IReadOnlyList<ClaimKey> Running()
    {
        var claims = new List<ClaimKey>();
        using Statement.Rows found = _running.Query();
        while (found.Next()) claims.Add(new ClaimKey(_running.ReadGuid(), _running.ReadLong()));
        return claims;
    }

    /// <summary>Ends the leases of these claims, if their jobs still run under them.</summary>
    public void EndLeases(IReadOnlyList<ClaimKey> claims)
    {
        foreach (ClaimKey claim in claims) _orphanOf.Bind(batch.Steady).Bind(claim.Job).Bind(claim.Number).Run();
    }

    /// <summary>Makes scheduled jobs due whose time has come, and then expires queued jobs that are past their deadline.</summary>
    public int Expire(int limit)
    {
        if (Release(limit) > 0) batch.MayBeDue();
        List<JobRow> rows = Read(_late.Bind(batch.Steady).Bind(limit));
        foreach (JobRow row in rows)
        {
            row.End(JobState.Expired, batch, JobError.Expired);
            table.Save(row);
        }
        return rows.Count;
    }

    /// <summary>
    /// Queues running jobs again whose lease has run out. If their instances died too often they fail as poison; if their cancellation was requested
    /// they are cancelled.
    /// </summary>
    public Lost Redeliver(int maxRedeliveries, int limit)
    {
        List<JobRow> rows = Read(_lost.Bind(batch.Steady).Bind(limit));
        suspects.MarkAccompanied(rows);
        var redelivered = new Dictionary<string, int>();
        int poisoned = 0;
        foreach (JobRow row in rows)
        {
            if (row.IsCancelRequested)
            {
                row.End(JobState.Cancelled, batch, row.Error);
            }
            else if (!row.IsAccompanied && row.Deaths >= maxRedeliveries)
            {
                row.End(JobState.Failed, batch, JobError.Poison);
                poisoned++;
            }
            else
            {
                row.Lose(batch);
                redelivered[row.Kind] = redelivered.GetValueOrDefault(row.Kind) + 1;
            }
            table.Save(row);
        }
        return new Lost(redelivered, poisoned, rows.Count);
    }

    /// <summary>Deletes jobs that ended twice the retention ago, with their keys and tags.</summary>
    public Swept Remove(MaintenanceRules rules)
    {
        DateTimeOffset before = Timestamps.Before(Timestamps.Before(batch.Steady, rules.Retention), rules.Retention);
        List<JobRow> rows = Read(_ended.Bind(true).Bind(before).Bind(rules.Limit));
        // Jobs that were not swept in between, for example because the service did not run.
        rows.AddRange(Read(_ended.Bind(false).Bind(before).Bind(rules.Limit - rows.Count)));
        return Sweep(rows, rules, table.Delete);
    }

    /// <summary>Deletes the payloads and results of jobs that are past the retention.</summary>
    public Swept Sweep(MaintenanceRules rules) => Sweep(
        Read(_ended.Bind(false).Bind(Timestamps.Before(batch.Steady, rules.Retention)).Bind(rules.Limit)), rules,
        row =>
        {
            table.DropContent(row);
            row.IsSwept = true;
            table.Save(row);
        });

    /// <summary>Sweeps as many jobs as the limit of bytes allows, at least one. The writer's other operations wait meanwhile.</summary>
    private Swept Sweep(List<JobRow> rows, MaintenanceRules rules, Action<JobRow> sweep)
    {
        int count = 0;
        long bytes = 0;
        foreach (JobRow row in rows)
        {
            bytes += table.ContentLength(row);
            if (count > 0 && bytes > rules.SweepBytes) break;
            sweep(row);
            count++;
        }
        return new Swept(count, MayBeMore: count < rows.Count || count == rules.Limit);
    }

    private static List<JobRow> Read(Statement statement)
    {
        var rows = new List<JobRow>();
        using Statement.Rows found = statement.Query();
        while (found.Next()) rows.Add(JobColumns.Read(statement));
        return rows;
    }

    /// <summary>Identifies a claim.</summary>
    internal readonly record struct ClaimKey(Guid Job, long Number);

    /// <summary>The result of sweeping or deleting jobs.</summary>
    internal readonly record struct Swept(int Count, bool MayBeMore);

    /// <summary>The result of redelivering jobs.</summary>
    internal readonly record struct Lost(IReadOnlyDictionary<string, int> Redelivered, int Poisoned, int Count)
    {
        /// <summary>There was none.</summary>
        public static Lost None { get; } = new(new Dictionary<string, int>(), 0, 0);
    }
}
