namespace PoolApi.Jobs.Running;

/// <summary>An auto-reset event for one asynchronous waiter. Several sets before a wait count as one. Thread-safe.</summary>
internal sealed class Signal
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    private readonly Lock _lock = new();
    private bool _isSet;
    private TaskCompletionSource? _waiter;
    private Task? _wait; // of the waiter, with its timeout; completed: an earlier wait
    private long _until; // a timestamp: when that timeout ends, or a moment later

    public void Set()
    {
        lock (_lock)
        {
            if (_waiter is null) _isSet = true;
            else _waiter.TrySetResult();
            _waiter = null;
        }
    }

    /// <summary>Whether a wait is under way that lasts for longer than the given time if the event is not set. For tests.</summary>
    internal bool IsAwaited(TimeSpan longerThan, TimeProvider clock)
    {
        lock (_lock)
            return _waiter is not null && _wait is { IsCompleted: false } && (_until == long.MaxValue || clock.GetElapsedTime(clock.GetTimestamp(), _until) > longerThan);
    }

    /// <summary>Waits until the event is set, the time is over, or the wait is cancelled. The caller does not learn which.</summary>
    /// <param name="time">The longest wait; <see langword="null"/>: no limit. More than a day counts as a day.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public async Task WaitAsync(TimeSpan? time, TimeProvider clock, CancellationToken cancellation)
    {
        // Rounded up, because timers drop fractions of a millisecond: a wait for the rest of one would return at once, again and again.
        TimeSpan wait = time is not { } given ? Timeout.InfiniteTimeSpan
            : given <= TimeSpan.Zero ? TimeSpan.Zero // its time has come since it was computed
            : given < Longest ? TimeSpan.FromMilliseconds((given.Ticks + TimeSpan.TicksPerMillisecond - 1) / TimeSpan.TicksPerMillisecond) : Longest;
        TaskCompletionSource waiter;
        lock (_lock)
        {
            if (_isSet)
            {
                _isSet = false;
                return;
            }
            waiter = _waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        Task waiting = waiter.Task.WaitAsync(wait, clock, cancellation);
        // The clock is read after the timeout has begun, so _until may be later than the timer, never earlier. Otherwise a test that advances its clock
        // between the two could take a wait for over before its timer fires.
        long until = time is null ? long.MaxValue : clock.GetTimestamp() + (long)(wait.TotalSeconds * clock.TimestampFrequency);
        lock (_lock) (_wait, _until) = (waiting, until);
        await waiting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            if (_waiter == waiter) _waiter = null;
        }
    }
}
