using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Tests.Shutdown;

/// <summary>The signals of a burst count as one stop. A later signal asks for an immediate end.</summary>
public class SignalBurstTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly SignalBurst _burst;

    public SignalBurstTests() => _burst = new SignalBurst(_time);

    [Fact]
    public void Signals_less_than_150_ms_apart_count_as_one_stop()
    {
        Assert.Equal(SignalMeaning.Stop, _burst.Next());
        foreach (int pause in (int[])[0, 0, 90, 149, 149, 149, 149, 149])
        {
            _time.Advance(TimeSpan.FromMilliseconds(pause));
            Assert.Equal(SignalMeaning.Same, _burst.Next());
        }
    }

    [Fact]
    public void A_second_signal_after_the_pause_is_classified_as_Now()
    {
        Assert.Equal(SignalMeaning.Stop, _burst.Next());
        _time.Advance(SignalBurst.Pause);
        Assert.Equal(SignalMeaning.Now, _burst.Next());
    }

    [Fact]
    public void A_signal_one_second_after_the_first_is_classified_as_Now_even_within_a_burst()
    {
        Assert.Equal(SignalMeaning.Stop, _burst.Next());
        for (int ms = 50; ms < 1000; ms += 50)
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
            Assert.Equal(SignalMeaning.Same, _burst.Next());
        }
        _time.Advance(TimeSpan.FromMilliseconds(50));
        Assert.Equal(SignalMeaning.Now, _burst.Next());
    }
}
