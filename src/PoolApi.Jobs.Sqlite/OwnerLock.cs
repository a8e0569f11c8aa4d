using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PoolApi.Jobs.Sqlite;

/// <summary>Tells whether other processes have the same store open, by an advisory lock on a file beside it.</summary>
/// <remarks>
/// <code>
///   exclusive, if nobody else lives ──Share──► shared, for the store's life
///   shared, if others live: after whoever is alone just now has prepared the store
/// </code>
/// The kernel gives a lock up with its process, however that ends. So who gets it alone knows that every job that runs by the
/// file is a dead process's, and need not wait for its lease. Not a FileStream's own lock: that cannot wait, nor become a
/// shared one. Where there is no such lock, leases decide.
/// </remarks>
internal sealed partial class OwnerLock : IDisposable
{
    private const int Shared = 1, Exclusive = 2, WithoutWaiting = 4; // LOCK_SH, LOCK_EX, LOCK_NB
    private const int ReadWrite = 0x2, Create = 0x40, CloseOnExec = 0x80000; // O_RDWR, O_CREAT, O_CLOEXEC
    private const int Interrupted = 4; // EINTR

    private readonly SafeFileHandle? _file;

    private OwnerLock(SafeFileHandle? file, bool isAlone) => (_file, IsAlone) = (file, isAlone);

    /// <summary>Nobody else has the store open, and nobody can open it before <see cref="Share"/>.</summary>
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

    /// <summary>Lets others in.</summary>
    public void Share()
    {
        if (_file is null) return;
        while (FLock(_file, Shared) != 0 && Marshal.GetLastPInvokeError() == Interrupted)
        {
        }
    }

    /// <summary>
    /// Keeps room on the disk for the log's index, which a clean stop deletes: a store whose disk is filled meanwhile can still be
    /// opened and read. The lock's file is where the room is kept. Without effect unless this process <see cref="IsAlone"/>.
    /// </summary>
    public void ReserveRoom()
    {
        if (_file is not null && IsAlone) DiskRoom.Reserve(_file, DiskRoom.OfIndex);
    }

    /// <summary>Gives the room back to the disk.</summary>
    /// <returns>Whether there was some.</returns>
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
