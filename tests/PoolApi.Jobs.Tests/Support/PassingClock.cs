namespace PoolApi.Jobs.Tests;

/// <summary>The system's clock, which a test advances instead of waiting: the wall clock and the monotonic clock together.</summary>
internal sealed class PassingClock : TimeProvider
{
    private long _passed; // ticks

    public void Pass(TimeSpan time) => Interlocked.Add(ref _passed, time.Ticks);

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + TimeSpan.FromTicks(Volatile.Read(ref _passed));

    public override long GetTimestamp() => base.GetTimestamp() + (Volatile.Read(ref _passed) * TimestampFrequency / TimeSpan.TicksPerSecond);
}
