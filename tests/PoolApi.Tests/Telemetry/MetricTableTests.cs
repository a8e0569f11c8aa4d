using System.Text.RegularExpressions;
using PoolApi.Tests.Settings;

namespace PoolApi.Tests.Telemetry;

/// <summary>docs/metrics.md has each metric of the service, with its type and its labels.</summary>
public sealed partial class MetricTableTests : IDisposable
{
    /// <summary>Metrics that need a collector or the console log, which the service lacks in these tests.</summary>
    private static readonly string[] Elsewhere = ["poolapi_telemetry_export_failed_total", "poolapi_log_dropped_total"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_documented_metrics_are_those_that_the_service_exports()
    {
        await using RunningService service = RunningService.With(
            ("Jobs:Store", "sqlite"), ("Jobs:Path", Path.Combine(_folder.Path, "jobs.db")), ("Workloads:Diagnostics", "true"));
        // A histogram is exported from its first measurement on.
        Assert.StartsWith("HTTP/1.1 20", await PostAsync("Prefer: respond-async, wait=60\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 20", await PostAsync(""), StringComparison.Ordinal);
        Dictionary<string, Metric> exported = Read(await service.GetAsync("/metrics"));
        Metric[] table = [.. File.ReadLines(Path.Combine(Repository.Root, "docs", "metrics.md")).Select(static line => Row().Match(line)).Where(static row => row.Success)
            .Select(static row => Metric.Of(row.Groups[1].Value, row.Groups[2].Value, Labels().Matches(row.Groups[3].Value)))];

        Assert.Distinct(table.Select(static metric => metric.Name));
        Assert.Equal([], exported.Values.Except(table));
        Assert.Equal([], table.Where(static metric => !Elsewhere.Contains(metric.Name)).Except(exported.Values));

        Task<string> PostAsync(string header) =>
            service.ApiAsync($"POST /v1/diagnostics/noop HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n");
    }

    private static Dictionary<string, Metric> Read(string text)
    {
        var metrics = new Dictionary<string, Metric>(StringComparer.Ordinal);
        foreach (Match type in Types().Matches(text))
        {
            string name = type.Groups[1].Value;
            IEnumerable<Match> labels = new Regex($@"^{name}(?:_bucket|_sum|_count)?\{{(.*)\}} ", RegexOptions.Multiline).Matches(text)
                .SelectMany(static series => Keys().Matches(series.Groups[1].Value));
            metrics[name] = Metric.Of(name, type.Groups[2].Value, labels);
        }
        return metrics;
    }

    [GeneratedRegex(@"^# TYPE (poolapi_\w+) (\w+)", RegexOptions.Multiline)]
    private static partial Regex Types();

    [GeneratedRegex("(?:^|,)([a-z_]+)=\"")]
    private static partial Regex Keys();

    [GeneratedRegex(@"^\| `(poolapi_\w+)` \| (\w+) \| ([^|]*) \| .* \|$")]
    private static partial Regex Row();

    [GeneratedRegex("`([a-z_]+)`")]
    private static partial Regex Labels();

    private sealed record Metric(string Name, string Type, string Labels)
    {
        // "le" is the bound of a bucket, which each histogram has. "error_type" appears only after a failure.
        public static Metric Of(string name, string type, IEnumerable<Match> labels) =>
            new(name, type, string.Join(", ", labels.Select(static label => label.Groups[1].Value).Where(static label => label is not ("le" or "error_type")).Distinct().Order(StringComparer.Ordinal)));
    }
}
