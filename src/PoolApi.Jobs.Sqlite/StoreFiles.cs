using System.Runtime.InteropServices;

namespace PoolApi.Jobs.Sqlite;

/// <summary>
/// Whether the files of a store are still where they were opened. What is committed to a file that somebody has moved or deleted is
/// committed to something that nobody will find; and whoever opens the store then, makes new ones, which know nothing of these.
/// </summary>
/// <remarks>
/// <para>The store, its log (<c>-wal</c>) and the log's index (<c>-shm</c>) stay the same files as long as any connection of this process
/// is open; so does <c>-owner</c>. SQLite itself notices nothing of all that: it has them open.</para>
/// <para>By the numbers that the kernel knows files by; where it does not tell, by whether they are there. Four looks into
/// directories, a few microseconds. Thread-safe.</para>
/// </remarks>
internal sealed partial class StoreFiles(string path)
{
    private const int CurrentDirectory = -100, NumbersAsked = 0x100; // AT_FDCWD, STATX_INO
    private const int NumberAt = 32, DeviceAt = 136, Size = 256; // of struct statx, the same everywhere
    private const int NotThere = 2, NoDirectory = 20; // ENOENT, ENOTDIR

    private volatile (string File, FileNumber Number)[] _known = [];

    /// <summary>Takes note of the files as they are. They are all open by now.</summary>
    /// <param name="file">The store, as the library has it: where the path is a link, the others lie beside what it leads to.</param>
    public void Remember(string file) =>
        _known = [.. new[] { file, file + "-wal", file + "-shm", path + "-owner" }.Where(File.Exists).Select(static f => (f, NumberOf(f)))];

    /// <summary>Looks.</summary>
    /// <exception cref="JobStoreUnavailableException">One of them is not where it was.</exception>
    public void Check()
    {
        foreach (var (file, number) in _known)
        {
            FileNumber now = NumberOf(file);
            if (!now.IsThere || now.IsAnotherThan(number)) throw StoreFaults.Moved(path, file);
        }
    }

    /// <summary>
    /// Somebody has made others in their place. What this process knows of the log is of no use then: the last that it does
    /// must not be to move it into the store, and to delete the other's.
    /// </summary>
    public bool AreReplaced => _known.Any(static k => NumberOf(k.File).IsAnotherThan(k.Number));

    private static FileNumber NumberOf(string file)
    {
        if (!OperatingSystem.IsLinux()) return new FileNumber(File.Exists(file), false, 0, 0);
        Span<byte> answer = stackalloc byte[Size];
        if (Statx(CurrentDirectory, file, 0, NumbersAsked, ref MemoryMarshal.GetReference(answer)) != 0)
        {
            bool isGone = Marshal.GetLastPInvokeError() is NotThere or NoDirectory;
            return new FileNumber(!isGone && File.Exists(file), false, 0, 0);
        }
        return new FileNumber(
            true, true, BitConverter.ToUInt64(answer[DeviceAt..]), BitConverter.ToUInt64(answer[NumberAt..]));
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, ref byte answer);

    /// <summary>What the kernel knows a file by: the device, and its number there.</summary>
    private readonly record struct FileNumber(bool IsThere, bool IsKnown, ulong Device, ulong Number)
    {
        /// <summary>There is one, and it is surely not the same.</summary>
        public bool IsAnotherThan(FileNumber other) => IsKnown && other.IsKnown && this != other;
    }
}
