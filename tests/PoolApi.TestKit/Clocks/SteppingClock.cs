namespace PoolApi.TestKit.Clocks;

/// <summary>A clock whose timestamp advances by one step at each reading, as if the thread was preempted before it.</summary>
/// <param name="step">The step.</param>
public sealed class SteppingClock(TimeSpan step) : TimeProvider
{
    private long _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Add(ref _now, step.Ticks);
}
