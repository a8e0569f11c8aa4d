namespace PoolApi.Jobs.Sqlite;

/// <summary>
/// Writes jobs. Every change of a job goes through this class, so that its tags, the counts and the notifications stay consistent with it. Used on the
/// writer's thread, within its transaction.
/// </summary>
internal sealed class JobTable(Database database, Batch batch)
{
    private readonly Statement _insert = database.Prepare(JobColumns.Insert);
    private readonly Statement _update = database.Prepare(JobColumns.Update);
    private readonly Statement _delete = database.Prepare("DELETE FROM jobs WHERE id = ?");

    private readonly Statement _insertPayload = database.Prepare(
        "INSERT INTO payloads (method, path, query, content_type, trace_parent, body) VALUES (?, ?, ?, ?, ?, ?)");

    private readonly Statement _deletePayload = database.Prepare("DELETE FROM payloads WHERE row = ?");
    private readonly Statement _insertResult = database.Prepare("INSERT INTO results (status, content_type, body) VALUES (?, ?, ?)");
    private readonly Statement _deleteResult = database.Prepare("DELETE FROM results WHERE row = ?");

    private readonly Statement _payloadLength = database.Prepare("SELECT length(body) FROM payloads WHERE row = ?");
    private readonly Statement _resultLength = database.Prepare("SELECT length(body) FROM results WHERE row = ?");

    private readonly Statement _insertTag = database.Prepare("INSERT INTO job_tags (tag, client, kind, state, id) VALUES (?, ?, ?, ?, ?)");

    private readonly Statement _updateTag = database.Prepare(
        "UPDATE job_tags SET state = ? WHERE tag = ? AND client = ? AND kind = ? AND state = ? AND id = ?");

    private readonly Statement _deleteTag = database.Prepare(
        "DELETE FROM job_tags WHERE tag = ? AND client = ? AND kind = ? AND state = ? AND id = ?");

    private readonly Statement _insertKey = database.Prepare(
        "INSERT INTO idempotency_keys (client, key, fingerprint, id) VALUES (?, ?, ?, ?)");

    private readonly Statement _findKey = database.Prepare("SELECT id, fingerprint FROM idempotency_keys WHERE client = ? AND key = ?");
    private readonly Statement _deleteKey = database.Prepare("DELETE FROM idempotency_keys WHERE client = ? AND key = ?");
    private readonly Statement _clock = database.Prepare("SELECT boot, offset FROM clock");
    private readonly Statement _setClock = database.Prepare("INSERT OR REPLACE INTO clock (row, boot, offset) VALUES (0, ?, ?)");
    private readonly Statement _latest = database.Prepare("SELECT jobs FROM counts WHERE state = -1");
    private readonly Statement _setLatest = database.Prepare("UPDATE counts SET jobs = max(jobs, ?) WHERE state = -1");
    private readonly Statement _count = database.Prepare("UPDATE counts SET jobs = jobs + ? WHERE state = ?");

    /// <summary>Finds the job with a key, and the fingerprint of the request that created it.</summary>
    public (Guid Id, byte[] Fingerprint)? FindKey(string? client, string key)
    {
        using Statement.Rows rows = _findKey.BindClient(client).Bind(key).Query();
        return rows.Next() ? (_findKey.ReadGuid(), _findKey.ReadBytes()) : null;
    }

    public void Insert(JobRow row, JobPayload payload, IdempotencyKey? key)
    {
        foreach (string? text in payload.Metadata.Take(Schema.PayloadTexts)) _insertPayload.Bind(text ?? "");
        foreach (string? text in payload.Metadata.Skip(Schema.PayloadTexts)) _insertPayload.Bind(text);
        _insertPayload.Bind(payload.Body.Span).Run();
        row.Payload = database.LastRow;
        _insert.BindFixed(row).BindChanging(row).Run();
        foreach (string tag in row.Tags) _insertTag.Bind(tag).BindClient(row.Client).Bind(row.Kind).Bind((int)row.State).Bind(row.Id).Run();
        if (key is not null) _insertKey.BindClient(row.Client).Bind(key.Key).Bind(key.Fingerprint.Span).Bind(row.Id).Run();
        row.StoredState = row.State;
        batch.Count(row.State, 1);
        batch.Changed(row);
        if (row.State == JobState.Queued) batch.MayBeDue();
    }

