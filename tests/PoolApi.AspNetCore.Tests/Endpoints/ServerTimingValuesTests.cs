using PoolApi.AspNetCore.Endpoints;

namespace PoolApi.AspNetCore.Tests.Endpoints;

/// <summary>If both times of a Server-Timing header are below 10 ms, they are rounded, so that few texts are formatted.</summary>
public class ServerTimingValuesTests
{
    [Theory]
    [InlineData(0, 4, "0.000", "0.000")]
    [InlineData(5, 68, "0.010", "0.070")]
    [InlineData(995, 999, "1.000", "1.000")]
    [InlineData(1049, 1050, "1.000", "1.100")]
    [InlineData(9949, 9999, "9.900", "10.000")]
    [InlineData(4, 10_000, "0.004", "10.000")]
    [InlineData(123_456, 68, "123.456", "0.068")]
    public void Times_are_rounded_if_both_are_below_10_ms(int queueMicroseconds, int runMicroseconds, string queue, string run)
    {
        var values = new ServerTimingValues();
        string text = values.Get(TimeSpan.FromMicroseconds(queueMicroseconds), TimeSpan.FromMicroseconds(runMicroseconds), "cpu-0");
        Assert.Equal($"queue;dur={queue}, run;dur={run}, worker;desc=\"cpu-0\"", text);
    }

    [Fact]
    public void A_short_text_is_formatted_once_for_each_worker()
    {
        var values = new ServerTimingValues();
        string first = values.Get(TimeSpan.FromMicroseconds(10), TimeSpan.FromMicroseconds(68), "cpu-0");
        Assert.Same(first, values.Get(TimeSpan.FromMicroseconds(12), TimeSpan.FromMicroseconds(71), "cpu-0"));
        // These workers share a slot.
        string other = values.Get(TimeSpan.FromMicroseconds(12), TimeSpan.FromMicroseconds(71), "cpu-10");
        Assert.EndsWith("worker;desc=\"cpu-10\"", other, StringComparison.Ordinal);
    }
}
