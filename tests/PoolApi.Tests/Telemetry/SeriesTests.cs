using System.Text.RegularExpressions;
using PoolApi.Tests.Settings;

namespace PoolApi.Tests.Telemetry;

/// <summary>P7: however many workers a pool has, the metrics show each of them.</summary>
public class SeriesTests
{
    [Fact]
    public async Task Every_worker_of_a_large_pool_has_its_series()
    {
        const int Workers = 500;
        await using RunningService service = RunningService.With(("Pool:Workers", $"{Workers}"));
        using var client = new HttpClient();
        string metrics = await client.GetStringAsync($"http://127.0.0.2:{service.Management}/metrics", TestContext.Current.CancellationToken);
        Assert.Equal(Workers, Series("poolapi_worker_busy_time_seconds_total"));
        Assert.Equal(Workers, Series("poolapi_worker_work_total"));
        Assert.Equal(3 * Workers, Series("poolapi_worker_state")); // idle, busy, stuck
        Assert.DoesNotContain("overflow", metrics, StringComparison.Ordinal);

        // Distinct ones: an exporter shows the pools of all hosts in its process, and those of other tests may have a worker of the same name.
        int Series(string metric) => new Regex($"^{metric}\\{{[^}}]*worker=\"cpu-[0-9]+\"[^}}]*", RegexOptions.Multiline).Matches(metrics)
            .Select(static series => series.Value).Distinct().Count();
    }
}
