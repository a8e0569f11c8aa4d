namespace PoolApi.Jobs.Sqlite;

/// <summary>A reader's connection, and what is read on it.</summary>
internal sealed class ReaderSession : IDisposable
{
    private readonly Database _database;
    private readonly StoreFiles _files;
    private readonly Statement _begin;
    private readonly Statement _end;

    /// <param name="database">The file, of the latest version. Is disposed of with this.</param>
    /// <param name="files">Where it is.</param>
    /// <param name="clock">The store's clock, which is set.</param>
    public ReaderSession(Database database, StoreFiles files, StoreClock clock)
    {
        (_database, _files) = (database, files);
        database.Execute("PRAGMA query_only = 1");
        _begin = database.Prepare("BEGIN");
        _end = database.Prepare("COMMIT");
        Jobs = new JobReads(database, () => clock.Read().Steady);
        Lists = new JobLists(database, Jobs);
        Changes = new ForeignChanges(database);
        database.Number("PRAGMA user_version"); // with the first read the log and its index are opened
    }

    public JobReads Jobs { get; }

    public JobLists Lists { get; }

    public ForeignChanges Changes { get; }

    /// <summary>Does an operation; all that it reads is as of one moment.</summary>
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
