namespace PoolApi.JobBenchmarks.Stores;

/// <summary>A folder for one measurement, which is deleted after it.</summary>
internal sealed class DataFolder : IDisposable
{
    private static readonly HashSet<DataFolder> Existing = [];

    public DataFolder(Settings settings)
    {
        Path = System.IO.Path.Combine(System.IO.Path.GetFullPath(settings.Folder), $"poolapi-jobs-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Path);
        lock (Existing) Existing.Add(this);
    }

    public string Path { get; }

    /// <summary>Called when the program ends during a measurement.</summary>
    public static void DeleteAll()
    {
        lock (Existing)
        {
            foreach (DataFolder folder in Existing.ToArray()) folder.Dispose();
        }
    }

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        lock (Existing)
        {
            if (!Existing.Remove(this)) return;
        }
        Directory.Delete(Path, recursive: true);
    }
}
