using System.Diagnostics;
using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Reports this instance's changes: to its own listener at once, and to other instances by NOTIFY, many in one message. Thread-safe.</summary>
/// <remarks>
/// <para>The first change after a pause is sent at once. Changes within the next <see cref="Pause"/> are collected into one message. Nothing runs while
/// nothing changes.</para>
/// <para>Changes that cannot be sent are kept. If there are too many they are discarded, and all instances are notified that they may have missed
/// changes.</para>
/// <para>If this instance does not know what it has changed (<see cref="MayHaveMissed"/>), all instances are notified of that, this one too: once the
/// database answers, and again after growing pauses while a lost statement may still be executed (<see cref="LostClaims.Horizon"/>). So an outage
/// costs some ten messages, and at most one a second.</para>
/// </remarks>
internal sealed class ChangeNotifier : IAsyncDisposable
{
    private const int MaxKept = 20_000;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);

    /// <summary>The pause between the first two messages that changes may have been missed. Each further one is twice as long.</summary>
    private static readonly TimeSpan MissedPause = TimeSpan.FromSeconds(1);

    private readonly Func<string[], Task> _send;
    private readonly string _sender;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _closing = new();
    private readonly CancellationToken _closed; // usable after the source is disposed of: a late response may report a change then
    private Dictionary<Guid, JobChange> _changed = [];
    private bool _mayBeDue;
    private bool _mayHaveMissed;
    private bool _isRunning;
    private Task _sending = Task.CompletedTask;
    private long _lostAt; // a timestamp: when a statement's response was last lost
    private TaskCompletionSource? _lostAgain; // null: no repetition is under way
    private Task _repeating = Task.CompletedTask;

    /// <param name="sender">This instance's name in messages.</param>
    /// <param name="send">Sends messages to all instances.</param>
    public ChangeNotifier(string sender, Func<string[], Task> send) => (_sender, _send, _closed) = (sender, send, _closing.Token);

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

    /// <summary>Executes a statement that returns the id and the version of each job that it changes, and reports the changes.</summary>
    /// <returns>How many jobs it has changed.</returns>
    public async Task<int> ExecuteAsync(NpgsqlCommand command)
    {
        var changes = new List<JobChange>();
        await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync()) changes.Add(new JobChange(reader.GetGuid(0), reader.GetInt64(1), false));
        }
        foreach (JobChange change in changes) Changed(change);
        return changes.Count;
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

    /// <summary>
    /// The response to a statement is lost. So changes may be committed, now or later, that this instance does not know of.
    /// </summary>
    public void MayHaveMissed()
    {
        lock (_lock)
        {
            if (_closed.IsCancellationRequested) return;
            _lostAt = Stopwatch.GetTimestamp();
            if (_lostAgain is not null)
            {
                _lostAgain.TrySetResult();
                return;
            }
            _lostAgain = NewSignal();
            using (ExecutionContext.SuppressFlow()) _repeating = RepeatAsync();
        }
    }

    /// <summary>Sends the collected changes. Tries only once if the database is unavailable.</summary>
    public async ValueTask DisposeAsync()
    {
        Task sending;
        Task repeating;
        lock (_lock) (sending, repeating) = (_sending, _repeating);
        await _closing.CancelAsync();
        await repeating;
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
                if (mayHaveMissed) Listener?.MayHaveMissed(); // this instance ignores its own messages
            }
            catch (Exception)
            {
                // Any exception: this loop must continue to notify the other instances.
                if (_closed.IsCancellationRequested) return;
                pause = RetryPause;
                lock (_lock)
                {
                    // Newer changes of the same jobs stay as they are.
                    foreach (JobChange change in changed.Values) _changed.TryAdd(change.Id, change);
                    (_mayBeDue, _mayHaveMissed) = (_mayBeDue || mayBeDue, _mayHaveMissed || mayHaveMissed);
                }
            }
            await Task.Delay(pause, _closed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Sends, again and again, that changes may have been missed, until no lost statement can be executed any more.</summary>
    private async Task RepeatAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        long lostAt = 0;
        TimeSpan pause = default;
        while (!_closed.IsCancellationRequested)
        {
            TaskCompletionSource lostAgain;
            lock (_lock)
            {
                if (lostAt == _lostAt && Stopwatch.GetElapsedTime(lostAt) > LostClaims.Horizon)
                {
                    _lostAgain = null;
                    return;
                }
                pause = lostAt == _lostAt ? pause * 2 : MissedPause;
                lostAt = _lostAt;
                _lostAgain = lostAgain = NewSignal();
                _mayHaveMissed = true;
                Start();
            }
            await Task.Delay(MissedPause, _closed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // Another loss ends this wait, and the pauses start again from the shortest.
            if (pause > MissedPause) await lostAgain.Task.WaitAsync(pause - MissedPause, _closed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
