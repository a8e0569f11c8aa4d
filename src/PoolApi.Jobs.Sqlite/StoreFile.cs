namespace PoolApi.Jobs.Sqlite;

/// <summary>The file of a store: how it is opened.</summary>
/// <remarks>
/// <code>
///   closed ──OpenFirst──► prepared ──OpenWriter · OpenReader──► more connections
///      └──no room on the disk──► closed: each operation fails; the next write tries OpenFirst again
/// </code>
/// <para>A process that was killed between the write of a commit and its sync leaves that commit in the kernel's memory. SQLite
/// takes it for committed when it next opens the log, and syncs it only with the next commit. An answer from it would be a
/// promise that a power failure breaks. So each connection, after its first read, syncs the log and the directory that names it.
/// A checkpoint would sync them too, but not while another process reads; and it costs more.</para>
/// </remarks>
/// <param name="path">The file; absolute.</param>
/// <param name="maxPages">How big it may become; <see langword="null"/>: as big as the disk lets it.</param>
/// <param name="observer">Is told of each step.</param>
internal sealed class StoreFile(string path, int? maxPages, Action<StoreStep, string>? observer) : IDisposable
{
    private readonly StoreFiles _files = new(path);
    private OwnerLock? _lock;
    private volatile bool _isShared;
    private volatile JobStoreException? _closed = new JobStoreUnavailableException($"The job store '{path}' is not open.");
    private IReadOnlyList<JobMaintenance.ClaimKey> _orphans = [];
    private bool _isClockUnsaved;
    private StoreClock? _clock; // once it is prepared

    public string Path => path;

    /// <summary>Others had the store open when it was opened, or have written to it since.</summary>
    public bool IsShared
    {
        get => _isShared;
        set => _isShared = value;
    }

    /// <summary>It has been opened once, and is of the latest version.</summary>
    public bool IsPrepared => _closed is null;

    /// <summary>Opens it, makes it if it is not there, brings it up to date, and takes note of who else has it open.</summary>
    /// <exception cref="JobStoreUnavailableException">There is no room on the disk.</exception>
    /// <exception cref="JobStoreException">It cannot be opened.</exception>
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
            // Once it was tried, whatever is wrong with it may be repaired while the process goes on.
            _closed = fault as JobStoreUnavailableException ?? new JobStoreUnavailableException(fault.Message, fault);
            throw fault;
        }
    }

    /// <summary>Opens it once more for writing; for the first time, if there was no room on the disk so far.</summary>
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

    /// <summary>Opens it for reading.</summary>
    /// <exception cref="JobStoreUnavailableException">It is not prepared.</exception>
    public ReaderSession OpenReader()
    {
        if (_closed is { } fault) throw fault;
        return Open(mayCreate: false, database => new ReaderSession(database, _files, _clock!));
    }

    /// <summary>
    /// Writes what could not be written when the store was opened, if there is room now: the clock's offset, and the ends of leases.
    /// What is claimed since is not among them.
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
            // What needs no room is done all the same.
        }
    }

    /// <summary>Tells of a step.</summary>
    public void Tell(StoreStep step, string of) => observer?.Invoke(step, of);

    public void Dispose()
    {
        _lock?.ReserveRoom(); // if it could not be kept before
        _lock?.Dispose();
        _lock = null;
    }

    /// <summary>
    /// Makes the directory with those above it. The names of new ones are synced, each in the directory that has it. So are those of
    /// old ones: a process may have made them that was killed before it synced them.
    /// </summary>
    private void MakeDirectory(string directory)
    {
        Directory.CreateDirectory(directory);
        for (string? each = directory; each is not null; each = System.IO.Path.GetDirectoryName(each))
        {
            if (DiskSync.Directory(each)) Tell(StoreStep.Synced, each);
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
            // The clock is set. The file has its offset with the first commit for which there is room.
            _isClockUnsaved = true;
        }
    }

    /// <summary>Whoever ran the jobs is dead: they are lost, however long their lease. Maintenance finds them at once.</summary>
    private void EndLeases(WriterSession session, StoreClock clock)
    {
        try
        {
            session.Commit(clock.Read(), session.Maintenance.EndLeases);
            _orphans = [];
        }
        catch (Exception e) when (DiskRoom.IsOut(e, path) && !session.IsBroken)
        {
            // With the first commit for which there is room.
            _orphans = session.Maintenance.Running();
        }
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

    /// <param name="mayCreate">Whether it is made if it is not there.</param>
    /// <param name="prepare">Prepares the connection. It has read from the file when it returns.</param>
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

    /// <summary>Makes durable what the connection may have found in the log. Costs nothing where it is durable already.</summary>
    private void Sync(string file)
    {
        string log = file + "-wal";
        if (DiskSync.File(log)) Tell(StoreStep.Synced, log);
        string directory = System.IO.Path.GetDirectoryName(file)!;
        if (DiskSync.Directory(directory)) Tell(StoreStep.Synced, directory);
    }
}
