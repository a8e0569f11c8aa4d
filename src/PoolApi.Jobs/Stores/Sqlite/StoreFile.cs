namespace PoolApi.Jobs.Stores.Sqlite;

/// <summary>The file of a store: how it is opened.</summary>
internal sealed class StoreFile(string path, int? maxPages) : IDisposable
{
    private OwnerLock? _lock;

    public string Path => path;

    /// <summary>Others had the store open when it was opened.</summary>
    public bool IsShared { get; private set; }

    /// <summary>Opens it, makes it if it is not there, brings it up to date, and takes note of who else has it open.</summary>
    /// <exception cref="JobStoreException">It cannot be opened.</exception>
    public WriterSession OpenFirst(DateTimeOffset now)
    {
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
            _lock = OwnerLock.Take(path + "-owner");
            IsShared = !_lock.IsAlone;
            WriterSession session = OpenWriter(mayCreate: true);
            try
            {
                // Whoever ran them is dead: they are lost, however long their lease. Tending finds them at once.
                if (_lock.IsAlone) session.Commit(now, session.Tending.EndLeases);
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
    public ReaderSession OpenReader() => Open(mayCreate: false, database => new ReaderSession(database, path));

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
        return new WriterSession(database, path, maxPages);
    });

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
