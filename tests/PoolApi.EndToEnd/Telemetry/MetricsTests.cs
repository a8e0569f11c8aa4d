using System.Diagnostics;

namespace PoolApi.EndToEnd.Telemetry;

/// <summary>The metrics are well-formed and complete, and agree with the log.</summary>
public sealed class MetricsTests
{
    private static readonly string[] Outcomes =
        ["completed", "failed", "cancelled", "expired", "client_gone", "not_started", "abandoned", "timed_out"];

    [Theory, ClassData(typeof(OneForm))]
    public async Task Promtool_finds_no_fault_in_the_metrics(ServiceForm form)
    {
        string promtool = Tool.Require("promtool", "apt-get install prometheus");
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        await Eventually.SeesAsync(service.MetricsAsync, m => m.Sum("poolapi_work_accepted_total") == 1, "the item in the metrics");
        string scrape = (await service.Management.GetAsync("/metrics")).MustBe(200).Text;

        var run = await ProgramRun.ToEndAsync(new ProcessStartInfo(promtool, ["check", "metrics"]), Patience.Long, scrape);

        Assert.True(run.ExitCode == 0 && run.Text.Length == 0, $"promtool ended with {run.ExitCode}:\n{run.Text}");
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task The_metrics_include_the_promised_instruments_and_those_of_the_server_and_the_runtime(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(
            form, "--Pool:Workers 2", "--Pool:QueueCapacity 7", PoolApiProcess.Diagnostics);
        var clock = Stopwatch.StartNew();
        (await service.Api.PostAsync("/v1/diagnostics/sleep?ms=50")).MustBe(200);

        var metrics = await Eventually.SeesAsync(
            service.MetricsAsync,
            m => m.Sum("poolapi_work_finished_total") == 1 && m.Sum("poolapi_pool_workers", "state=\"idle\"") == 2,
            "one finished item");

        Assert.Equal(7, metrics.Sum("poolapi_queue_capacity", "pool=\"cpu\""));
        Assert.Equal(0, metrics.Sum("poolapi_queue_length"));
        Assert.Equal(1, metrics.Sum("poolapi_work_accepted_total", "pool=\"cpu\""));
        Assert.Equal(1, metrics.Sum("poolapi_work_finished_total", "kind=\"diagnostics/sleep\"", "outcome=\"completed\""));
        Assert.Equal(1, metrics.Sum("poolapi_worker_work_total"));
        Assert.InRange(metrics.Sum("poolapi_worker_busy_time_seconds_total"), 0.049, clock.Elapsed.TotalSeconds);
        Assert.Equal(2, metrics.Sum("poolapi_worker_state", "state=\"idle\""));
        Assert.Equal(1, metrics.Sum("poolapi_work_queue_duration_seconds_count", "kind=\"diagnostics/sleep\""));
        Assert.Equal(
            1, metrics.Sum("poolapi_work_execution_duration_seconds_count", "kind=\"diagnostics/sleep\"", "outcome=\"completed\""));
        Assert.Equal(1, metrics.Sum("poolapi_work_execution_duration_seconds_bucket", "le=\"+Inf\""));
        Assert.Equal(1, metrics.Count("poolapi_work_execution_duration_seconds_bucket", "le=\"0.001\""));
        Assert.Equal(1, metrics.Count("poolapi_work_execution_duration_seconds_bucket", "le=\"300\""));
        Assert.Equal(1, metrics.Sum("poolapi_shutdown_state", "state=\"running\""));
        Assert.Equal(1, metrics.Sum("poolapi_shutdown_state"));
        Assert.Contains("poolapi_queue_bytes", string.Join(' ', metrics.Names), StringComparison.Ordinal);
        Assert.Contains("poolapi_queue_oldest_age_seconds", metrics.Names);
        Assert.Contains("http_server_request_duration_seconds_count", metrics.Names);
        Assert.Contains("kestrel_active_connections", metrics.Names);
        Assert.Contains(metrics.Names, name => name.StartsWith("dotnet_", StringComparison.Ordinal));
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task The_metrics_and_the_log_count_the_same(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(
            form, "--Pool:Workers 1", "--Pool:QueueCapacity 3", $"--Pool:MaxQueueTime {MachineLoad.Stretch(TimeSpan.FromSeconds(2)):c}", PoolApiProcess.Diagnostics);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        (await service.Api.PostPngAsync("/v1/thumbnails?width=8", Png.Gradient(64, 64)[..900])).MustBeProblem(422);
        // One item runs, two expire behind it, the client of one disconnects, and one is refused.
        var running = await service.OccupyAsync(1, 3500);
        var expiring = await service.QueueAsync(2, 1);
        using var leaving = new CancellationTokenSource();
        var left = service.Api.PostUntilAsync("/v1/diagnostics/noop", leaving.Token);
        await service.SeeWorkersAsync(view => view.QueueLength == 3, "three in the queue");
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBeProblem(503, "queue-full");
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        foreach (var answer in await Task.WhenAll(expiring))
            answer.MustBeProblem(503, "expired");
        (await running[0]).MustBe(200);

        var metrics = await Eventually.SeesAsync(
            service.MetricsAsync,
            m => m.Sum("poolapi_work_accepted_total") == 6 && m.Sum("poolapi_work_finished_total") == 6,
            "six accepted, six finished");
        var summary = await service.StopAsync();

        Assert.Equal(1, metrics.Sum("poolapi_work_rejected_total"));
        Assert.Equal(6, summary.Accepted);
        summary.MustAddUp();
        Assert.Equal((2, 1), (summary.Expired, summary.ClientGone));
        int[] log =
        [
            summary.Completed, summary.Failed, summary.Cancelled, summary.Expired, summary.ClientGone, summary.NotStarted,
            summary.Abandoned, summary.TimedOut,
        ];
        Assert.Equal(log, Outcomes.Select(outcome => (int)metrics.Sum("poolapi_work_finished_total", $"outcome=\"{outcome}\"")));
    }

    [Fact]
    public async Task Every_counter_is_at_0_with_each_known_value_of_its_labels_before_anything_has_happened()
    {
        using var collector = new OtlpSink();
        var environment = new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Url,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "600000", // a late answer of the collector on a busy machine must not count as a failure
            ["Auth__ApiKeys__alice"] = "alices-key_0123456789!~",
        };
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, onePort: false, environment, PoolApiProcess.Diagnostics);

        var metrics = await service.MetricsAsync(); // the first scrape

        string[] counters =
        [
            .. File.ReadLines(Path.Combine(Repository.Root, "docs", "metrics.md"))
                .Where(line => line.StartsWith("| `poolapi_", StringComparison.Ordinal))
                .Select(line => line.Split('|', StringSplitOptions.TrimEntries))
                .Where(cells => cells[2] == "counter")
                .Select(cells => cells[1].Trim('`')),
        ];
        Assert.True(counters.Length > 10, $"only {counters.Length} counters in the table");
        Assert.All(counters, counter => Assert.True(
            metrics.Count(counter) > 0 && metrics.Sum(counter) == 0, $"{counter} has {metrics.Count(counter)} series, in sum {metrics.Sum(counter)}"));
        // The label values that depend on the settings, and those of the service's own counters.
        MustHave("poolapi_work_rejected_total", "reason", "draining", "overloaded", "payload_too_large", "queue_full", "quota");
        MustHave("poolapi_log_dropped_total", "reason", "queue_full", "rate_limit");
        MustHave("poolapi_telemetry_export_failed_total", "signal", "logs", "metrics", "traces");

        void MustHave(string counter, string label, params string[] values)
        {
            Assert.All(values, value => Assert.Equal(1, metrics.Count(counter, $"{label}=\"{value}\"")));
            Assert.Equal(values.Length, metrics.Count(counter));
        }
    }

    [Fact]
    public async Task With_an_OTLP_endpoint_the_metrics_are_exported_and_still_scraped()
    {
        using var collector = new OtlpSink();
        var environment = new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Url,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_METRIC_EXPORT_INTERVAL"] = "300",
        };
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, onePort: false, environment, PoolApiProcess.Diagnostics);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);

        await collector.SeesAsync("poolapi.work.accepted", Patience.Long);

        await service.MetricsAsync();
    }
}
