using Microsoft.Data.Sqlite;
using PoolApi.Jobs;

namespace PoolApi.JobBenchmarks.Peers;

/// <summary>
/// A store as one would write it: a table for the jobs, with an index to find those that are due and one to list them, a table for
/// their payloads, and one connection, which the callers use in turn. Each job has a transaction of its own, which is committed to
/// the disk before its caller continues.
/// </summary>
internal sealed class OneCommitStore : IDisposable
{
    private const string SchemaSql =
        """
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        CREATE TABLE IF NOT EXISTS jobs (
            id BLOB NOT NULL PRIMARY KEY, kind TEXT NOT NULL, state INTEGER NOT NULL, version INTEGER NOT NULL, attempt INTEGER NOT NULL,
            max_attempts INTEGER NOT NULL, priority INTEGER NOT NULL, created_at INTEGER NOT NULL, run_at INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS jobs_queued ON jobs (priority, run_at, id) WHERE state = 0;
        CREATE INDEX IF NOT EXISTS jobs_by_kind ON jobs (kind, state, id);
        CREATE TABLE IF NOT EXISTS payloads (
            job BLOB NOT NULL PRIMARY KEY, method TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL, content_type TEXT,
            body BLOB NOT NULL) WITHOUT ROWID;
        """;

    private readonly SqliteConnection _connection;
    private readonly SqliteCommand _insertJob, _insertPayload;
    private readonly SemaphoreSlim _turn = new(1);

    public OneCommitStore(string path)
    {
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        _connection.Open();
        using (SqliteCommand schema = _connection.CreateCommand())
        {
            schema.CommandText = SchemaSql;
            schema.ExecuteNonQuery();
        }
        _insertJob = Prepare("INSERT INTO jobs VALUES ($1, $2, 0, 1, 0, $3, $4, $5, $6)", 6);
        _insertPayload = Prepare("INSERT INTO payloads VALUES ($1, $2, $3, $4, $5, $6)", 6);
    }

    public async ValueTask AcceptAsync(NewJob job)
    {
        await _turn.WaitAsync();
        try
        {
            Insert(job);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose()
    {
        _insertJob.Dispose();
        _insertPayload.Dispose();
        _connection.Dispose();
        _turn.Dispose();
    }

    private static long Milliseconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds();

    private SqliteCommand Prepare(string sql, int parameters)
    {
        SqliteCommand command = _connection.CreateCommand();
        command.CommandText = sql;
        for (int i = 1; i <= parameters; i++) command.Parameters.Add(new SqliteParameter { ParameterName = $"${i}" });
        return command;
    }

    private void Insert(NewJob job)
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        byte[] id = job.Id.ToByteArray(bigEndian: true);
        using SqliteTransaction transaction = _connection.BeginTransaction(deferred: false);
        Run(_insertJob, transaction, id, job.Kind, job.MaxAttempts, (int)job.Priority, Milliseconds(now), Milliseconds(job.RunAt ?? now));
        JobPayload payload = job.Payload;
        Run(
            _insertPayload, transaction, id, payload.Metadata[0] ?? "", payload.Metadata[1] ?? "", payload.Metadata[2] ?? "", (object?)payload.Metadata[3] ?? DBNull.Value,
            payload.Body.ToArray());
        transaction.Commit();
    }

    private static void Run(SqliteCommand command, SqliteTransaction transaction, params ReadOnlySpan<object> values)
    {
        command.Transaction = transaction;
        for (int i = 0; i < values.Length; i++) command.Parameters[i].Value = values[i];
        command.ExecuteNonQuery();
    }
}
