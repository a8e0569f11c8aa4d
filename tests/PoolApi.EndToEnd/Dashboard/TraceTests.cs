using System.Diagnostics;
using PoolApi.Dashboard.Tests.Recording;

namespace PoolApi.EndToEnd.Dashboard;

/// <summary>The trace of a period under load agrees with the metrics and the spans.</summary>
[Collection(Heavy.Name)]
public sealed class TraceTests
{
    private const int Workers = 3;
    private const int Clients = 24;
    // On a busy machine a scrape takes longer. The period is longer by the same factor, so the relative error stays the same.
    private static readonly double Slowness = Math.Min(4, MachineLoad.Factor);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(8) * Slowness;
    private static readonly string[] Work = ["/v1/diagnostics/sleep?ms=30", "/v1/diagnostics/hash?iterations=20000", "/v1/diagnostics/sleep?ms=7"];

    // How far the time of a scrape may be from the middle between its request and its answer, at either end of the period.
    private static readonly TimeSpan Blur = TimeSpan.FromMilliseconds(25) * Slowness;

    [Fact]
    public async Task The_trace_agrees_with_the_busy_time_metric_of_each_worker_and_with_the_exported_spans()
    {
        using var collector = new OtlpSink();
        var environment = new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Url,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_BSP_SCHEDULE_DELAY"] = "100",
            ["OTEL_BSP_MAX_QUEUE_SIZE"] = "20000",
        };
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, onePort: false, environment, $"--Pool:Workers {Workers}", PoolApiProcess.Diagnostics);
        using var end = new CancellationTokenSource();
        int answers = 0;
        var begun = DateTimeOffset.UtcNow;
        var clients = Enumerable.Range(0, Clients).Select(ClientAsync).ToArray();
        await service.SeeWorkersAsync(view => view.Busy == Workers && Volatile.Read(ref answers) > 20, "a load");

        var (from, before) = await ScrapeAsync(service);
        // The exact length does not matter: the trace is cut at the times of the two scrapes.
        await Eventually.SeesAsync(() => Task.FromResult(DateTimeOffset.UtcNow), now => now - from >= Period, "the end of the period", seconds: 60);
        var (to, after) = await ScrapeAsync(service);
        await end.CancelAsync();
        await Task.WhenAll(clients);
        await service.SeeWorkersAsync(view => view.AllIdle, "idle workers");

        int seconds = (int)(DateTimeOffset.UtcNow - begun).TotalSeconds + 30;
        var json = (await service.Management.GetAsync($"/trace?seconds={seconds}")).MustBe(200);
        Assert.Equal("application/json", json.MediaType);
        Assert.Equal(0, json.Json().GetProperty("otherData").GetProperty("overwritten in cpu").GetInt32());
        DecodedTrace trace = DecodedTrace.Of(json.Body);
        // The stop sends the last spans.
        await service.StopAsync();

        var output = TestContext.Current.TestOutputHelper!;
        for (int worker = 0; worker < Workers; worker++)
        {
            string name = $"cpu-{worker}";
            double metric = Busy(after, name) - Busy(before, name);
            double traced = trace.On(name).Sum(slice => Math.Max(0, (Min(slice.To, At(to)) - Max(slice.From, At(from))) / 1e6));
            output.WriteLine($"{name}: {metric:F3} s by the metric, {traced:F3} s by the trace, {100 * ((traced / metric) - 1):F2} %");
            Assert.InRange(metric, 0.5 * (to - from).TotalSeconds, 1.1 * (to - from).TotalSeconds);
            Assert.InRange(traced, metric * 0.99, metric * 1.01);
        }

        var spans = collector.Traces.SelectMany(static body => OtlpSpan.TraceIds(body[(body.IndexOf(' ', StringComparison.Ordinal) + 1)..])).ToHashSet();
        var slices = Enumerable.Range(0, Workers).SelectMany(worker => trace.On($"cpu-{worker}")).ToArray();
        output.WriteLine($"{slices.Length} events, {answers} answers, {spans.Count} traces");
        Assert.Equal(answers, slices.Length);
        Assert.Equal(slices.Length, slices.Select(static slice => slice.Args["traceId"]).Distinct().Count());
        Assert.All(slices, slice => Assert.Contains(slice.Args["traceId"], spans));

        double At(DateTimeOffset time) => ((time - DateTimeOffset.UnixEpoch).TotalMilliseconds - trace.Origin) * 1000;

        static double Min(decimal slice, double edge) => Math.Min((double)slice, edge);

        static double Max(decimal slice, double edge) => Math.Max((double)slice, edge);

        static double Busy(Exposition metrics, string worker) => metrics.Sum("poolapi_worker_busy_time_seconds_total", $"worker=\"{worker}\"");

        async Task ClientAsync(int index)
        {
            for (int i = index; !end.IsCancellationRequested; i++)
            {
                (await service.Api.PostAsync(Work[i % Work.Length])).MustBe(200);
                Interlocked.Increment(ref answers);
            }
        }
    }

    /// <summary>The metrics, and when they were read. On a busy machine some scrapes are answered late. These are not used.</summary>
    private static async Task<(DateTimeOffset At, Exposition Metrics)> ScrapeAsync(PoolApiProcess service)
    {
        var (at, text, _) = await Eventually.SeesAsync(
            async () =>
            {
                var asked = DateTimeOffset.UtcNow;
                long since = Stopwatch.GetTimestamp();
                string answer = (await service.Management.GetAsync("/metrics")).MustBe(200).Text;
                var took = Stopwatch.GetElapsedTime(since);
                return (At: asked + (took / 2), Text: answer, Took: took);
            },
            scrape => scrape.Took < 2 * Blur,
            "a scrape that is answered quickly");
        return (at, Exposition.Parse(text));
    }
}
