namespace PoolApi.Jobs.Sqlite;

/// <summary>The writer's connection, and what is done on it. One transaction at a time.</summary>
internal sealed class WriterSession : IDisposable
{
    private readonly Database _database;
    private readonly StoreFiles _files;
    private readonly Statement _others;
    private readonly Statement _begin;
    private readonly Statement _commit;
    private readonly JobTable _table;
    private readonly Batch _batch = new();
    private long? _seen; // the number of what others have written

    /// <param name="database">The file, of the latest version. Is disposed of with this.</param>
    /// <param name="files">Where it is.</param>
    /// <param name="maxPages">How big the file may become; <see langword="null"/>: as big as the disk lets it.</param>
    public WriterSession(Database database, StoreFiles files, int? maxPages)
    {
        (_database, _files) = (database, files);
        // Fewer and bigger checkpoints than by default write a page that many commits have changed once instead of many times; the log
        // stays below that size, but for a long read or a full disk.
        database.Execute(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA wal_autocheckpoint = 4000;
            PRAGMA journal_size_limit = 67108864;
            PRAGMA cache_size = -16384;
            PRAGMA temp_store = MEMORY;
            """);
        database.Number("PRAGMA user_version"); // with the first read the log and its index are opened
        if (maxPages is { } pages) database.Execute($"PRAGMA max_page_count = {pages}");
        _begin = database.Prepare("BEGIN IMMEDIATE");
        _commit = database.Prepare("COMMIT");
        _others = database.Prepare("PRAGMA data_version");
        var reads = new JobReads(database, () => _batch.Steady);
        _table = new JobTable(database, _batch);
        var suspects = new Suspects(database, _batch);
        Writes = new JobWrites(database, reads, _table, suspects, _batch);
        Maintenance = new JobMaintenance(database, _table, suspects, _batch);
    }

    /// <summary>The file's path as the library has it.</summary>
    public string File => _database.File;

    public JobWrites Writes { get; }

    public JobMaintenance Maintenance { get; }

    /// <summary>After a fault the connection is in a transaction that it cannot leave: it is of no use any more.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Another process has written to the file since this was opened.</summary>
    public bool HasOthers { get; private set; }

    /// <summary>Does work in one transaction, and commits it.</summary>
    /// <returns>What was done, to be told to listeners. If it throws, nothing was done.</returns>
    public Batch Commit(StoreTime now, Action work)
    {
        try
        {
            _batch.Begin(now);
            _begin.Run();
            _files.Check();
            LookForOthers();
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

    /// <summary>Moves the log into the store, at the end. Not into one that is not where it was.</summary>
    /// <param name="patience">How long to wait for other processes, in milliseconds.</param>
    /// <returns>Whether that was possible: not while another process reads or writes.</returns>
    public bool TryMoveLog(int patience)
    {
        _files.Check();
        return _database.TryCheckpoint(patience);
    }

    /// <summary>Sets the store's clock by the file, or the file by the clock.</summary>
    /// <param name="clock">The clock.</param>
    /// <param name="isAlone">No other process has the file open.</param>
    public void Anchor(StoreClock clock, bool isAlone) => Commit(clock.Read(), () =>
    {
        if (clock.Anchor(_table.ReadClock(), _table.ReadLatest(), isAlone)) SaveClock(clock);
    });

    /// <summary>Keeps the clock's offset in the file.</summary>
    public void SaveClock(StoreClock clock) => _table.SaveClock(StoreClock.Boot, clock.Offset);

    public void Dispose()
    {
        if (_files.AreReplaced) _database.LeaveLog();
        _database.Dispose();
    }

    /// <summary>The number changes when another connection has written, and there is no other that does so in this process.</summary>
    private void LookForOthers()
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
            // What went wrong before says more.
        }
        IsBroken = !_database.IsIdle;
    }
}
