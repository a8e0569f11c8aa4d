using PoolApi.Threading;

namespace PoolApi.Jobs.Sqlite;

/// <summary>
/// Finds the queued jobs that are due, by priority and then by the time since they are due. Used on the writer's thread, within its transaction.
/// </summary>
/// <remarks>
/// The index jobs_due orders by priority, kind and time, so the due jobs of one kind are one range. A claim reads the start of each range of its
/// own kinds, and nothing of another pool's jobs, however many are queued. If the filter excludes kinds, one seek finds each kind that occurs;
/// there are few. The index covers the choice, so only the rows of chosen jobs are read.
/// </remarks>
internal sealed class DueJobReads(Database database, JobReads reads, Batch batch)
{
    private const string Queued = "FROM jobs INDEXED BY jobs_due WHERE state = 0 AND suspicion = 0 AND due IS NOT NULL AND priority = ?";

    private static readonly WorkPriority[] HighestFirst = [WorkPriority.High, WorkPriority.Normal, WorkPriority.Low];

    private readonly Statement _ofKind = database.Prepare(
        $"SELECT due, id {Queued} AND kind = ? AND due <= ? AND (expires IS NULL OR expires > ?) ORDER BY due, id LIMIT ?");

    private readonly Statement _nextOfKind = database.Prepare($"SELECT due {Queued} AND kind = ? AND due > ? ORDER BY due LIMIT 1");

    private readonly Statement _kindAfter = database.Prepare($"SELECT kind {Queued} AND kind > ? ORDER BY kind LIMIT 1");

    /// <summary>Reads the first due jobs of some kinds.</summary>
    public List<JobRow> Read(KindFilter kinds, int max)
    {
        var first = new List<(DateTimeOffset Due, Guid Id)>();
        foreach (WorkPriority priority in HighestFirst)
        {
            if (first.Count == max) break;
            int from = first.Count;
            foreach (string kind in KindsOf(kinds, priority))
            {
                using Statement.Rows due = _ofKind.Bind((int)priority).Bind(kind).Bind(batch.Steady).Bind(batch.Steady).Bind(max - from).Query();
                while (due.Next()) first.Add((_ofKind.ReadTime(), _ofKind.ReadGuid()));
            }
            first.Sort(from, first.Count - from, Comparer<(DateTimeOffset, Guid)>.Default);
            if (first.Count > max) first.RemoveRange(max, first.Count - max);
        }
        return [.. first.Select(job => reads.Find(job.Id)!)];
    }

    /// <summary>The time until the next job of some kinds becomes due; <see langword="null"/>: there is none.</summary>
    public TimeSpan? UntilNext(KindFilter kinds)
    {
        TimeSpan? next = null;
        foreach (WorkPriority priority in HighestFirst)
        {
            foreach (string kind in KindsOf(kinds, priority))
            {
                using Statement.Rows rows = _nextOfKind.Bind((int)priority).Bind(kind).Bind(batch.Steady).Query();
                if (rows.Next() && _nextOfKind.ReadTime() - batch.Steady is var wait && !(wait >= next)) next = wait;
            }
        }
        return next;
    }

    private IEnumerable<string> KindsOf(KindFilter kinds, WorkPriority priority)
    {
        if (!kinds.IsExclusion) return kinds.Kinds;
        return Queue(priority).Where(kinds.Contains);
    }

    /// <summary>The kinds that occur among the queued jobs of a priority.</summary>
    private IEnumerable<string> Queue(WorkPriority priority)
    {
        for (string? kind = KindAfter(priority, ""); kind is not null; kind = KindAfter(priority, kind)) yield return kind;
    }

    private string? KindAfter(WorkPriority priority, string kind)
    {
        using Statement.Rows rows = _kindAfter.Bind((int)priority).Bind(kind).Query();
        return rows.Next() ? _kindAfter.ReadText() : null;
    }
}
