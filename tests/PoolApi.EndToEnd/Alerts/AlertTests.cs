using System.Diagnostics;

namespace PoolApi.EndToEnd.Alerts;

/// <summary>Each alert fires at the first occurrence of its event, or while its state lasts. The series are those of the program, recorded by a real
/// Prometheus.</summary>
public sealed class AlertTests
{
    private static readonly int[] Intervals = [5, 15, 60];

    private static readonly string[] Raised =
        ["PoolApiExpiring", "PoolApiJobPoisoned", "PoolApiJobStoreFails", "PoolApiJobsRedelivered", "PoolApiLogDropped", "PoolApiTelemetryNotSent"];

    private static readonly string[] RaisedByLoad =
    [
        "PoolApiWorkerStuck", "PoolApiQueueNearlyFull", "PoolApiRejecting", "PoolApiWaitingTooLong", "PoolApiSaturated", "PoolApiWorkFailing", "PoolApiJobsFailing",
        "PoolApiJobsNotRun", "PoolApiSnapshotTaken",
    ];

    private const string StopHangs = "PoolApiStopHangs";
    private const string Down = "PoolApiDown";
    private const string InstanceRestarts = "PoolApiInstanceRestarts";

    // The metrics that the alerts for an occurrence query.
    private const string Recorded =
        "poolapi_(work_finished|store_operation_failed|job_redelivered|job_poisoned|telemetry_export_failed|log_dropped)_total|poolapi_start_time_seconds";

    // The metrics that the alerts for a state query.
    private const string StateRecorded =
        "up|poolapi_(pool_workers|queue_length|queue_capacity|queue_oldest_age_seconds|jobs|shutdown_state|start_time_seconds|worker_busy_time_seconds_total)|"
        + "poolapi_(work_accepted|work_rejected|work_finished|job_accepted|job_finished|snapshot_taken)_total";

    [Fact]
    public async Task The_first_occurrence_raises_the_alert_at_every_scrape_interval()
    {
        string promtool = Tool.Require("promtool", "apt-get install prometheus");
        using var disk = await SmallDisk.MountAsync(megabytes: 12);
        await using var first = await StartAsync(disk);
        await using var prometheus = await PrometheusServer.StartAsync(first.Management.Port, AlertRecording.Rules);
        await SeesAsync(prometheus, "count_over_time(poolapi_work_finished_total{kind=\"diagnostics/sleep\",outcome=\"expired\"}[1m])", scrapes => scrapes >= 2);
        await SeesAsync(prometheus, "count(instance_pool:poolapi_queue_fullness:ratio)", rules => rules == 1);
        // A scrape that a busy machine answers too late makes PoolApiDown pending.
        Assert.Empty(await prometheus.QueryAsync("ALERTS unless ALERTS{alertname=\"PoolApiDown\",alertstate=\"pending\"}"));

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

        AlertRecording recording = await AlertRecording.ReadAsync(prometheus, Recorded, TimeSpan.FromHours(1));
        foreach (int interval in Intervals) await recording.MustRaiseAsync(promtool, disk.Path, interval, Raised);
    }

    [Fact]
    public async Task A_state_that_lasts_raises_the_alert_at_every_scrape_interval()
    {
        string promtool = Tool.Require("promtool", "apt-get install prometheus");
        using var folder = new TemporaryFolder();
        string[] settings =
        [
            "--Pool:Workers 1", "--Pool:QueueCapacity 20", "--Pool:MaxQueueTime 01:00:00", "--Pool:StuckAfter 00:00:01", "--Pool:OverloadControl false",
            $"--Jobs:Path {Path.Combine(folder.Path, "jobs.db")}", "--Shutdown:LameDuck 01:00:00", PoolApiProcess.Diagnostics,
        ];
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, settings);
        await using var prometheus = await PrometheusServer.StartAsync(service.Management.Port, AlertRecording.Rules);
        var clock = Stopwatch.StartNew();
        await ScrapesAsync(prometheus, 2);

