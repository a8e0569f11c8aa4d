namespace PoolApi.Jobs.Sqlite;

/// <summary>
/// Opens the connections of a store and prepares its file: directories, owner's lock, schema, clock, leases of dead processes. The writer's thread
/// prepares it; the readers' threads only open further connections.
/// </summary>
/// <remarks>
/// <code>
///   closed ──OpenFirst──► prepared ──OpenWriter · OpenReader──► more connections
///      └──no room on the disk──► closed: each operation fails; the next write tries OpenFirst again
/// </code>
/// <para>A process that is killed between the write of a commit and its sync leaves the commit in the kernel's page cache. SQLite treats it as
/// committed when it next opens the log, but syncs it only with the next commit. A response that relies on it would not survive a power failure. So
/// each connection, after its first read, syncs the log and its directory. A checkpoint would sync them too, but it costs more and is not possible
/// while another process reads.</para>
/// </remarks>
/// <param name="path">The absolute path of the file.</param>
/// <param name="maxPages">The largest size in pages; <see langword="null"/>: no limit but the disk.</param>
/// <param name="observer">Receives each step.</param>
internal sealed class StoreFile(string path, int? maxPages, Action<StoreStep, string>? observer) : IDisposable
{
    private readonly FilesInPlace _files = new(path);
    private OwnerLock? _lock;
    private volatile bool _isShared;
    private volatile JobStoreException? _closed = new JobStoreUnavailableException($"The job store '{path}' is not open.");
    private IReadOnlyList<SqliteMaintenance.ClaimKey> _orphans = [];
    private bool _isClockUnsaved;
    private StoreClock? _clock; // set once the file is prepared

    public string Path => path;

    /// <summary>Whether other processes had the store open when it was opened, or have written to it since.</summary>
    public bool IsShared
    {
        get => _isShared;
        set => _isShared = value;
    }

    /// <summary>Whether the file was opened once and has the latest version.</summary>
    public bool IsPrepared => _closed is null;

