namespace PoolApi.TestKit.Clocks;

/// <summary>Forwards everything to another clock. A subclass changes or observes one part.</summary>
/// <param name="clock">The other clock: a fake one that the test advances, or the machine's.</param>
public abstract class ClockDecorator(TimeProvider clock) : TimeProvider
{
    public override long TimestampFrequency => clock.TimestampFrequency;

    public override TimeZoneInfo LocalTimeZone => clock.LocalTimeZone;

    public override DateTimeOffset GetUtcNow() => clock.GetUtcNow();

    public override long GetTimestamp() => clock.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        clock.CreateTimer(callback, state, dueTime, period);
}
