using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Tests;

/// <summary>The coarse clock follows the precise one, even if the thread that creates the pool is preempted.</summary>
public class ClockTests
{
    [Fact]
    public void A_preemption_between_the_two_readings_does_not_set_the_coarse_clock_back()
    {
        long now = 1_000_000;
        int readings = 0;
        long offset = PoolClock.OffsetOf(
            () => now,
            () =>
            {
                if (readings++ == 0) now += 500_000; // preempted after the precise reading
                return now;
            });
        Assert.Equal(0, offset);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(50)] // late at every reading, as on a busy host
    public void A_late_tick_does_not_put_the_coarse_clock_ahead(int lag)
    {
        const int Tick = 10;
        long offset = PoolClock.NeverAhead(PoolClock.OffsetOf(static () => 1_000_000, () => 1_000_000 - lag), Tick);
        Assert.InRange(offset, -Tick, 0);
    }

    [Fact]
    public void A_worker_whose_item_seems_to_begin_in_the_future_is_not_stuck()
    {
        var time = new ZeroClock();
        var core = new PoolCore(Pools.Options(time: time, stuckAfter: Timeout.InfiniteTimeSpan).ToValid(), null!);
        Assert.Equal(SubmitResult.Accepted, core.Submit(new TestItem(), default, default));
        Assert.Equal(NextStep.Run, core.Next(core.Workers.All[0], core.Clock.Now, out _));
        time.Advance(TimeSpan.FromSeconds(-1));
        Assert.Equal(TimeSpan.MaxValue, core.Workers.FindStuck());
    }
}
