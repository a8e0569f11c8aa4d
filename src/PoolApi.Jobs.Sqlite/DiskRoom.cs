using Microsoft.Data.Sqlite;
using Microsoft.Win32.SafeHandles;
using static SQLitePCL.raw;

namespace PoolApi.Jobs.Sqlite;

/// <summary>
/// Distinguishes a full disk (no bytes, inodes or quota left) from one that fails, and reserves space. SQLite's own error does not always say which
/// it is. Costs a few system calls.
/// </summary>
internal static class DiskRoom
{
    /// <summary>The size of one region of the log's index (<c>-shm</c>), in bytes. Without that space SQLite cannot even read the store.</summary>
    public const int OfIndex = 32 * 1024;

    private const int NoSpace = 28, QuotaExceeded = 122; // ENOSPC, EDQUOT

    /// <summary>Whether a fault means that the store's disk is full.</summary>
    /// <param name="fault">The exception.</param>
    /// <param name="path">The store.</param>
    public static bool IsOut(Exception fault, string path) => fault switch
    {
        SqliteException { SqliteErrorCode: SQLITE_FULL } => true,
        // SQLite does not say why a file could not be created or why the index could not grow, and reports an exceeded quota as "disk I/O error".
        SqliteException { SqliteErrorCode: SQLITE_IOERR or SQLITE_CANTOPEN } => IsOutBeside(path),
        IOException e => e.HResult is NoSpace or QuotaExceeded,
        _ => false,
    };

    /// <summary>Allocates disk space to a file, so that no other file can use it. Does nothing if the disk is full.</summary>
    /// <param name="file">The file.</param>
    /// <param name="bytes">The number of bytes.</param>
    public static void Reserve(SafeFileHandle file, int bytes)
    {
        try
        {
            if (RandomAccess.GetLength(file) == bytes) return;
            RandomAccess.Write(file, Incompressible(bytes), 0);
        }
        catch (IOException)
        {
            RandomAccess.SetLength(file, 0);
        }
    }

    /// <summary>Random bytes: a file system that compresses would keep nothing for zeros. No secret, so OpenSSL need not be loaded for them.</summary>
    private static byte[] Incompressible(int length)
    {
        var bytes = new byte[length];
        Random.Shared.NextBytes(bytes);
        return bytes;
    }

    /// <summary>Tests whether the disk is full: writes a new file of the index's size beside the store, and deletes it.</summary>
    private static bool IsOutBeside(string path)
    {
        string trial = $"{path}-room-{Guid.NewGuid():N}";
        try
        {
            using SafeFileHandle file = File.OpenHandle(trial, FileMode.CreateNew, FileAccess.Write, options: FileOptions.DeleteOnClose);
            RandomAccess.Write(file, Incompressible(OfIndex), 0);
            return false;
        }
        catch (IOException e)
        {
            return e.HResult is NoSpace or QuotaExceeded;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }
}
