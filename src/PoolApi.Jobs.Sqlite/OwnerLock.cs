using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PoolApi.Jobs.Sqlite;

/// <summary>Detects whether other processes have the store open, by an advisory lock (flock) on a file beside it.</summary>
/// <remarks>
/// <code>
///   exclusive, if no other process has the store open ──Share──► shared, until the store is closed
///   shared, if others have it open: waits until the one with the exclusive lock has prepared the store
/// </code>
/// The kernel releases the lock when the process ends, however it ends. So a process with the exclusive lock knows that every job that the file has as
/// running belongs to a dead process, and does not wait for its lease. FileStream's own lock can neither wait nor become shared. On a file system
/// without such locks, leases decide.
/// </remarks>
internal sealed partial class OwnerLock : IDisposable
{
    private const int Shared = 1, Exclusive = 2, WithoutWaiting = 4; // LOCK_SH, LOCK_EX, LOCK_NB
    private const int ReadWrite = 0x2, Create = 0x40, CloseOnExec = 0x80000; // O_RDWR, O_CREAT, O_CLOEXEC
    private const int Interrupted = 4; // EINTR

    private readonly SafeFileHandle? _file;

    private OwnerLock(SafeFileHandle? file, bool isAlone) => (_file, IsAlone) = (file, isAlone);

    /// <summary>Whether no other process has the store open. None can open it before <see cref="Share"/>.</summary>
    public bool IsAlone { get; }

    /// <summary>Takes the lock. Waits while another process prepares the store.</summary>
    /// <exception cref="IOException">The lock's file cannot be opened.</exception>
    public static OwnerLock Take(string path)
    {
        if (!OperatingSystem.IsLinux()) return new OwnerLock(null, isAlone: false);
        SafeFileHandle file = Open(path, ReadWrite | Create | CloseOnExec, 0b110_100_100);
        if (file.IsInvalid)
        {
            int number = Marshal.GetLastPInvokeError();
            file.Dispose();
            throw new IOException(Marshal.GetPInvokeErrorMessage(number), number);
        }
        bool alone = FLock(file, Exclusive | WithoutWaiting) == 0;
        var taken = new OwnerLock(file, alone);
        if (!alone) taken.Share();
        return taken;
    }

    /// <summary>Lets other processes open the store.</summary>
    public void Share()
    {
        if (_file is null) return;
        while (FLock(_file, Shared) != 0 && Marshal.GetLastPInvokeError() == Interrupted)
        {
        }
    }

    /// <summary>
    /// Reserves disk space for the log's index, which a clean stop deletes. So the store can be opened and read even if the disk is full by then. The
    /// lock's file holds the space. Does nothing unless this process <see cref="IsAlone"/>.
    /// </summary>
    public void ReserveRoom()
    {
        if (_file is not null && IsAlone) DiskRoom.Reserve(_file, DiskRoom.OfIndex);
    }

    /// <summary>Releases the reserved disk space.</summary>
    /// <returns>Whether space was reserved.</returns>
    public bool ReleaseRoom()
    {
        if (_file is null || !IsAlone || RandomAccess.GetLength(_file) == 0) return false;
        RandomAccess.SetLength(_file, 0);
        return true;
    }

    public void Dispose() => _file?.Dispose();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FLock(SafeFileHandle file, int operation);
}
