namespace PoolApi.Jobs.Sqlite;

/// <summary>Reads single jobs, their payloads and results, and the counts of jobs. One seek each. Used by the thread of its connection.</summary>
/// <param name="database">The connection.</param>
/// <param name="steady">Returns the store's steady time.</param>
internal sealed class JobReads(Database database, Func<DateTimeOffset> steady)
{
    private readonly Statement _find = database.Prepare($"SELECT {JobColumns.All} FROM jobs WHERE id = ?");

    private readonly Statement _payload = database.Prepare(
        "SELECT method, path, query, content_type, trace_parent, body FROM payloads WHERE row = ?");

    // Without the body. Its length is in the row's header, so SQLite does not read the pages that the body is on.
    private readonly Statement _payloadHead = database.Prepare(
        "SELECT method, path, query, content_type, trace_parent, length(body) FROM payloads WHERE row = ?");

    private readonly Statement _payloadLength = database.Prepare("SELECT length(body) FROM payloads WHERE row = ?");
    private readonly Statement _resultHead = database.Prepare("SELECT status, content_type, length(body) FROM results WHERE row = ?");
    private readonly Statement _result = database.Prepare("SELECT status, content_type, body FROM results WHERE row = ?");
    private readonly Statement _ofKey = database.Prepare("SELECT id FROM idempotency_keys WHERE client = ? AND key = ?");
    private readonly Statement _nextClientOfKeys = database.Prepare(
        "SELECT client FROM idempotency_keys WHERE client > ? ORDER BY client LIMIT 1");

    private readonly Statement _counts = database.Prepare("SELECT state, jobs FROM counts WHERE state >= 0");

    /// <summary>Reads a job, as callers see it.</summary>
    public Job? Get(Guid id) => Find(id) is { } row ? ToJob(row) : null;

    /// <summary>Reads a job's row.</summary>
    public JobRow? Find(Guid id)
    {
        using Statement.Rows rows = _find.Bind(id).Query();
        return rows.Next() ? JobColumns.Read(_find) : null;
    }

    /// <summary>Reads the payload of a job that has not ended. Such a job always has one.</summary>
    public JobPayload Payload(JobRow row)
    {
        using Statement.Rows rows = _payload.Bind(row.Payload).Query();
        if (!rows.Next()) throw new JobStoreException($"The job store is damaged: job {row.Id} has no payload.");
        string?[] metadata = Metadata(_payload);
        return new JobPayload(_payload.ReadBytes(), metadata);
    }

    /// <summary>The length of a job's body.</summary>
    public long BodyLength(JobRow row)
    {
        using Statement.Rows rows = _payloadLength.Bind(row.Payload).Query();
        return rows.Next() ? _payloadLength.ReadLong() : 0;
    }

    /// <summary>Reads the payload of a job without its body.</summary>
    public JobPayload PayloadHead(JobRow row)
    {
        using Statement.Rows rows = _payloadHead.Bind(row.Payload).Query();
        if (!rows.Next()) throw new JobStoreException($"The job store is damaged: job {row.Id} has no payload.");
        return new JobPayload(default, Metadata(_payloadHead));
    }

    /// <summary>Reads the metadata strings of a payload. Their columns are named after parts of an HTTP request, as the first version had them.</summary>
    private static string?[] Metadata(Statement from) =>
        [from.ReadText(), from.ReadText(), from.ReadText(), from.ReadTextOrNull(), from.ReadTextOrNull()];

    /// <summary>Reads the payload of a job, unless it was swept.</summary>
    /// <param name="id">The job.</param>
    /// <param name="maxBytes">The largest body to read.</param>
    public StoredPayload? Payload(Guid id, long maxBytes)
    {
        if (Find(id) is not { Payload: not null } row) return null;
        long length = BodyLength(row);
        return length > maxBytes ? new StoredPayload(PayloadHead(row), length) : new StoredPayload(Payload(row), 0);
    }

    /// <summary>Finds the jobs with a key: one seek for jobs without a client, and one for each client that has keys.</summary>
    public IReadOnlyList<Job> OfKey(string key)
    {
        var ids = new List<Guid>();
        Check(null);
        // 0 stands for jobs without a client, and sorts before all texts.
        for (string? client = Next(_nextClientOfKeys.Bind(0L)); client is not null; client = Next(_nextClientOfKeys.Bind(client))) Check(client);
        return [.. ids.OrderDescending().Take(IJobStore.MostOfKey).Select(Get).OfType<Job>()];

        void Check(string? client)
        {
            using Statement.Rows rows = _ofKey.BindClient(client).Bind(key).Query();
            if (rows.Next()) ids.Add(_ofKey.ReadGuid());
        }

        string? Next(Statement after)
        {
            using Statement.Rows rows = after.Query();
            return rows.Next() ? after.ReadText() : null;
        }
    }

    /// <summary>Reads the body of a job's payload; <see langword="null"/> if the payload is deleted. Does not check who holds the claim.</summary>
    public ReadOnlyMemory<byte>? Body(Guid id) => Find(id) is { Payload: not null } row ? Payload(row).Body : (ReadOnlyMemory<byte>?)null;

    /// <summary>Reads a job and its result.</summary>
    /// <param name="id">The job.</param>
    /// <param name="maxBytes">The largest body to read.</param>
    public JobWithResult? WithResult(Guid id, long maxBytes)
    {
        if (Find(id) is not { } row) return null;
        if (row.Result is not null)
        {
            using Statement.Rows rows = _resultHead.Bind(row.Result).Query();
            if (rows.Next())
            {
                var head = new JobResult(_resultHead.ReadInt(), _resultHead.ReadTextOrNull(), default);
                if (_resultHead.ReadLong() is var length && length > maxBytes)
                    return new JobWithResult(ToJob(row), head, row.IsSwept) { UnreadBytes = length };
            }
        }
        return new JobWithResult(ToJob(row), Result(row), row.IsSwept);
    }

    /// <summary>Reads a job's result, if it has one.</summary>
    public JobResult? Result(JobRow row)
    {
        if (row.Result is null) return null;
        using Statement.Rows rows = _result.Bind(row.Result).Query();
        return rows.Next() ? new JobResult(_result.ReadInt(), _result.ReadTextOrNull(), _result.ReadBytes()) : null;
    }

    public IReadOnlyDictionary<JobState, long> Counts()
    {
        var counts = new Dictionary<JobState, long>();
        using Statement.Rows rows = _counts.Query();
        while (rows.Next()) counts.Add((JobState)_counts.ReadInt(), _counts.ReadLong());
        return counts;
    }

    private Job ToJob(JobRow row) => row.ToJob(steady());
}
