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

        int Series(string metric) => Regex.Count(metrics, $"^{metric}\\{{[^}}]*worker=\"cpu-[0-9]+\"", RegexOptions.Multiline);
    }

    [Fact]
    public async Task Two_services_in_one_process_export_their_own_values()
    {
        await using RunningService one = RunningService.With(("Pool:Workers", "1"), ("Workloads:Diagnostics", "true"));
        await using RunningService two = RunningService.With(("Pool:Workers", "2"));
        await one.TracedAsync("0af7651916cd43dd8448eb211c80319c");
        Assert.Equal((1, "1"), await ReadAsync(one));
        Assert.Equal((2, "0"), await ReadAsync(two));

        static async Task<(int Workers, string Accepted)> ReadAsync(RunningService service)
        {
            string metrics = await service.GetAsync("/metrics");
            return (
                Regex.Count(metrics, "^poolapi_worker_work_total{", RegexOptions.Multiline),
                Assert.Single(Regex.Matches(metrics, "^poolapi_work_accepted_total{[^}]*} ([0-9]+)", RegexOptions.Multiline)).Groups[1].Value);
        }
    }
}
