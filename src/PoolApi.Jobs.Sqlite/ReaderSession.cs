namespace PoolApi.Jobs.Sqlite;

/// <summary>A reader's connection with its prepared statements. Used by its thread only.</summary>
internal sealed class ReaderSession : IDisposable
{
    private readonly Database _database;
    private readonly FilesInPlace _files;
    private readonly Statement _begin;
    private readonly Statement _end;

    /// <param name="database">The connection to a file of the latest version. Disposed of with the session.</param>
    /// <param name="files">Checks that the files are in place.</param>
    /// <param name="clock">The store's clock, already set.</param>
    public ReaderSession(Database database, FilesInPlace files, StoreClock clock)
    {
        (_database, _files) = (database, files);
        database.Execute("PRAGMA query_only = 1");
        _begin = database.Prepare("BEGIN");
        _end = database.Prepare("COMMIT");
        Jobs = new JobReads(database, () => clock.Read().Steady);
        Lists = new JobLists(database, Jobs);
        Changes = new ForeignChanges(database);
        database.Number("PRAGMA user_version"); // the first read opens the log and its index
    }

    public JobReads Jobs { get; }

    public JobLists Lists { get; }

    public ForeignChanges Changes { get; }

    /// <summary>Runs an operation in one read transaction, so that it sees one state of the file.</summary>
    public void Do(Operation<ReaderSession> operation)
    {
        try
        {
            _begin.Run();
            operation.Do(this);
            _files.Check();
            _end.Run();
        }
        catch
        {
            _database.Rollback();
            throw;
        }
    }

    public void Dispose()
    {
        if (_files.AreReplaced) _database.LeaveLog();
        _database.Dispose();
    }
}
