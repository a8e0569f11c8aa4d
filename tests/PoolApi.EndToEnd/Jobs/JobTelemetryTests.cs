using System.Diagnostics;
using System.Text;

namespace PoolApi.EndToEnd.Jobs;

/// <summary>Metrics and traces show what jobs do.</summary>
public sealed class JobTelemetryTests(SharedPostgres postgres)
{
    [Theory]
    [InlineData(ServiceForm.FrameworkDependent, JobStore.Sqlite)]
    [InlineData(ServiceForm.NativeAot, JobStore.Postgres)]
    public async Task The_metrics_count_jobs_by_state_and_kind_and_promtool_finds_no_fault(ServiceForm form, JobStore store)
    {
        string promtool = Tool.Require("promtool", "apt-get install prometheus");
        string[] settings = await SettingsAsync(store);
        await using var service = await PoolApiProcess.StartAsync(form, [PoolApiProcess.Diagnostics, "--Pool:Workers 1", .. settings]);
        for (int i = 0; i < 3; i++)
            Assert.Equal("succeeded", (await service.Api.JobEndsAsync(await service.Api.AcceptJobAsync("/v1/diagnostics/noop"))).State);
        var running = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000");
        await service.Api.SeeJobAsync(running, job => job.State == "running", "the job to run");
        var queued = await service.Api.AcceptJobAsync("/v1/diagnostics/noop", $"Job-Run-At: {DateTimeOffset.UtcNow.AddHours(1):O}");
        await service.Api.AcceptJobAsync("/v1/diagnostics/noop", $"Job-Run-At: {DateTimeOffset.UtcNow.AddHours(1):O}");
        (await service.Api.CancelJobAsync(queued)).MustBe(204);

        // The bytes of a result are returned to the budget a moment after the result is written.
        var metrics = await Eventually.SeesAsync(
            service.MetricsAsync, m => m.Sum("poolapi_jobs", "state=\"cancelled\"") == 1 && m.Sum("poolapi_budget_usage_bytes") == 0, "the counts");

        Assert.Equal(6, metrics.Count("poolapi_jobs"));
        Assert.Equal((1, 1), (metrics.Sum("poolapi_jobs", "state=\"queued\""), metrics.Sum("poolapi_jobs", "state=\"running\"")));
        Assert.Equal((3, 0), (metrics.Sum("poolapi_jobs", "state=\"succeeded\""), metrics.Sum("poolapi_jobs", "state=\"failed\"")));
        Assert.Equal(5, metrics.Sum("poolapi_job_accepted_total", "kind=\"diagnostics/noop\""));
        Assert.Equal(1, metrics.Sum("poolapi_job_accepted_total", "kind=\"diagnostics/sleep\""));
        Assert.Equal(3, metrics.Sum("poolapi_work_finished_total", "kind=\"diagnostics/noop\"", "outcome=\"completed\""));
        Assert.InRange(metrics.Sum("poolapi_store_operation_duration_seconds_count"), 10, double.MaxValue);
        Assert.All((string[])["queue", "jobs", "answers"], budget => Assert.Equal(
            268435456, metrics.Sum("poolapi_budget_limit_bytes", $"budget=\"{budget}\"")));
        Assert.Equal((3, 0), (metrics.Count("poolapi_budget_usage_bytes"), metrics.Sum("poolapi_budget_usage_bytes")));
        // The PostgreSQL driver has metrics of its own. None contains the connection string.
        string scrape = (await service.Management.GetAsync("/metrics")).MustBe(200).Text;
        if (store == JobStore.Sqlite)
        {
            Assert.DoesNotContain(metrics.Names, static name => name.StartsWith("db_client", StringComparison.Ordinal));
        }
        else
        {
            metrics = Exposition.Parse(scrape);
            Assert.InRange(metrics.Sum("db_client_operation_duration_seconds_count", "db_client_connection_pool_name=\"jobs\""), 10, double.MaxValue);
            Assert.InRange(metrics.Sum("db_client_connections", "db_client_connection_pool_name=\"jobs\""), 1, 16);
            Assert.Equal(16, metrics.Sum("db_client_connection_max", "db_client_connection_pool_name=\"jobs\""));
            Assert.DoesNotContain("Username=", scrape, StringComparison.OrdinalIgnoreCase);
        }

        var run = await ProgramRun.ToEndAsync(new ProcessStartInfo(promtool, ["check", "metrics"]), Patience.Long, scrape);
        Assert.True(run.ExitCode == 0 && run.Text.Length == 0, $"promtool ended with {run.ExitCode}:\n{run.Text}");

        var worker = Assert.Single((await service.WorkersAsync()).Workers);
        Assert.Equal("diagnostics/sleep", worker.Json.GetProperty("kind").GetString());
    }

