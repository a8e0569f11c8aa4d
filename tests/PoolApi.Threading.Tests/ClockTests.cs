
namespace PoolApi.Threading.Tests;

/// <summary>The coarse clock follows the precise one, also if the thread that makes the pool is preempted.</summary>
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
}
