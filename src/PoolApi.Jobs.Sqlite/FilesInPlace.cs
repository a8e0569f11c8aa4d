using System.Runtime.InteropServices;

namespace PoolApi.Jobs.Sqlite;

/// <summary>
/// Checks that the files of an open store are still in place. A commit to a file that was moved or deleted would be lost, because the next process
/// that opens the store creates new files.
/// </summary>
/// <remarks>
/// <para>While this process has a connection, the store, its log (<c>-wal</c>), the log's index (<c>-shm</c>) and <c>-owner</c> must stay the same
/// files. SQLite does not notice if they are replaced, because it has them open.</para>
/// <para>Compares device and inode numbers, or only existence if the system does not report the numbers. Four system calls, a few microseconds.
/// Thread-safe.</para>
/// </remarks>
internal sealed partial class FilesInPlace(string path)
{
    private const int CurrentDirectory = -100, NumbersAsked = 0x100; // AT_FDCWD, STATX_INO
    private const int NumberAt = 32, DeviceAt = 136, Size = 256; // of struct statx, the same everywhere
    private const int NotThere = 2, NoDirectory = 20; // ENOENT, ENOTDIR

    private volatile (string File, FileNumber Number)[] _known = [];

    /// <summary>Records the present files. All of them are open by now.</summary>
    /// <param name="file">The store, with links followed: the other files are beside the target.</param>
    public void Remember(string file) =>
        _known = [.. new[] { file, file + "-wal", file + "-shm", path + "-owner" }.Where(File.Exists).Select(static f => (f, NumberOf(f)))];

    /// <summary>Checks the files.</summary>
    /// <exception cref="JobStoreUnavailableException">A file was moved, deleted or replaced.</exception>
    public void Check()
    {
        foreach (var (file, number) in _known)
        {
            FileNumber now = NumberOf(file);
            if (!now.IsThere || now.IsAnotherThan(number)) throw StoreFaults.Moved(path, file);
        }
    }

    /// <summary>
    /// Whether other files are in their place. If so, this process must not checkpoint when it closes: it would write its log into the other store and
    /// delete the other log.
    /// </summary>
    public bool AreReplaced => _known.Any(static k => NumberOf(k.File).IsAnotherThan(k.Number));

    private static FileNumber NumberOf(string file)
    {
        if (!OperatingSystem.IsLinux()) return new FileNumber(File.Exists(file), false, 0, 0);
        Span<byte> buffer = stackalloc byte[Size];
        if (Statx(CurrentDirectory, file, 0, NumbersAsked, ref MemoryMarshal.GetReference(buffer)) != 0)
        {
            bool isGone = Marshal.GetLastPInvokeError() is NotThere or NoDirectory;
            return new FileNumber(!isGone && File.Exists(file), false, 0, 0);
        }
        return new FileNumber(
            true, true, BitConverter.ToUInt64(buffer[DeviceAt..]), BitConverter.ToUInt64(buffer[NumberAt..]));
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, ref byte buffer);

    /// <summary>The identity of a file: device and inode number.</summary>
    private readonly record struct FileNumber(bool IsThere, bool IsKnown, ulong Device, ulong Number)
    {
        /// <summary>Whether the file exists and is certainly another one.</summary>
        public bool IsAnotherThan(FileNumber other) => IsKnown && other.IsKnown && this != other;
    }
}
