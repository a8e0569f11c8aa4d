namespace PoolApi.Jobs.PostgreSql;

/// <summary>Reports this instance's changes: to its own listener at once, and to other instances by NOTIFY, many in one message. Thread-safe.</summary>
/// <remarks>
/// <para>The first change after a pause is sent at once. Changes within the next <see cref="Pause"/> are collected into one message. Nothing runs while
/// nothing changes.</para>
/// <para>Changes that cannot be sent are kept. If there are too many they are discarded, and the other instances are notified that they may have missed
/// changes.</para>
/// </remarks>
internal sealed class JobChanges : IAsyncDisposable
{
    private const int MaxKept = 20_000;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);

    private readonly Func<string[], Task> _send;
    private readonly string _sender;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _closing = new();
    private Dictionary<Guid, JobChange> _changed = [];
    private bool _mayBeDue;
    private bool _mayHaveMissed;
    private bool _isRunning;
    private Task _sending = Task.CompletedTask;

    /// <param name="sender">This instance's name in messages.</param>
    /// <param name="send">Sends messages to all instances.</param>
    public JobChanges(string sender, Func<string[], Task> send) => (_sender, _send) = (sender, send);

    public IJobStoreListener? Listener { get; set; }

    /// <summary>A job has changed, and that is committed.</summary>
    public void Changed(JobChange change)
    {
        Listener?.Changed(change);
        lock (_lock)
        {
            if (_changed.Count >= MaxKept)
            {
                _changed.Clear();
                _mayHaveMissed = true;
            }
            _changed[change.Id] = _changed.TryGetValue(change.Id, out JobChange before) && before.Version > change.Version ? before : change;
            Start();
        }
    }

    /// <summary>A job is queued, and that is committed.</summary>
    public void MayBeDue()
    {
        Listener?.MayBeDue();
        lock (_lock)
        {
            _mayBeDue = true;
            Start();
        }
    }

    /// <summary>Sends what has been collected; once, if the database does not take it.</summary>
    public async ValueTask DisposeAsync()
    {
        Task sending;
        lock (_lock) sending = _sending;
        await _closing.CancelAsync();
        await sending;
        _closing.Dispose();
    }

    /// <summary>The lock is held.</summary>
    private void Start()
    {
        if (_isRunning) return;
        _isRunning = true;
        using (ExecutionContext.SuppressFlow()) _sending = SendAsync();
    }

    private async Task SendAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (true)
        {
            Dictionary<Guid, JobChange> changed;
            bool mayBeDue;
            bool mayHaveMissed;
            lock (_lock)
            {
                if (_changed.Count == 0 && !_mayBeDue && !_mayHaveMissed)
                {
                    _isRunning = false;
                    return;
                }
                (changed, mayBeDue, mayHaveMissed) = (_changed, _mayBeDue, _mayHaveMissed);
                (_changed, _mayBeDue, _mayHaveMissed) = ([], false, false);
            }
            TimeSpan pause = Pause;
            try
            {
                await _send([.. ChangeMessage.Write(_sender, changed.Values, mayBeDue, mayHaveMissed)]);
            }
            catch (Exception)
            {
                // Whatever it is: others must go on to be told.
                if (_closing.IsCancellationRequested) return;
                pause = RetryPause;
                lock (_lock)
                {
                    // Newer changes of the same jobs stay as they are.
                    foreach (JobChange change in changed.Values) _changed.TryAdd(change.Id, change);
                    (_mayBeDue, _mayHaveMissed) = (_mayBeDue || mayBeDue, _mayHaveMissed || mayHaveMissed);
                }
            }
            await Task.Delay(pause, _closing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
