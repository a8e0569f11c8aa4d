namespace PoolApi.Jobs.Stores.Sqlite;

/// <summary>The file of a store: how it is opened.</summary>
internal sealed class StoreFile(string path, int? maxPages) : IDisposable
{
    private readonly StoreFiles _files = new(path);
    private OwnerLock? _lock;
    private volatile bool _isShared;

    public string Path => path;

    /// <summary>Others had the store open when it was opened, or have written to it since.</summary>
    public bool IsShared
    {
        get => _isShared;
        set => _isShared = value;
    }

    /// <summary>Opens it, makes it if it is not there, brings it up to date, and takes note of who else has it open.</summary>
    /// <exception cref="JobStoreException">It cannot be opened.</exception>
    public WriterSession OpenFirst(StoreClock clock)
    {
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
            _lock = OwnerLock.Take(path + "-owner");
            IsShared = !_lock.IsAlone;
            RefuseOrphan();
            WriterSession session = OpenWriter(mayCreate: true);
            try
            {
                session.Anchor(clock, _lock.IsAlone);
                // Whoever ran them is dead: they are lost, however long their lease. Tending finds them at once.
                if (_lock.IsAlone) session.Commit(clock.Read(), session.Tending.EndLeases);
                _files.Remember(session.File);
                _lock.Share();
                return session;
            }
            catch
            {
                session.Dispose();
                throw;
            }
        }
        catch (Exception e)
        {
            Dispose();
            throw StoreFaults.AtOpen(e, path);
        }
    }

    /// <summary>Opens it once more for writing.</summary>
    public WriterSession OpenWriter() => OpenWriter(mayCreate: false);

    /// <summary>Opens it for reading.</summary>
    public ReaderSession OpenReader() => Open(mayCreate: false, database => new ReaderSession(database, _files));

    public void Dispose()
    {
        _lock?.Dispose();
        _lock = null;
    }

    // One that has vanished is not made anew: what it held was promised to somebody.
    private WriterSession OpenWriter(bool mayCreate) => Open(mayCreate, database =>
    {
        if (database.IsReadOnly)
        {
            throw new JobStoreException(
                $"The job store '{path}' is read-only. Let this user write it and its directory, or give another path (Jobs:Path).");
        }
        Schema.Update(database, path);
        return new WriterSession(database, _files, maxPages);
    });

    /// <summary>A log without its store: to make a new store would be to throw away what is committed in the log.</summary>
    private void RefuseOrphan()
    {
        if (File.Exists(path) || new FileInfo(path + "-wal") is not { Exists: true, Length: > 0 }) return;
        throw new JobStoreException(
            $"'{path}' is not there, but its log '{path}-wal' is, with jobs in it. Put the store back beside its log. To begin with an empty store, move the log away.");
    }

    private T Open<T>(bool mayCreate, Func<Database, T> prepare)
    {
        Database database = Database.Open(path, mayCreate);
        try
        {
            return prepare(database);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }
}
