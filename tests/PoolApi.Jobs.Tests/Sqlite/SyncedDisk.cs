using PoolApi.Jobs.Sqlite;

namespace PoolApi.Jobs.Tests.Sqlite;

/// <summary>
/// Simulates the content of a disk after a power failure. It has the initial files and the content of each file at its last sync. A file that is
/// new since then has its name on the disk only if its directory was synced.
/// </summary>
internal sealed class SyncedDisk
{
    private readonly Lock _lock = new();
    private readonly string _directory;
    private readonly Dictionary<string, byte[]> _contents;
    private HashSet<string> _names;

    /// <param name="directory">The directory as the kernel shows it.</param>
    /// <param name="durable">The initial files of the disk, by name.</param>
    public SyncedDisk(string directory, IReadOnlyDictionary<string, byte[]> durable)
    {
        _directory = directory;
        _contents = new(durable);
        _names = [.. durable.Keys];
    }

    /// <summary>The files of a directory without the log's index, by name.</summary>
    public static Dictionary<string, byte[]> Read(string directory) =>
        Directory.GetFiles(directory).Where(static f => !f.EndsWith("-shm", StringComparison.Ordinal)).ToDictionary(f => Path.GetFileName(f), File.ReadAllBytes);

    /// <summary>Writes the files.</summary>
    public static void Write(string directory, IReadOnlyDictionary<string, byte[]> contents)
    {
        foreach (var (name, content) in contents) File.WriteAllBytes(Path.Combine(directory, name), content);
    }

    /// <summary>Records what the store syncs.</summary>
    public void Observe(StoreStep step, string path)
    {
        if (step != StoreStep.Synced) return;
        lock (_lock)
        {
            if (path == _directory) _names = [.. Directory.GetFiles(_directory).Select(f => Path.GetFileName(f)!)];
            else if (Path.GetDirectoryName(path) == _directory) _contents[Path.GetFileName(path)] = File.ReadAllBytes(path);
        }
    }

    /// <summary>The files that remain after a power failure.</summary>
    public Dictionary<string, byte[]> Left()
    {
        lock (_lock) return _contents.Where(c => _names.Contains(c.Key)).ToDictionary();
    }
}
