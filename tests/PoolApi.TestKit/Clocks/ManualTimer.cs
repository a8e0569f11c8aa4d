namespace PoolApi.TestKit.Clocks;

/// <summary>The machine's clock with one timer, which only the test fires, also while its callback runs. A later timer replaces an earlier one.</summary>
public sealed class ManualTimer : TimeProvider
{
    private Action? _callback;
    private volatile bool _isSet;
    private int _timesSet;

    /// <summary>Whether the timer was set again since it last fired.</summary>
    public bool IsSet => _isSet;

    /// <summary>How often the timer was set again after its creation.</summary>
    public int TimesSet => Volatile.Read(ref _timesSet);

    /// <summary>Runs the callback on this thread.</summary>
    public void Fire()
    {
        _isSet = false;
        _callback!();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        _callback = () => callback(state);
        return new Timer(this);
    }

    private sealed class Timer(ManualTimer clock) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Interlocked.Increment(ref clock._timesSet);
            clock._isSet = true;
            return true;
        }

        public void Dispose() { }

        public ValueTask DisposeAsync() => default;
    }
}
