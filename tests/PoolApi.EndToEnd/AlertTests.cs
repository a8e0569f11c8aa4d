using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace PoolApi.EndToEnd;

/// <summary>The first occurrence of what an alert is for raises it. The series are those of the program, recorded by a real Prometheus.</summary>
public sealed class AlertTests
{
    private static readonly string Rules = Path.Combine(Repository.Root, "deploy", "prometheus", "rules", "poolapi.yml");

    private static readonly string[] Raised =
        ["PoolApiExpiring", "PoolApiJobPoisoned", "PoolApiJobStoreFails", "PoolApiJobsRedelivered", "PoolApiLogDropped", "PoolApiTelemetryNotSent"];

    // What those alerts ask for.
    private const string Recorded =
        "{__name__=~\"poolapi_(work_finished|store_operation_failed|job_redelivered|job_poisoned|telemetry_export_failed|log_dropped)_total|poolapi_start_time_seconds\"}[1h]";

    [Fact]
    public async Task The_first_occurrence_raises_the_alert_at_every_scrape_interval()
    {
        string promtool = Tool.Require("promtool", "apt-get install prometheus");
        using var disk = await SmallDisk.MountAsync(megabytes: 12);
        await using var first = await StartAsync(disk);
        await using var prometheus = await PrometheusServer.StartAsync(first.Management.Port, Rules);
        await SeesAsync(prometheus, "count_over_time(poolapi_work_finished_total{kind=\"diagnostics/sleep\",outcome=\"expired\"}[1m])", scrapes => scrapes >= 2);
        await SeesAsync(prometheus, "count(instance_pool:poolapi_queue_fullness:ratio)", rules => rules == 1);
        // A scrape that a busy machine answers too late makes PoolApiDown pending.
        Assert.Empty(await prometheus.QueryAsync("ALERTS{alertname!=\"PoolApiDown\"}"));

        var running = await first.OccupyAsync(1, 1000);
        await Task.WhenAll([.. await first.QueueAsync(1, 1), .. running]);
        await RaisesAsync(prometheus, "PoolApiExpiring");
        await FillDiskAsync(first, disk);
        await RaisesAsync(prometheus, "PoolApiJobStoreFails");
        var killer = await first.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000");
        await DieOfAsync(killer, first);

        await using (var second = await StartAsync(
            disk, $"--OTEL_EXPORTER_OTLP_ENDPOINT http://127.0.0.1:{FreePorts.Next()}", "--OTEL_METRIC_EXPORT_INTERVAL 300"))
        {
            prometheus.Scrape(second.Management.Port);
            await RaisesAsync(prometheus, "PoolApiJobsRedelivered");
            await RaisesAsync(prometheus, "PoolApiTelemetryNotSent");
            await DieOfAsync(killer, second);
        }

        await using var third = await StartAsync(
            disk, "--Logging:LogLevel:Default Trace", "--Logging:LogLevel:Microsoft.AspNetCore Trace", "--Logging:Console:MaxQueueLength 1");
        prometheus.Scrape(third.Management.Port);
        await RaisesAsync(prometheus, "PoolApiJobPoisoned");
        await RaisesAsync(prometheus, "PoolApiLogDropped");

        string series = Series(await prometheus.QueryAsync(Recorded), out int scrapes);
        foreach (int interval in (int[])[5, 15, 60])
            await MustRaiseAsync(promtool, disk.Path, series.Replace("INTERVAL", $"{interval}", StringComparison.Ordinal), interval, scrapes);
    }

    private static Task<PoolApiProcess> StartAsync(SmallDisk disk, params string[] settings) => PoolApiProcess.StartAsync(
        ServiceForm.NativeAot,
        [
            "--Pool:Workers 1", $"--Pool:MaxQueueTime {MachineLoad.Stretch(TimeSpan.FromSeconds(0.3)):c}", $"--Jobs:Path {Path.Combine(disk.Path, "jobs.db")}", "--Jobs:MaxRedeliveries 1",
            PoolApiProcess.Diagnostics, .. settings,
        ]);

    /// <summary>Until a job is refused; then there is room again.</summary>
    private static async Task FillDiskAsync(PoolApiProcess service, SmallDisk disk)
    {
        string ballast = Path.Combine(disk.Path, "ballast");
        try
        {
            await File.WriteAllBytesAsync(ballast, new byte[12 << 20], TestContext.Current.CancellationToken);
        }
        catch (IOException)
        {
            // Now it is full.
        }

        await Eventually.SeesAsync(PostAsync, answer => answer.Status == 503, "a full disk");
        File.Delete(ballast);
        await Eventually.SeesAsync(PostAsync, answer => answer.Status == 202, "room again");

        Task<Answer> PostAsync() => service.Api.PostWithAsync(
            "/v1/thumbnails?width=8", new ByteArrayContent(Png.OfSize(100_000)) { Headers = { { "Content-Type", "image/png" } } },
            "Prefer: respond-async", $"Job-Run-At: {DateTimeOffset.UtcNow.AddHours(1):O}");
    }