    [Theory]
    [InlineData(ServiceForm.FrameworkDependent, JobStore.Sqlite)]
    [InlineData(ServiceForm.NativeAot, JobStore.Postgres)]
    public async Task The_job_span_descends_from_the_request_span_and_a_retry_links_to_that_trace(ServiceForm form, JobStore store)
    {
        using var collector = new OtlpSink();
        var environment = new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Url,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_BSP_SCHEDULE_DELAY"] = "100",
        };
        await using var service = await PoolApiProcess.StartAsync(
            form, onePort: false, environment, [PoolApiProcess.Diagnostics, "--Pool:Workers 1", .. await SettingsAsync(store)]);
        string trace = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
        var id = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000", $"traceparent: 00-{trace}-00f067aa0ba902b7-01");

        await service.SeeWorkersAsync(
            view => view.Workers[0].Json.GetProperty("traceId").GetString() == trace, "the worker to show the trace of the request");
        (await service.Api.CancelJobAsync(id)).MustBe(202);
        Assert.Equal("cancelled", (await service.Api.JobEndsAsync(id)).State);

        // In the protobuf, ids are bytes, and all spans have the id of the trace. The span of the request is the parent of the span that sends
        // the job, which is the parent of the attempt's span.
        string traceBytes = Encoding.Latin1.GetString(Convert.FromHexString(trace));
        await Eventually.SeesAsync(
            () => Task.FromResult(collector.HasSpan("process diagnostics/sleep") && collector.HasSpan("POST /v1/diagnostics/sleep")), seen => seen, "both spans");
        await Eventually.SeesAsync(() => Task.FromResult(collector.HasSpan("run diagnostics/sleep") && collector.HasSpan("send diagnostics/sleep")), seen => seen, "the other two spans");
        byte[] request = OtlpSpan.Find(collector.Traces, "POST /v1/diagnostics/sleep").SpanId;
        var job = OtlpSpan.Find(collector.Traces, "process diagnostics/sleep");
        Assert.Equal(traceBytes, Encoding.Latin1.GetString(job.TraceId));
        var sent = OtlpSpan.Find(collector.Traces, "send diagnostics/sleep");
        Assert.Equal(request, sent.ParentId);
        Assert.Equal(sent.SpanId, job.ParentId);
        Assert.Equal(job.SpanId, OtlpSpan.Find(collector.Traces, "run diagnostics/sleep").ParentId);
        Assert.Equal(job.SpanId, OtlpSpan.Find(collector.Traces, "wait cpu").ParentId);

        JobRequests.IdOf(await service.Api.RetryJobAsync(id));
        await service.SeeWorkersAsync(
            view => view.Workers[0].Json.GetProperty("traceId").GetString() is { } other && other != trace, "the retry, in a trace of its own");
        (await service.Api.CancelJobAsync(id)).MustBe(202);
        await Eventually.SeesAsync(() => Task.FromResult(OtlpSpan.HasLink(collector.Traces, job.TraceId, sent.SpanId)), seen => seen, "a link to the request");
    }

    private async Task<string[]> SettingsAsync(JobStore store) =>
        store == JobStore.Postgres ? ["--Jobs:Store postgres", $"--Jobs:ConnectionString {await postgres.NewDatabaseAsync()}"] : [];
}
