using System.Globalization;

namespace PoolApi.Dashboard.Traces;

/// <summary>The files of snapshots in the directory of an instance: at most as many as are kept in memory, also after many restarts.</summary>
/// <remarks>
/// The files of earlier processes count. The oldest file of the trigger that has the most is deleted first. Other files stay. Two instances need
/// two directories: they may use the same file names.
/// </remarks>
internal static class SnapshotFiles
{
    private const string Extension = ".json.gz";
    private const string Unfinished = ".tmp";

    public static string PathOf(string directory, string id) => Path.Combine(directory, id + Extension);

    /// <summary>Writes a snapshot, and deletes the files that are too many.</summary>
    /// <exception cref="IOException">The file cannot be written, or another one not be deleted.</exception>
    /// <exception cref="UnauthorizedAccessException">The process may not do that.</exception>
    public static void Write(string directory, Snapshot snapshot)
    {
        string file = PathOf(directory, snapshot.Id);
        string unfinished = file + Unfinished;
        try
        {
            File.WriteAllBytes(unfinished, snapshot.Trace);
            File.Move(unfinished, file, overwrite: true);
        }
        catch
        {
            File.Delete(unfinished);
            throw;
        }
        DeleteOld(directory, snapshot);
    }

    private static void DeleteOld(string directory, Snapshot added)
    {
        // Unfinished files, of processes that ended while they wrote them.
        foreach (string path in Directory.EnumerateFiles(directory, $"*{Extension}{Unfinished}"))
        {
            if (TryParse(Path.GetFileName(path)[..^(Extension.Length + Unfinished.Length)]) is not null) File.Delete(path);
        }
        List<(string Id, DateTime At, string Trigger, int Number)> files = [];
        foreach (string path in Directory.EnumerateFiles(directory, "*" + Extension))
        {
            // The new file stays, even if the clock was set back and its time is the oldest.
            if (TryParse(Path.GetFileName(path)[..^Extension.Length]) is { } found && found.Id != added.Id) files.Add(found);
        }
        files.Sort(static (a, b) => (a.At, a.Number).CompareTo((b.At, b.Number)));
        while (files.Count >= Snapshots.Most)
        {
            var old = Snapshots.FirstToGo(files, static f => f.Trigger, added.Trigger);
            File.Delete(PathOf(directory, old.Id));
            files.Remove(old);
        }
    }

    /// <summary>Parses the id of a snapshot: the time, the trigger and a number. The trigger may contain hyphens.</summary>
    /// <returns><see langword="null"/>: it is no such id.</returns>
    private static (string Id, DateTime At, string Trigger, int Number)? TryParse(string id)
    {
        (int first, int last) = (id.IndexOf('-', StringComparison.Ordinal), id.LastIndexOf('-'));
        return first < last && int.TryParse(id.AsSpan(last + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            && DateTime.TryParseExact(id.AsSpan(0, first), Snapshots.TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTime at)
            ? (id, at, id[(first + 1)..last], number)
            : null;
    }
}
