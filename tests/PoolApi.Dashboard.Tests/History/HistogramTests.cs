using PoolApi.Dashboard.History;

namespace PoolApi.Dashboard.Tests.History;

/// <summary>A percentile is exact to within 9 %.</summary>
public class HistogramTests
{
    [Theory]
    [InlineData(0.002)]
    [InlineData(0.75)]
    [InlineData(43)]
    [InlineData(60_000)]
    [InlineData(3_600_000)]
    public void A_single_time_is_every_percentile(double milliseconds)
    {
        var times = new Histogram();
        times.Add(milliseconds);
        foreach (double percent in new[] { 1, 50, 99.0, 100 })
            Assert.InRange(times.Percentile(percent)!.Value, milliseconds * 0.91, milliseconds * 1.09);
    }

    [Fact]
    public void Percentiles_are_those_of_the_sorted_times()
    {
        var random = new Random(1);
        var times = new Histogram();
        double[] all = [.. Enumerable.Range(0, 10_000).Select(_ => Math.Exp(random.NextDouble() * 15 - 6))];
        foreach (double time in all) times.Add(time);
        Array.Sort(all);
        foreach (double percent in new[] { 1, 25, 50, 95, 99, 99.9 })
        {
            double exact = all[(int)Math.Ceiling(all.Length * percent / 100) - 1];
            Assert.InRange(times.Percentile(percent)!.Value, exact * 0.91, exact * 1.09);
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(double.NaN)]
    [InlineData(double.MaxValue)]
    public void A_time_off_the_scale_is_still_counted(double milliseconds)
    {
        var times = new Histogram();
        times.Add(milliseconds);
        Assert.Equal(1, times.Total);
        Assert.NotNull(times.Percentile(50));
    }

    [Fact]
    public void An_empty_histogram_has_no_percentile() => Assert.Null(new Histogram().Percentile(50));
}
