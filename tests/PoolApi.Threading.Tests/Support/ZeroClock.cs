namespace PoolApi.Threading.Tests.Support;

/// <summary>A clock that starts at timestamp 0, stands still until it is moved, and whose timers never fire.</summary>
internal sealed class ZeroClock : TimeProvider
{
    private readonly ManualTimer _timers = new(); // the test fires none
    private long _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _now);

    public void Advance(TimeSpan by) => Interlocked.Add(ref _now, by.Ticks);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        _timers.CreateTimer(callback, state, dueTime, period);
}
