namespace PoolApi.Jobs.Sqlite;

/// <summary>Writes jobs: every change of a job goes through here, so that its tags, the counts and the listeners follow.</summary>
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

    /// <summary>The job that has a key, and the fingerprint of the request that made it.</summary>
    public (Guid Id, byte[] Fingerprint)? FindKey(string? client, string key)
    {
        using Statement.Rows rows = _findKey.AddClient(client).Add(key).Query();
        return rows.Next() ? (_findKey.ReadGuid(), _findKey.ReadBytes()) : null;
    }

    public void Insert(JobRow row, JobPayload payload, IdempotencyKey? key)
    {
        foreach (string? text in payload.Metadata.Take(Schema.PayloadTexts)) _insertPayload.Add(text ?? "");
        foreach (string? text in payload.Metadata.Skip(Schema.PayloadTexts)) _insertPayload.Add(text);
        _insertPayload.Add(payload.Body.Span).Run();
        row.Payload = database.LastRow;
        _insert.AddFixed(row).AddChanging(row).Run();
        foreach (string tag in row.Tags) _insertTag.Add(tag).AddClient(row.Client).Add(row.Kind).Add((int)row.State).Add(row.Id).Run();
        if (key is not null) _insertKey.AddClient(row.Client).Add(key.Key).Add(key.Fingerprint.Span).Add(row.Id).Run();
        row.StoredState = row.State;
        batch.Count(row.State, 1);
        batch.Changed(row);
        if (row.State == JobState.Queued) batch.MayBeDue();
    }

    /// <summary>Saves a change that can be seen: the version grows, and listeners are told.</summary>
    public void Save(JobRow row)
    {
        row.Version++;
        SaveUnseen(row);
        batch.Changed(row);
    }

    /// <summary>Saves a change that nobody sees from outside.</summary>
    public void SaveUnseen(JobRow row)
    {
        _update.AddChanging(row).Add(row.Id).Run();
        if (row.State == row.StoredState) return;
        foreach (string tag in row.Tags)
        {
            _updateTag.Add((int)row.State).Add(tag).AddClient(row.Client).Add(row.Kind).Add((int)row.StoredState).Add(row.Id).Run();
        }
        batch.Count(row.StoredState, -1);
        batch.Count(row.State, 1);
        row.StoredState = row.State;
        if (row.State == JobState.Queued) batch.MayBeDue();
    }

    /// <summary>Keeps a result for the row, instead of the one it has; to be saved.</summary>
    public void SetResult(JobRow row, JobResult? result)
    {
        if (row.Result is { } old) _deleteResult.Add(old).Run();
        row.Result = null;
        if (result is null) return;
        _insertResult.Add(result.Status).Add(result.ContentType).Add(result.Body.Span).Run();
        row.Result = database.LastRow;
    }

    /// <summary>Drops payload and result of a row; to be saved.</summary>
    public void DropContent(JobRow row)
    {
        SetResult(row, null);
        if (row.Payload is { } payload) _deletePayload.Add(payload).Run();
        row.Payload = null;
    }

    /// <summary>Removes a job with everything that is kept of it.</summary>
    public void Delete(JobRow row)
    {
        DropContent(row);
        foreach (string tag in row.Tags)
        {
            _deleteTag.Add(tag).AddClient(row.Client).Add(row.Kind).Add((int)row.StoredState).Add(row.Id).Run();
        }
        if (row.IdempotencyKey is { } key) _deleteKey.AddClient(row.Client).Add(key).Run();
        _delete.Add(row.Id).Run();
        batch.Count(row.StoredState, -1);
        row.Version++;
        batch.Changed(row);
    }

    /// <summary>Writes down how many jobs are in each state. Once for each transaction, before its commit.</summary>
    public void SaveCounts()
    {
        bool isChanged = false;
        foreach (JobState state in JobStates.All)
        {
            int by = batch.CountOf(state);
            if (by == 0) continue;
            _count.Add(by).Add((int)state).Run();
            isChanged = true;
        }
        if (isChanged) _setLatest.Add(batch.Steady).Run();
    }

    /// <summary>The start of the machine that the store's clock was set at, and its offset; <see langword="null"/> if it never was.</summary>
    public (string Boot, long Offset)? ReadClock()
    {
        using Statement.Rows rows = _clock.Query();
        return rows.Next() ? (_clock.ReadText(), _clock.ReadLong()) : null;
    }

    /// <summary>When the last commit was that has changed how many jobs there are in a state, by the store's clock.</summary>
    public long ReadLatest()
    {
        using Statement.Rows rows = _latest.Query();
        return rows.Next() ? _latest.ReadLong() : 0;
    }

    public void SaveClock(string boot, long offset) => _setClock.Add(boot).Add(offset).Run();
}

/// <summary>A client where it is part of a primary key, in which NULL equals nothing, not even itself.</summary>
internal static class ClientKey
{
    /// <summary>Adds a client's name; the number 0 for nobody's.</summary>
    public static Statement AddClient(this Statement statement, string? client) => client is null ? statement.Add(0L) : statement.Add(client);
}
