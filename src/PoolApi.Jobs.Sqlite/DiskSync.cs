using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PoolApi.Jobs.Sqlite;

/// <summary>Writes what the kernel holds of files and directories to the disk.</summary>
/// <remarks>
/// SQLite syncs what it writes itself, and nothing else. Two things are left: what a process wrote that was killed before its own
/// sync, and directories that were made for the store.
/// </remarks>
internal static partial class DiskSync
{
    private const int ReadOnly = 0, CloseOnExec = 0x80000; // O_RDONLY, O_CLOEXEC

    /// <summary>Syncs a file, if it is there.</summary>
    /// <remarks>
    /// Never the store itself: to close any handle of it would drop the locks that SQLite holds on it in this process
    /// (POSIX, fcntl). The log has no such locks.
    /// </remarks>
    /// <returns>Whether it is there.</returns>
    /// <exception cref="IOException">The disk does not take it.</exception>
    public static bool File(string path)
    {
        if (!OperatingSystem.IsLinux()) return FlushElsewhere(path);
        using SafeFileHandle file = Open(path, ReadOnly | CloseOnExec);
        if (file.IsInvalid && !System.IO.File.Exists(path)) return false;
        if (file.IsInvalid || FSync(file) != 0) throw Fault(path);
        return true;
    }

    /// <summary>Syncs a directory: which names it has. One that cannot be opened or synced is left as it is, as SQLite does.</summary>
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
