using Microsoft.Data.Sqlite;
using static SQLitePCL.raw;

namespace PoolApi.Jobs.Sqlite;

/// <summary>Translates faults of SQLite and the file system into exceptions with a message for the operator.</summary>
internal static class StoreFaults
{
    /// <summary>Translates a fault while the store is opened.</summary>
    /// <returns>A <see cref="JobStoreUnavailableException"/>, which a later call may overcome, only if the disk is full.</returns>
    public static JobStoreException AtOpen(Exception fault, string path) => fault switch
    {
        JobStoreException known => known,
        _ when DiskRoom.IsOut(fault, path) => new JobStoreUnavailableException($"The job store '{path}' cannot be opened: {NoRoom}.", fault),
        SqliteException { SqliteErrorCode: SQLITE_NOTADB } => new JobStoreException(
            $"'{path}' is not a job store, or it is damaged: it is not an SQLite database. Restore it from a backup, or move it away to begin " +
            "with an empty store, or give another path (Jobs:Path).", fault),
        SqliteException { SqliteErrorCode: SQLITE_CORRUPT } => new JobStoreException(
            $"'{path}' is damaged ({fault.Message}). Restore it from a backup, or move it away to begin with an empty store.", fault),
        SqliteException e => new JobStoreException($"The job store '{path}' cannot be opened: {Words(e)}.", fault),
        UnauthorizedAccessException or IOException => new JobStoreException(
            $"The job store '{path}' cannot be opened: its directory cannot be written ({fault.Message}). Let this user write there, or give " +
            "another path (Jobs:Path).", fault),
        _ => new JobStoreException($"The job store '{path}' cannot be opened: {fault.Message}", fault),
    };

    /// <summary>Translates a fault of an open store.</summary>
    public static Exception AtRunTime(Exception fault, string path) => fault switch
    {
        JobStoreException => fault,
        SqliteException { SqliteErrorCode: SQLITE_CONSTRAINT } e => new JobStoreException(
            $"The job store '{path}' refuses it: {e.Message}.", e),
        SqliteException { SqliteErrorCode: SQLITE_TOOBIG } e => new JobStoreException(
            $"The job store '{path}' refuses it: a payload or a result is too big for one row.", e),
        SqliteException e => new JobStoreUnavailableException($"The job store '{path}' cannot be used: {Words(e)}.", e),
        IOException e => new JobStoreUnavailableException($"The job store '{path}' cannot be used: {e.Message}.", e),
        _ => fault,
    };

    /// <summary>Creates the exception for a file that was moved or deleted.</summary>
    public static JobStoreUnavailableException Moved(string path, string file) => new(
        $"The job store '{path}' cannot be used: '{file}' was deleted or moved while it is in use. Put it back; if that cannot be done, " +
        "stop the service, and start it again with what there is.");

    /// <summary>Whether a fault is of the disk or the whole file, so that every other operation would fail too.</summary>
    public static bool IsOfTheFile(Exception fault) =>
        fault is JobStoreUnavailableException or SqliteException { SqliteErrorCode: not (SQLITE_CONSTRAINT or SQLITE_TOOBIG or SQLITE_FULL) };

    private const string NoRoom = "the disk is full; make room for it and for its '-wal' and '-shm' files";

    private static string Words(SqliteException e) => e.SqliteErrorCode switch
    {
        SQLITE_FULL => NoRoom,
        SQLITE_BUSY or SQLITE_LOCKED or SQLITE_PROTOCOL => "another program keeps it locked; end that program",
        SQLITE_READONLY => "it is read-only; give this user write permission for it, for the files beside it whose names begin with its name, and for their directory",
        SQLITE_CANTOPEN => "it or a file beside it cannot be created or opened; check that it is a file and that this user may write to its directory",
        SQLITE_PERM or SQLITE_AUTH => "this user may not read or write it",
        SQLITE_IOERR => $"the disk fails or is full ({e.Message}; code {e.SqliteExtendedErrorCode}); look into the system's log",
        SQLITE_CORRUPT or SQLITE_NOTADB => $"it is damaged ({e.Message}); restore it from a backup",
        _ => $"{e.Message} (code {e.SqliteExtendedErrorCode})",
    };
}
