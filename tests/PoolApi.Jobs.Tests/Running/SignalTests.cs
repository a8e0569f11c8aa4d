using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Jobs.Running;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>P6: a wait for a fraction of a millisecond, which a timer cannot measure, does not become a busy loop.</summary>
public class SignalTests
{
    [Theory]
    [InlineData(900)]
    [InlineData(1_900)]
    [InlineData(2_990)]
    public async Task A_wait_with_a_fraction_of_a_millisecond_takes_at_most_four_rounds(int microseconds)
    {
        var signal = new Signal();
        TimeSpan time = TimeSpan.FromMicroseconds(microseconds);
        for (int i = 0; i < 20; i++)
        {
            long since = Stopwatch.GetTimestamp();
            int rounds = 0;
            while (time - Stopwatch.GetElapsedTime(since) is { Ticks: > 0 } left)
            {
                rounds++;
                await signal.WaitAsync(left, TimeProvider.System, TestContext.Current.CancellationToken);
            }
            Assert.InRange(rounds, 0, 4); // a timer may be early by less than a millisecond
        }
    }

    [Theory]
    [InlineData(-1.0)]
    [InlineData(-2.5)] // rounded up it would be -1 ms, which means no limit
    [InlineData(-50.0)]
    public async Task A_wait_with_a_negative_time_ends_at_once(double milliseconds) =>
        await new Signal().WaitAsync(TimeSpan.FromMilliseconds(milliseconds), TimeProvider.System, TestContext.Current.CancellationToken).Patiently();

    [Fact]
    public async Task A_wait_lasts_until_its_timer_fires_even_if_the_clock_advances_during_its_start()
    {
        var signal = new Signal();
        var clock = new HurryingClock();
        Task wait = signal.WaitAsync(TimeSpan.FromMilliseconds(20), clock, TestContext.Current.CancellationToken);

        clock.Advance(TimeSpan.FromMilliseconds(19));
        Assert.True(signal.IsAwaited(TimeSpan.Zero, clock));
        clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.False(signal.IsAwaited(TimeSpan.Zero, clock));
        await wait.Patiently();
    }

    /// <summary>Advances by 5 ms while a timer is created, as if another thread advanced the clock then.</summary>
    private sealed class HurryingClock : FakeTimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Advance(TimeSpan.FromMilliseconds(5));
            return base.CreateTimer(callback, state, dueTime, period);
        }
    }
}
