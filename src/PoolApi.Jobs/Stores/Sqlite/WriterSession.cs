namespace PoolApi.Jobs.Stores.Sqlite;

/// <summary>The writer's connection, and what is done on it. One transaction at a time.</summary>
internal sealed class WriterSession : IDisposable
{
    private readonly Database _database;
    private readonly string _path;
    private readonly Statement _begin;
    private readonly Statement _commit;
    private readonly JobTable _table;
    private readonly Batch _batch = new();

    /// <param name="database">The file, of the latest version. Is disposed of with this.</param>
    /// <param name="path">Where it is.</param>
    /// <param name="maxPages">How big the file may become; <see langword="null"/>: as big as the disk lets it.</param>
    public WriterSession(Database database, string path, int? maxPages)
    {
        (_database, _path) = (database, path);
        // FULL: a commit is on the disk when it returns. Fewer and bigger checkpoints than by default write a page that many
        // commits have changed once instead of many times; the log stays below that size, but for a long read or a full disk.
        database.Execute(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            PRAGMA wal_autocheckpoint = 4000;
            PRAGMA journal_size_limit = 67108864;
            PRAGMA cache_size = -16384;
            PRAGMA temp_store = MEMORY;
            """);
        if (maxPages is { } pages) database.Execute($"PRAGMA max_page_count = {pages}");
        _begin = database.Prepare("BEGIN IMMEDIATE");
        _commit = database.Prepare("COMMIT");
        var reads = new JobReads(database);
        _table = new JobTable(database, _batch);
        Writes = new JobWrites(database, reads, _table, _batch);
        Tending = new JobTending(database, _table, _batch);
    }

    public JobWrites Writes { get; }

    public JobTending Tending { get; }

    /// <summary>After a fault the connection is in a transaction that it cannot leave: it is of no use any more.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Does work in one transaction, and commits it.</summary>
    /// <returns>What was done, to be told to listeners. If it throws, nothing was done.</returns>
    public Batch Commit(DateTimeOffset now, Action work)
    {
        try
        {
            _batch.Begin(now);
            _begin.Run();
            if (_database.IsMoved) throw StoreFaults.Moved(_path);
            work();
            _table.SaveCounts();
            _commit.Run();
            return _batch;
        }
        catch
        {
            Rollback();
            throw;
        }
    }

    public void Dispose() => _database.Dispose();

    private void Rollback()
    {
        try
        {
            _database.Rollback();
        }
        catch (Microsoft.Data.Sqlite.SqliteException)
        {
            // What went wrong before says more.
        }
        IsBroken = !_database.IsIdle;
    }
}
