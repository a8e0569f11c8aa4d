namespace PoolApi.Jobs.Running;

/// <summary>Wakes its one waiter; set while nobody waits, it lets the next wait pass. Any number of sets before a wait are one.</summary>
internal sealed class Signal
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    private readonly Lock _lock = new();
    private bool _isSet;
    private TaskCompletionSource? _waiter;

    public void Set()
    {
        lock (_lock)
        {
            if (_waiter is null) _isSet = true;
            else _waiter.TrySetResult();
            _waiter = null;
        }
    }

    /// <summary>Waits until it is set, the time is over, or it is cancelled; whichever it was is not told.</summary>
    /// <param name="time">How long; <see langword="null"/> for ever. More than a day is a day.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public async Task WaitAsync(TimeSpan? time, TimeProvider clock, CancellationToken cancellation)
    {
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
        // Timers count whole milliseconds and drop the rest: who waits for what is left of one would ask again and again until it is over.
        TimeSpan wait = time is not { } given ? Timeout.InfiniteTimeSpan
            : given < Longest ? TimeSpan.FromMilliseconds((given.Ticks + TimeSpan.TicksPerMillisecond - 1) / TimeSpan.TicksPerMillisecond) : Longest;
        await waiter.Task.WaitAsync(wait, clock, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            if (_waiter == waiter) _waiter = null;
        }
    }
}