    private static async Task DieOfAsync(Guid job, PoolApiProcess service)
    {
        await service.Api.SeeJobAsync(job, seen => seen.State == "running" && seen.IsOf(service), "the job to run here");
        await service.KillAsync();
    }

    private static Task<double?> RaisesAsync(PrometheusServer prometheus, string alert) =>
        SeesAsync(prometheus, $"count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}})", alerts => alerts >= 1);

    private static Task<double?> SeesAsync(PrometheusServer prometheus, string expression, Func<double, bool> accept) =>
        Eventually.SeesAsync(() => prometheus.ValueAsync(expression), value => value is { } seen && accept(seen), expression);

    /// <summary>What was recorded, once a second, as the series of a test of promtool: a scrape each INTERVAL.</summary>
    private static string Series(IReadOnlyList<JsonElement> recorded, out int scrapes)
    {
        var samples = recorded.Select(series => series.GetProperty("values").EnumerateArray()
            .Select(sample => (At: sample[0].GetDouble(), Value: double.Parse(sample[1].GetString()!, CultureInfo.InvariantCulture))).ToArray()).ToArray();
        double begin = samples.Min(series => series[0].At);
        int last = samples.Max(series => Scrape(series[^1].At));
        scrapes = last + 1;
        var text = new StringBuilder();
        for (int i = 0; i < samples.Length; i++)
        {
            var metric = recorded[i].GetProperty("metric").EnumerateObject().ToDictionary(label => label.Name, label => label.Value.GetString());
            string labels = string.Join(',', metric.Where(label => label.Key != "__name__").Select(label => $"{label.Key}=\"{label.Value}\""));
            var values = samples[i].GroupBy(sample => Scrape(sample.At)).ToDictionary(group => group.Key, group => group.Last().Value);
            bool isTime = metric["__name__"] == "poolapi_start_time_seconds";
            text.Append(CultureInfo.InvariantCulture, $"      - series: '{metric["__name__"]}{{{labels}}}'\n        {(isTime ? "times" : "values")}: '");
            text.AppendJoin(' ', Enumerable.Range(0, last + 1).Select(scrape => values.TryGetValue(scrape, out double value)
                ? (isTime ? Math.Max(value - begin, FirstScrape(values, value) - 1) : value).ToString("F3", CultureInfo.InvariantCulture)
                : "_")).Append("'\n");
        }

        return text.ToString();

        // A scrape comes at most one interval after the start. A busy machine takes longer until the first one, and a stretched recording multiplies that.
        static int FirstScrape(Dictionary<int, double> values, double start) => values.Where(value => value.Value == start).Min(static value => value.Key);

        int Scrape(double at) => (int)Math.Round(at - begin);
    }

    private static async Task MustRaiseAsync(string promtool, string folder, string series, int interval, int scrapes)
    {
        // A second of the recording takes an interval here, and so do the times that are values.
        string stretched = string.Join('\n', series.Split('\n').Select(line => line.Contains("times: '", StringComparison.Ordinal)
            ? $"        values: '{string.Join(' ', line.Split('\'')[1].Split(' ').Select(time => time == "_" ? time : Stretched(time)))}'"
            : line));
        string file = Path.Combine(folder, $"recorded-{interval}.yml");
        await File.WriteAllTextAsync(file, $$"""
            rule_files: ["{{Rules}}"]
            evaluation_interval: 5s
            tests:
              - interval: {{interval}}s
                input_series:
            {{stretched.TrimEnd()}}
                promql_expr_test:
                  - expr: count(ALERTS)
                    eval_time: {{interval}}s
                    exp_samples: []
                  - expr: max by (alertname) (max_over_time(ALERTS{alertstate="firing"}[1d]))
                    eval_time: {{interval * scrapes}}s
                    exp_samples:
            {{string.Join('\n', Raised.Select(alert => $"          - {{ labels: '{{alertname=\"{alert}\"}}', value: 1 }}"))}}
            """, TestContext.Current.CancellationToken);
        var run = await ProgramRun.ToEndAsync(new ProcessStartInfo(promtool, ["test", "rules", file]), Patience.Long);
        Assert.True(run.ExitCode == 0, $"{run.Text}\n{await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)}");

        string Stretched(string time) => (double.Parse(time, CultureInfo.InvariantCulture) * interval).ToString("F3", CultureInfo.InvariantCulture);
    }
}
