namespace PoolApi.Jobs.Stores.Sqlite;

/// <summary>What is read of single jobs, and of all together.</summary>
internal sealed class JobReads(Database database)
{
    private readonly Statement _find = database.Prepare($"SELECT {JobColumns.All} FROM jobs WHERE id = ?");

    private readonly Statement _payload = database.Prepare(
        "SELECT method, path, query, content_type, trace_parent, body FROM payloads WHERE row = ?");

    private readonly Statement _result = database.Prepare("SELECT status, content_type, body FROM results WHERE row = ?");
    private readonly Statement _counts = database.Prepare("SELECT state, jobs FROM counts WHERE state >= 0");

    /// <summary>The job.</summary>
    public JobRow? Find(Guid id)
    {
        using Statement.Rows rows = _find.Add(id).Query();
        return rows.Next() ? JobColumns.Read(_find) : null;
    }

    /// <summary>What a job is to run. One that has not ended has it.</summary>
    public JobPayload Payload(JobRow row)
    {
        using Statement.Rows rows = _payload.Add(row.Payload).Query();
        if (!rows.Next()) throw new JobStoreException($"The job store is damaged: job {row.Id} has no payload.");
        string method = _payload.ReadText(), path = _payload.ReadText(), query = _payload.ReadText();
        string? contentType = _payload.ReadTextOrNull(), traceParent = _payload.ReadTextOrNull();
        return new JobPayload(method, path, query, contentType, _payload.ReadBytes(), traceParent);
    }

    /// <summary>A job's result, if it has one.</summary>
    public JobResult? Result(JobRow row)
    {
        if (row.Result is null) return null;
        using Statement.Rows rows = _result.Add(row.Result).Query();
        return rows.Next() ? new JobResult(_result.ReadInt(), _result.ReadTextOrNull(), _result.ReadBytes()) : null;
    }

    public IReadOnlyDictionary<JobState, long> Counts()
    {
        var counts = new Dictionary<JobState, long>();
        using Statement.Rows rows = _counts.Query();
        while (rows.Next()) counts.Add((JobState)_counts.ReadInt(), _counts.ReadLong());
        return counts;
    }
}
