using System.Collections.Concurrent;

namespace PoolApi.TestKit.Clocks;

/// <summary>Records the timers that are created on another clock, which a test advances: their due times, how many are open, and how often they are set again.</summary>
/// <param name="clock">The other clock.</param>
public sealed class TimerRecorder(TimeProvider clock) : ClockDecorator(clock)
{
    private readonly ConcurrentQueue<TimeSpan> _waits = new();
    private int _open;
    private int _changes;

    /// <summary>The due times of the timers so far, in the order of their creation. A timer without a due time is not among them.</summary>
    public IReadOnlyCollection<TimeSpan> Waits => _waits;

    /// <summary>How many timers are not disposed of.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>How often a timer was set again after its creation.</summary>
    public int Changes => Volatile.Read(ref _changes);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, base.CreateTimer(callback, state, dueTime, period));
        if (dueTime > TimeSpan.Zero) _waits.Enqueue(dueTime); // an infinite due time is negative
        return timer;
    }

    private sealed class Timer : ITimer
    {
        private readonly TimerRecorder _recorder;
        private readonly ITimer _timer;
        private int _isClosed;

        public Timer(TimerRecorder recorder, ITimer timer)
        {
            (_recorder, _timer) = (recorder, timer);
            Interlocked.Increment(ref recorder._open);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Interlocked.Increment(ref _recorder._changes);
            return _timer.Change(dueTime, period);
        }

        public void Dispose()
        {
            Close();
            _timer.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Close();
            return _timer.DisposeAsync();
        }

        private void Close()
        {
            if (Interlocked.Exchange(ref _isClosed, 1) == 0) Interlocked.Decrement(ref _recorder._open);
        }
    }
}
