namespace PoolApi.Auth;

/// <summary>Reads the keys again when their file changes. A file with a fault changes nothing, and the log says so.</summary>
/// <remarks>
/// The system reports a change of the folder, so nothing is polled. The folder and not the file: a mounted secret is a symbolic link, and
/// an update renames the folder that it points into.
/// </remarks>
internal sealed partial class ApiKeyFileWatch(AuthSettings settings, ApiKeyRing ring, TimeProvider clock, ILogger<ApiKeyFileWatch> log) : IHostedService, IDisposable
{
    // One update causes several events, and the file may be half written at the first.
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(200);

    private FileSystemWatcher? _watcher;
    private ITimer? _settled;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (settings.File is not { } file) return Task.CompletedTask;
        _settled = clock.CreateTimer(_ => ReadAgain(file), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _watcher = new FileSystemWatcher(Path.GetDirectoryName(Path.GetFullPath(file.Path))!)
        {
            NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName | NotifyFilters.LastWrite | NotifyFilters.Size | NotifyFilters.CreationTime,
        };
        _watcher.Changed += Changed;
        _watcher.Created += Changed;
        _watcher.Deleted += Changed;
        _watcher.Renamed += Changed;
        _watcher.EnableRaisingEvents = true;
        _settled.Change(Settling, Timeout.InfiniteTimeSpan); // what changed since the settings were read
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        Dispose();
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        _watcher?.Dispose();
        _settled?.Dispose();
    }

    private void Changed(object sender, FileSystemEventArgs change) => _settled?.Change(Settling, Timeout.InfiniteTimeSpan);

    private void ReadAgain(ApiKeyFile file)
    {
        var faults = new List<string>();
        ApiKeys keys = settings.ReadKeys(faults);
        if (faults.Count > 0)
        {
            CannotBeUsed(file.Path, string.Join(" ", faults));
            return;
        }
        if (keys.Equals(ring.Now)) return;
        ring.Now = keys;
        HaveChanged(keys.Count);
    }

    [LoggerMessage(1, LogLevel.Error, "The keys file {File} cannot be used, and the keys that were read before stay: {Faults}")]
    private partial void CannotBeUsed(string file, string faults);

    [LoggerMessage(2, LogLevel.Information, "The keys were read again: {Clients} clients have one.")]
    private partial void HaveChanged(int clients);
}
