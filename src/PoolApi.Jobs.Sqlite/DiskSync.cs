using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PoolApi.Jobs.Sqlite;

/// <summary>Syncs files and directories to disk. Each call waits for the disk.</summary>
/// <remarks>
/// SQLite syncs only what this process wrote. That leaves two things: the writes of a process that was killed before its own sync, and the
/// directories that were created for the store.
/// </remarks>
internal static partial class DiskSync
{
    private const int ReadOnly = 0, CloseOnExec = 0x80000; // O_RDONLY, O_CLOEXEC

    /// <summary>Syncs a file if it exists.</summary>
    /// <remarks>
    /// Must not be called for the store itself: closing any handle of it drops the locks that SQLite has on it in this process (POSIX fcntl locks).
    /// The log has no such locks.
    /// </remarks>
    /// <returns>Whether the file exists.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public static bool File(string path)
    {
        if (!OperatingSystem.IsLinux()) return FlushElsewhere(path);
        using SafeFileHandle file = Open(path, ReadOnly | CloseOnExec);
        if (file.IsInvalid && !System.IO.File.Exists(path)) return false;
        if (file.IsInvalid || FSync(file) != 0) throw Fault(path);
        return true;
    }

    /// <summary>Syncs the names in a directory. Like SQLite, it ignores a directory that cannot be opened or synced.</summary>
    /// <returns>Whether it was synced.</returns>
    public static bool Directory(string path)
    {
        if (!OperatingSystem.IsLinux()) return false;
        using SafeFileHandle directory = Open(path, ReadOnly | CloseOnExec);
        return !directory.IsInvalid && FSync(directory) == 0;
    }

    private static bool FlushElsewhere(string path)
    {
        if (!System.IO.File.Exists(path)) return false;
        using SafeFileHandle file = System.IO.File.OpenHandle(
            path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.FlushToDisk(file);
        return true;
    }

    private static IOException Fault(string path)
    {
        int number = Marshal.GetLastPInvokeError();
        return new IOException($"'{path}' cannot be synced to the disk: {Marshal.GetPInvokeErrorMessage(number)}", number);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(SafeFileHandle file);
}
