using PoolApi.Jobs.Sqlite;

namespace PoolApi.Jobs.Tests.Sqlite;

/// <summary>
/// What the disk has of a directory if only these have reached it: what was there at the beginning, what was told to be synced since,
/// and of names only those in a directory that was synced since.
/// </summary>
internal sealed class SyncedDisk
{
    private readonly Lock _lock = new();
    private readonly string _directory;
    private readonly Dictionary<string, byte[]> _contents;
    private HashSet<string> _names;

    /// <param name="directory">The directory as the kernel has it.</param>
    /// <param name="durable">What the disk has of it: by name.</param>
    public SyncedDisk(string directory, IReadOnlyDictionary<string, byte[]> durable)
    {
        _directory = directory;
        _contents = new(durable);
        _names = [.. durable.Keys];
    }

    /// <summary>The files of a directory, by name.</summary>
    public static Dictionary<string, byte[]> Read(string directory) =>
        Directory.GetFiles(directory).Where(static f => !f.EndsWith("-shm", StringComparison.Ordinal)).ToDictionary(f => Path.GetFileName(f), File.ReadAllBytes);

    /// <summary>Makes files of contents.</summary>
    public static void Write(string directory, IReadOnlyDictionary<string, byte[]> contents)
    {
        foreach (var (name, content) in contents) File.WriteAllBytes(Path.Combine(directory, name), content);
    }

    /// <summary>Takes note of what is synced.</summary>
    public void Observe(StoreStep step, string path)
    {
        if (step != StoreStep.Synced) return;
        lock (_lock)
        {
            if (path == _directory) _names = [.. Directory.GetFiles(_directory).Select(f => Path.GetFileName(f)!)];
            else if (Path.GetDirectoryName(path) == _directory) _contents[Path.GetFileName(path)] = File.ReadAllBytes(path);
        }
    }

    /// <summary>The power fails: what is left.</summary>
    public Dictionary<string, byte[]> Left()
    {
        lock (_lock) return _contents.Where(c => _names.Contains(c.Key)).ToDictionary();
    }
}