    /// <summary>Opens the file, creates it if it does not exist, upgrades its schema, and detects other processes.</summary>
    /// <exception cref="JobStoreUnavailableException">The disk is full.</exception>
    /// <exception cref="JobStoreException">The file cannot be opened.</exception>
    public WriterSession OpenFirst(StoreClock clock)
    {
        try
        {
            MakeDirectory(System.IO.Path.GetDirectoryName(path)!);
            _lock = OwnerLock.Take(path + "-owner");
            IsShared = !_lock.IsAlone;
            RefuseOrphan();
            WriterSession session = OpenPrepared(_lock);
            try
            {
                SetClock(session, clock, _lock.IsAlone);
                _clock = clock;
                if (_lock.IsAlone) EndLeases(session, clock);
                _files.Remember(session.File);
                _lock.Share();
                _closed = null;
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
            JobStoreException fault = StoreFaults.AtOpen(e, path);
            // The next write calls OpenFirst again, and an operator may have repaired the file by then. So the fault counts as temporary.
            _closed = fault as JobStoreUnavailableException ?? new JobStoreUnavailableException(fault.Message, fault);
            throw fault;
        }
    }

    /// <summary>Opens another connection for writing, or the first one if the disk was full so far.</summary>
    public WriterSession OpenWriter(StoreClock clock)
    {
        if (IsPrepared) return OpenWriter(mayCreate: false);
        try
        {
            return OpenFirst(clock);
        }
        catch (JobStoreException)
        {
            throw _closed!;
        }
    }

    /// <summary>Opens a connection for reading.</summary>
    /// <exception cref="JobStoreUnavailableException">The file is not prepared.</exception>
    public ReaderSession OpenReader()
    {
        if (_closed is { } fault) throw fault;
        return Open(mayCreate: false, database => new ReaderSession(database, _files, _clock!));
    }

    /// <summary>
    /// Writes what could not be written when the store was opened on a full disk, if there is space now: the clock's offset, and the ends of the leases of
    /// dead processes. Claims that were made since keep their leases.
    /// </summary>
    public void CatchUp(WriterSession session, StoreClock clock)
    {
        if (_orphans.Count == 0 && !_isClockUnsaved) return;
        try
        {
            session.Commit(clock.Read(), () =>
            {
                if (_isClockUnsaved) session.SaveClock(clock);
                session.Maintenance.EndLeases(_orphans);
            });
            _orphans = [];
            _isClockUnsaved = false;
        }
        catch (Exception e) when (DiskRoom.IsOut(e, path) && !session.IsBroken)
        {
            // Operations that need no space still run.
        }
    }

    /// <summary>Reports a step to the observer.</summary>
    public void Report(StoreStep step, string of) => observer?.Invoke(step, of);

    public void Dispose()
    {
        _lock?.ReserveRoom(); // if the disk was full before
        _lock?.Dispose();
        _lock = null;
    }

    /// <summary>
    /// Creates the directory and those above it, and syncs each name in its parent. Existing directories are synced too, because the process that created
    /// them may have been killed before it synced them.
    /// </summary>
    private void MakeDirectory(string directory)
    {
        Directory.CreateDirectory(directory);
        for (string? each = directory; each is not null; each = System.IO.Path.GetDirectoryName(each))
        {
            if (DiskSync.Directory(each)) Report(StoreStep.Synced, each);
        }
    }

    private WriterSession OpenPrepared(OwnerLock taken)
    {
        WriterSession session;
        try
        {
            session = OpenWriter(mayCreate: true);
        }
        catch (Exception e) when (DiskRoom.IsOut(e, path) && taken.ReleaseRoom())
        {
            return OpenWriter(mayCreate: true);
        }
        taken.ReserveRoom();
        return session;
    }

    private void SetClock(WriterSession session, StoreClock clock, bool isAlone)
    {
        try
        {
            session.Anchor(clock, isAlone);
            _isClockUnsaved = false;
        }
        catch (Exception e) when (DiskRoom.IsOut(e, path) && !session.IsBroken)
        {
            // The clock is set. Its offset is stored by the first commit that finds space.
            _isClockUnsaved = true;
        }
    }

    /// <summary>Ends the leases of all running jobs, because their processes are dead. Maintenance redelivers the jobs at once.</summary>
    private void EndLeases(WriterSession session, StoreClock clock)
    {
        try
        {
            session.Commit(clock.Read(), session.Maintenance.EndLeases);
            _orphans = [];
        }
        catch (Exception e) when (DiskRoom.IsOut(e, path) && !session.IsBroken)
        {
            // The first commit that finds space ends these leases.
            _orphans = session.Maintenance.Running();
        }
    }

    // A missing file is not created again, because clients were promised the jobs that it had.
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

    /// <summary>Refuses a log without its store. Creating a new store would discard the commits in the log.</summary>
    private void RefuseOrphan()
    {
        if (File.Exists(path) || new FileInfo(path + "-wal") is not { Exists: true, Length: > 0 }) return;
        throw new JobStoreException(
            $"'{path}' is not there, but its log '{path}-wal' is, with jobs in it. Put the store back beside its log. To begin with an empty store, move the log away.");
    }

    /// <param name="mayCreate">Whether a missing file is created.</param>
    /// <param name="prepare">Prepares the connection, and reads from the file.</param>
    private T Open<T>(bool mayCreate, Func<Database, T> prepare)
    {
        Database database = Database.Open(path, mayCreate);
        try
        {
            T session = prepare(database);
            Sync(database.File);
            return session;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Syncs the log that the connection may have recovered. Costs next to nothing if the disk has it already.</summary>
    private void Sync(string file)
    {
        string log = file + "-wal";
        if (DiskSync.File(log)) Report(StoreStep.Synced, log);
        string directory = System.IO.Path.GetDirectoryName(file)!;
        if (DiskSync.Directory(directory)) Report(StoreStep.Synced, directory);
    }
}