    /// <summary>Saves a visible change: increments the version and notifies listeners.</summary>
    public void Save(JobRow row)
    {
        row.Version++;
        SaveUnseen(row);
        batch.Changed(row);
    }

    /// <summary>Saves a change that callers cannot see, such as a renewed lease.</summary>
    public void SaveUnseen(JobRow row)
    {
        _update.BindChanging(row).Bind(row.Id).Run();
        if (row.State == row.StoredState) return;
        foreach (string tag in row.Tags)
        {
            _updateTag.Bind((int)row.State).Bind(tag).BindClient(row.Client).Bind(row.Kind).Bind((int)row.StoredState).Bind(row.Id).Run();
        }
        batch.Count(row.StoredState, -1);
        batch.Count(row.State, 1);
        row.StoredState = row.State;
        if (row.State == JobState.Queued) batch.MayBeDue();
    }

    /// <summary>Stores a result for the row in place of the present one. The row must be saved afterwards.</summary>
    public void SetResult(JobRow row, JobResult? result)
    {
        if (row.Result is { } old) _deleteResult.Bind(old).Run();
        row.Result = null;
        if (result is null) return;
        _insertResult.Bind(result.Status).Bind(result.ContentType).Bind(result.Body.Span).Run();
        row.Result = database.LastRow;
    }

    /// <summary>The bytes of the bodies of a row's payload and result. The bodies are not read.</summary>
    public long ContentLength(JobRow row) => Length(_payloadLength, row.Payload) + Length(_resultLength, row.Result);

    private static long Length(Statement statement, long? of)
    {
        if (of is not { } row) return 0;
        using Statement.Rows rows = statement.Bind(row).Query();
        return rows.Next() ? statement.ReadLong() : 0;
    }

    /// <summary>Deletes the payload and the result of a row. The row must be saved afterwards.</summary>
    public void DropContent(JobRow row)
    {
        SetResult(row, null);
        if (row.Payload is { } payload) _deletePayload.Bind(payload).Run();
        row.Payload = null;
    }

    /// <summary>Deletes a job with its payload, result, tags and key.</summary>
    public void Delete(JobRow row)
    {
        DropContent(row);
        foreach (string tag in row.Tags)
        {
            _deleteTag.Bind(tag).BindClient(row.Client).Bind(row.Kind).Bind((int)row.StoredState).Bind(row.Id).Run();
        }
        if (row.IdempotencyKey is { } key) _deleteKey.BindClient(row.Client).Bind(key).Run();
        _delete.Bind(row.Id).Run();
        batch.Count(row.StoredState, -1);
        row.Version++;
        batch.Changed(row);
    }

    /// <summary>Updates the counts of jobs in each state. Called once for each transaction, before its commit.</summary>
    public void SaveCounts()
    {
        bool isChanged = false;
        foreach (JobState state in JobStates.All)
        {
            int by = batch.CountOf(state);
            if (by == 0) continue;
            _count.Bind(by).Bind((int)state).Run();
            isChanged = true;
        }
        if (isChanged) _setLatest.Bind(batch.Steady).Run();
    }

    /// <summary>Reads the clock's offset and the boot of the machine that it belongs to; <see langword="null"/> if none is stored.</summary>
    public (string Boot, long Offset)? ReadClock()
    {
        using Statement.Rows rows = _clock.Query();
        return rows.Next() ? (_clock.ReadText(), _clock.ReadLong()) : null;
    }

    /// <summary>Reads the steady time of the last commit that changed the counts.</summary>
    public long ReadLatest()
    {
        using Statement.Rows rows = _latest.Query();
        return rows.Next() ? _latest.ReadLong() : 0;
    }

    public void SaveClock(string boot, long offset) => _setClock.Bind(boot).Bind(offset).Run();
}

/// <summary>Binds clients in primary keys, where NULL cannot stand for no client because it does not equal itself.</summary>
internal static class ClientKey
{
    /// <summary>Binds a client's name, or the number 0 for no client.</summary>
    public static Statement BindClient(this Statement statement, string? client) => client is null ? statement.Bind(0L) : statement.Bind(client);
}
