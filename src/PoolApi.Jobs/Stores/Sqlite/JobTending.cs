namespace PoolApi.Jobs.Stores.Sqlite;

/// <summary>What tending the store does. Each method is a small transaction, at most so many jobs, and answers how many there were.</summary>
internal sealed class JobTending(Database database, JobTable table, Batch batch)
{
    private readonly Statement _late = database.Prepare(
        $"SELECT {JobColumns.All} FROM jobs WHERE state = 0 AND deadline <= ? ORDER BY deadline LIMIT ?");

    private readonly Statement _lost = database.Prepare(
        $"SELECT {JobColumns.All} FROM jobs WHERE state = 1 AND lease <= ? ORDER BY lease LIMIT ?");

    private readonly Statement _ended = database.Prepare(
        $"SELECT {JobColumns.All} FROM jobs WHERE swept = ? AND finished_at <= ? ORDER BY finished_at LIMIT ?");

    private readonly Statement _orphan = database.Prepare("UPDATE jobs SET lease = ? WHERE state = 1 AND lease > ?");

    private readonly Statement _running = database.Prepare("SELECT id, claim FROM jobs WHERE state = 1");

    private readonly Statement _orphanOf = database.Prepare("UPDATE jobs SET lease = ? WHERE id = ? AND state = 1 AND claim = ? AND lease > ?");

    /// <summary>Ends the leases of all that run: there is nobody who could renew them.</summary>
    public void EndLeases() => _orphan.Add(batch.Now).Add(batch.Now).Run();

    /// <summary>Which claims run by the file.</summary>
    public IReadOnlyList<ClaimKey> Running()
    {
        var claims = new List<ClaimKey>();
        using Statement.Rows found = _running.Query();
        while (found.Next()) claims.Add(new ClaimKey(_running.ReadGuid(), _running.ReadLong()));
        return claims;
    }

    /// <summary>Ends the leases of these claims, as far as they run still.</summary>
    public void EndLeases(IReadOnlyList<ClaimKey> claims)
    {
        foreach (ClaimKey claim in claims) _orphanOf.Add(batch.Now).Add(claim.Job).Add(claim.Number).Add(batch.Now).Run();
    }

    /// <summary>Expires what is queued past its deadline.</summary>
    public int Expire(int limit)
    {
        List<JobRow> rows = Read(_late.Add(batch.Now).Add(limit));
        foreach (JobRow row in rows)
        {
            row.End(JobState.Expired, batch.Now, JobError.Expired);
            table.Save(row);
        }
        return rows.Count;
    }

    /// <summary>Queues again what has lost its instance, unless that has happened too often, or somebody wants it cancelled.</summary>
    public Lost Redeliver(int maxRedeliveries, int limit)
    {
        List<JobRow> rows = Read(_lost.Add(batch.Now).Add(limit));
        var redelivered = new Dictionary<string, int>();
        int poisoned = 0;
        foreach (JobRow row in rows)
        {
            if (row.IsCancelRequested)
            {
                row.End(JobState.Cancelled, batch.Now, row.Error);
            }
            else if (row.Redeliveries >= maxRedeliveries)
            {
                row.End(JobState.Failed, batch.Now, JobError.Poison);
                poisoned++;
            }
            else
            {
                row.Queue();
                row.Redeliveries++;
                redelivered[row.Kind] = redelivered.GetValueOrDefault(row.Kind) + 1;
            }
            table.Save(row);
        }
        return new Lost(redelivered, poisoned, rows.Count);
    }

    /// <summary>Removes jobs that ended twice as long ago as they keep their results, with their keys and tags.</summary>
    public int Remove(TimeSpan retention, int limit)
    {
        DateTimeOffset before = Moments.Before(Moments.Before(batch.Now, retention), retention);
        List<JobRow> rows = Read(_ended.Add(true).Add(before).Add(limit));
        // Those that nobody has swept in between, as after a long stop.
        rows.AddRange(Read(_ended.Add(false).Add(before).Add(limit - rows.Count)));
        foreach (JobRow row in rows) table.Delete(row);
        return rows.Count;
    }

    /// <summary>Drops payloads and results of jobs that ended long ago.</summary>
    public int Sweep(TimeSpan retention, int limit)
    {
        List<JobRow> rows = Read(_ended.Add(false).Add(Moments.Before(batch.Now, retention)).Add(limit));
        foreach (JobRow row in rows)
        {
            table.DropContent(row);
            row.IsSwept = true;
            table.Save(row);
        }
        return rows.Count;
    }

    private static List<JobRow> Read(Statement statement)
    {
        var rows = new List<JobRow>();
        using Statement.Rows found = statement.Query();
        while (found.Next()) rows.Add(JobColumns.Read(statement));
        return rows;
    }

    /// <summary>A claim, by its job and its number.</summary>
    internal readonly record struct ClaimKey(Guid Job, long Number);

    /// <summary>What became of jobs that had lost their instance.</summary>
    internal readonly record struct Lost(IReadOnlyDictionary<string, int> Redelivered, int Poisoned, int Count);
}
