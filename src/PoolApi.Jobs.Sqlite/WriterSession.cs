namespace PoolApi.Jobs.Sqlite;

/// <summary>The writer's connection with its prepared statements. Runs one transaction at a time. Used by the writer's thread only.</summary>
internal sealed class WriterSession : IDisposable
{
    private readonly Database _database;
    private readonly FilesInPlace _files;
    private readonly Statement _others;
    private readonly Statement _begin;
    private readonly Statement _commit;
    private readonly JobTable _table;
    private readonly Batch _batch = new();
    private long? _seen; // data_version at the last look

    /// <param name="database">The connection to a file of the latest version. Disposed of with the session.</param>
    /// <param name="files">Checks that the files are in place.</param>
    /// <param name="maxPages">The largest size of the file in pages; <see langword="null"/>: no limit but the disk.</param>
    public WriterSession(Database database, FilesInPlace files, int? maxPages)
    {
        (_database, _files) = (database, files);
        // Fewer and larger checkpoints than the default: a page that many commits have changed is written once. SQLite cuts the log's file to 64 MiB
        // after a checkpoint. The log grows beyond that only during a long read, on a full disk, or with a very large body.
        database.Execute(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA wal_autocheckpoint = 4000;
            PRAGMA journal_size_limit = 67108864;
            PRAGMA cache_size = -16384;
            PRAGMA temp_store = MEMORY;
            """);
        database.Number("PRAGMA user_version"); // the first read opens the log and its index
        if (maxPages is { } pages) database.Execute($"PRAGMA max_page_count = {pages}");
        _begin = database.Prepare("BEGIN IMMEDIATE");
        _commit = database.Prepare("COMMIT");
        _others = database.Prepare("PRAGMA data_version");
        var reads = new JobReads(database, () => _batch.Steady);
        _table = new JobTable(database, _batch);
        var suspects = new SqliteSuspects(database, _batch);
        Writes = new JobWrites(database, reads, _table, suspects, _batch);
        Maintenance = new SqliteMaintenance(database, _table, suspects, _batch);
    }

    /// <summary>The file's path as SQLite resolved it.</summary>
    public string File => _database.File;

    public JobWrites Writes { get; }

    public SqliteMaintenance Maintenance { get; }

    /// <summary>Whether a fault left the connection in a transaction that it cannot leave, so that it must be replaced.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Whether another process has written to the file since this connection was opened.</summary>
    public bool HasOthers { get; private set; }

    /// <summary>Runs work in one transaction, and commits it.</summary>
    /// <returns>The changes, for listeners. If it throws, nothing was changed.</returns>
    public Batch Commit(StoreTime now, Action work)
    {
        try
        {
            _batch.Begin(now);
            _begin.Run();
            _files.Check();
            CheckForOtherWriters();
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

    /// <summary>Moves the write-ahead log into the database file as the store closes.</summary>
    /// <param name="patience">The longest wait for other processes, in milliseconds.</param>
    /// <returns>Whether it succeeded. It cannot while another process reads or writes.</returns>
    /// <exception cref="JobStoreUnavailableException">The files were moved, deleted or replaced.</exception>
    public bool TryCheckpoint(int patience)
    {
        _files.Check();
        return _database.TryCheckpoint(patience);
    }

    /// <summary>Sets the store's clock from the stored offset, or stores a new offset.</summary>
    /// <param name="clock">The clock.</param>
    /// <param name="isAlone">Whether no other process has the file open.</param>
    public void Anchor(StoreClock clock, bool isAlone) => Commit(clock.Read(), () =>
    {
        if (clock.Anchor(_table.ReadClock(), _table.ReadLatest(), isAlone)) SaveClock(clock);
    });

    /// <summary>Stores the clock's offset in the file.</summary>
    public void SaveClock(StoreClock clock) => _table.SaveClock(StoreClock.Boot, clock.Offset);

    public void Dispose()
    {
        if (_files.AreReplaced) _database.LeaveLog();
        _database.Dispose();
    }

    /// <summary>SQLite's data_version, which changes when another connection writes. No other connection of this process writes.</summary>
    private void CheckForOtherWriters()
    {
        using Statement.Rows rows = _others.Query();
        if (!rows.Next()) return;
        long version = _others.ReadLong();
        HasOthers |= _seen is { } seen && seen != version;
        _seen = version;
    }

    private void Rollback()
    {
        try
        {
            _database.Rollback();
        }
        catch (Microsoft.Data.Sqlite.SqliteException)
        {
            // The first exception names the cause.
        }
        IsBroken = !_database.IsIdle;
    }
}