        // Work that fails, a job that exceeds its timeout, and then a stuck worker. The pool has no other worker, so nothing else runs.
        // The series of a kind that no endpoint has begins with the first item. The next item is an increase.
        await Eventually.SeesAsync(FailuresAsync, static failed => failed >= 3, "work that fails");
        await service.Api.JobEndsAsync(await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000", $"Job-Timeout: {MachineLoad.StretchSeconds(1)}"));
        var running = await service.OccupyAsync(1, 600_000);
        var waiting = await service.QueueAsync(20, 1);
        await Eventually.SeesAsync(RefusedAsync, static seconds => seconds > 16, "a queue that is full for long");
        await MustRaiseAsync(RaisedByLoad);

        service.Send(UnixSignal.Terminate);
        await SeesAsync(prometheus, "count_over_time(poolapi_shutdown_state{state=\"lameduck\"}[1m])", static scrapes => scrapes >= 2);
        await SeesAsync(prometheus, "poolapi_shutdown_state{state=\"lameduck\"}", static state => state == 1);
        await MustRaiseAsync(StopHangs);

        await service.KillAsync();
        foreach (var left in running.Concat(waiting)) await Record.ExceptionAsync(() => left);
        await SeesAsync(prometheus, "up", static up => up == 0);
        await MustRaiseAsync(Down);

        // Each process is killed after Prometheus has scraped it.
        for (int i = 0; i < 3; i++)
        {
            await using var again = await PoolApiProcess.StartAtAsync(ServiceForm.NativeAot, "127.0.0.1", service.Api.Port, service.Management.Port, settings);
            await SeesAsync(prometheus, "changes(poolapi_start_time_seconds[1h])", changes => changes > i);
            await again.KillAsync();
        }

        AlertRecording starts = (await AlertRecording.ReadAsync(prometheus, "poolapi_start_time_seconds", clock.Elapsed)).OfStarts();
        foreach (int interval in Intervals) await starts.MustRaiseAsync(promtool, folder.Path, interval, [InstanceRestarts]);

        async Task<double> FailuresAsync()
        {
            await service.Management.PostAsync("/work/burst");
            await service.SeeWorkersAsync(static view => view is { Busy: 0, QueueLength: 0 }, "the end of the burst"); // the next one then fits
            return await prometheus.ValueAsync("poolapi_work_finished_total{kind=\"diagnostics/failure\",outcome=\"failed\"}") ?? 0;
        }

        // The service keeps accepting jobs, and none runs.
        async Task<double> RefusedAsync()
        {
            await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=1");
            (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(503);
            return await prometheus.ValueAsync("poolapi_queue_oldest_age_seconds") ?? 0;
        }

        async Task MustRaiseAsync(params string[] alerts)
        {
            AlertRecording recording = await AlertRecording.ReadAsync(prometheus, StateRecorded, clock.Elapsed);
            foreach (int interval in Intervals) await recording.MustRaiseAsync(promtool, folder.Path, interval, alerts, others: true, lasts: TimeSpan.FromMinutes(35));
        }
    }

    /// <summary>A worker is replaced when its thread dies. No client can cause that, so the series of this alert's test are written by
    /// hand.</summary>
    [Fact]
    public void Every_alert_except_PoolApiWorkerReplaced_is_tested_with_recorded_series() => Assert.Equal(
        ["PoolApiWorkerReplaced"],
        File.ReadLines(AlertRecording.Rules).Where(static line => line.Contains("- alert: ", StringComparison.Ordinal)).Select(static line => line.Split(": ")[1].Trim())
            .Except([.. Raised, .. RaisedByLoad, StopHangs, Down, InstanceRestarts]));

    private static Task<double?> ScrapesAsync(PrometheusServer prometheus, int count) =>
        SeesAsync(prometheus, "count_over_time(poolapi_start_time_seconds[1m])", scrapes => scrapes >= count);

    private static Task<PoolApiProcess> StartAsync(SmallDisk disk, params string[] settings) => PoolApiProcess.StartAsync(
        ServiceForm.NativeAot,
        [
            "--Pool:Workers 1", $"--Pool:MaxQueueTime {MachineLoad.Stretch(TimeSpan.FromSeconds(0.3)):c}", $"--Jobs:Path {Path.Combine(disk.Path, "jobs.db")}", "--Jobs:MaxRedeliveries 1",
            PoolApiProcess.Diagnostics, .. settings,
        ]);

    /// <summary>Fills the disk until the service refuses a job. Then frees the space.</summary>
    private static async Task FillDiskAsync(PoolApiProcess service, SmallDisk disk)
    {
        string ballast = Path.Combine(disk.Path, "ballast");
        try
        {
            await File.WriteAllBytesAsync(ballast, new byte[12 << 20], TestContext.Current.CancellationToken);
        }
        catch (IOException)
        {
            // The disk is full.
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
}
