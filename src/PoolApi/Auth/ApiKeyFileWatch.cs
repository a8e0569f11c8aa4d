namespace PoolApi.Auth;

/// <summary>Reads the keys again when their file changes. A file with a fault changes nothing, and the log reports it.</summary>
/// <remarks>
/// The system reports changes of the folder, so the watch polls nothing. It watches the folder instead of the file, because a mounted
/// secret is a symbolic link, and an update renames the folder that the link points into.
/// </remarks>
internal sealed partial class ApiKeyFileWatch(AuthSettings settings, ApiKeyRing ring, TimeProvider clock, ILogger<ApiKeyFileWatch> log) : IHostedService, IDisposable
{
    // One update causes several events, and the file may be half written at the first.
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(200);

    // If other files in the folder change all the time, no pause comes. Then the watch reads the file after this time.
    private static readonly TimeSpan LongestSettling = TimeSpan.FromSeconds(1);

    // The pause after a reading that failed for lack of memory, or whose log line failed.
    private static readonly TimeSpan Repetition = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private FileSystemWatcher? _watcher;
    private ITimer? _settled;
    private long? _firstChange; // a timestamp: the first change since the last reading began; null: there was none
    private long _readings; // the number of readings that have begun
    private long _newest; // the number of the newest reading that has ended

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (settings.File is not { } file) return Task.CompletedTask;
        _settled = clock.CreateTimer(_ => OnSettled(file), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _watcher = new FileSystemWatcher(Path.GetDirectoryName(Path.GetFullPath(file.Path))!)
        {
            NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName | NotifyFilters.LastWrite | NotifyFilters.Size | NotifyFilters.CreationTime,
        };
        _watcher.Changed += (_, _) => Change();
        _watcher.Created += (_, _) => Change();
        _watcher.Deleted += (_, _) => Change();
        _watcher.Renamed += (_, _) => Change();
        _watcher.Error += (_, _) => Change(); // events were lost
        _watcher.EnableRaisingEvents = true;
        Change(); // what changed since the settings were read
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

    /// <summary>Something in the folder has changed: the file is read after a pause without another change, or after <see cref="LongestSettling"/>.</summary>
    private void Change()
    {
        lock (_lock)
        {
            long now = clock.GetTimestamp();
            _firstChange ??= now;
            // Only the changes soon after the first one restart the timer, so it fires within LongestSettling of that one.
            if (clock.GetElapsedTime(_firstChange.Value, now) <= LongestSettling - Settling) _settled?.Change(Settling, Timeout.InfiniteTimeSpan);
        }
    }

    private void OnSettled(ApiKeyFile file)
    {
        try
        {
            ReadAgain(file);
        }
        catch (Exception e) when (e is OutOfMemoryException or AggregateException)
        {
            // There is no memory, or a provider of the log throws, which the framework wraps. The timer's exception would end the process. The change
            // must not be lost: a key may be revoked. A change since then has set the timer already.
            lock (_lock)
            {
                if (_firstChange is null) _settled?.Change(Repetition, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private void ReadAgain(ApiKeyFile file)
    {
        long reading;
        lock (_lock)
        {
            _firstChange = null; // a change from here on is read again
            reading = ++_readings;
        }
        var faults = new List<string>();
        ApiKeys keys = settings.ReadKeys(faults);
        bool haveChanged;
        lock (_lock)
        {
            // The timer may fire again while a reading waits for the disk. The older reading must not replace the keys of the newer one: some may be revoked.
            if (reading < _newest) return;
            _newest = reading;
            haveChanged = faults.Count == 0 && !keys.Equals(ring.Now);
            if (haveChanged) ring.Now = keys;
        }
        if (faults.Count > 0) CannotBeUsed(file.Path, string.Join(" ", faults));
        else if (haveChanged) Report(keys);
    }

    private void Report(ApiKeys keys)
    {
        HaveChanged(keys.Count);
        PlainKeyWarning.Write(keys, log);
    }

    [LoggerMessage(1, LogLevel.Error, "The keys file {File} cannot be used, and the keys that were read before remain valid: {Faults}")]
    private partial void CannotBeUsed(string file, string faults);

    [LoggerMessage(2, LogLevel.Information, "The keys were read again: {Clients} clients have a key.")]
    private partial void HaveChanged(int clients);
}
