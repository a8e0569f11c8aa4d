using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Telemetry;

/// <summary>A real Prometheus reads the metrics, and every panel of the shipped dashboards has data.</summary>
[Collection(Heavy.Name)]
public sealed partial class PrometheusTests
{
    [Fact]
    public async Task Prometheus_runs_every_panel_query_and_those_of_PoolApi_metrics_return_data()
    {
        var panels = Panels();
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 1", "--Pool:QueueCapacity 1", PoolApiProcess.Diagnostics);
        await using var prometheus = await PrometheusServer.StartAsync(service.Management.Port);
        await Eventually.SeesAsync(() => prometheus.ValueAsync("up{job=\"poolapi\"}"), value => value == 1, "a scrape");

        // Some of each outcome that clients can cause, over a few scrapes.
        for (int second = 1; second <= 4; second++)
        {
            (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
            (await service.Api.PostAsync("/v1/diagnostics/hash?iterations=1000")).MustBe(200);
            (await service.Api.PostPngAsync("/v1/thumbnails?width=8", Png.Gradient(64, 64))).MustBe(200);
            // This job is accepted, and not due during the test.
            (await service.Api.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/v1/diagnostics/noop")
            {
                Headers = { { "Prefer", "respond-async" }, { "Job-Run-At", DateTimeOffset.UtcNow.AddHours(1).ToString("O") } },
            })).MustBe(202);
            var running = await service.OccupyAsync(1, 1000);
            using (var impatient = await RawConnection.OpenAsync(service.Api.Port))
            {
                await impatient.SendAsync("POST /v1/diagnostics/noop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
                await service.SeeWorkersAsync(view => view.QueueLength == 1, "a client that waits");
            }

            await service.SeeWorkersAsync(view => view.QueueLength == 0, "its place free again");
            var waiting = await service.QueueAsync(1, 1);
            (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBeProblem(503, "queue-full");
            await Task.WhenAll([.. running, .. waiting]);
            await Eventually.SeesAsync(
                () => prometheus.ValueAsync("sum(poolapi_work_finished_total)"),
                value => value == 6 * second,
                $"{6 * second} finished items in Prometheus");
        }

        Assert.Equal(24, await prometheus.ValueAsync("sum(poolapi_work_accepted_total)"));
        Assert.Equal(4, await prometheus.ValueAsync("sum(poolapi_work_finished_total{outcome=\"client_gone\"})"));
        Assert.Equal(20, await prometheus.ValueAsync("sum(poolapi_work_finished_total{outcome=\"completed\"})"));
        Assert.Equal(4, await prometheus.ValueAsync("sum(poolapi_work_rejected_total)"));
        Assert.Equal(1, await prometheus.ValueAsync("sum(poolapi_pool_workers{pool=\"cpu\"})"));

        var empty = new List<string>();
        foreach (var (panel, expression) in panels)
        {
            var samples = await prometheus.QueryAsync(expression);
            if (samples.Count == 0 && expression.Contains("poolapi_", StringComparison.Ordinal))
                empty.Add($"{panel}: {expression}");
        }

        Assert.True(empty.Count == 0, "panels without data:\n" + string.Join('\n', empty));
        if (panels.Count == 0)
            Tool.Missing("deploy/grafana with a dashboard", "it is part of the repository");
    }

    [Fact]
    public async Task Under_load_the_rates_in_Prometheus_match_the_counts_of_the_clients()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, "--Pool:Workers 2", "--Pool:QueueCapacity 3", PoolApiProcess.Diagnostics);
        await using var prometheus = await PrometheusServer.StartAsync(service.Management.Port);
        // Each series must begin before the load, because a rate needs a first value.
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        var counts = new LoadCounts();
        var running = await service.OccupyAsync(2, 6000);
        var waiting = await service.QueueAsync(3, 1);
        (await service.Api.PostAsync("/v1/diagnostics/sleep?ms=5")).MustBeProblem(503, "queue-full");
        await Task.WhenAll([.. running, .. waiting]);
        await Eventually.SeesAsync(() => prometheus.ValueAsync("sum(poolapi_work_finished_total)"), value => value == 6, "the first items in Prometheus");

        // There are more clients than places, so some requests are refused. The load lasts until Prometheus has scraped several times and the
        // counts are large enough to compare. On a busy machine the clients are slow.
        double scrapes = (await prometheus.ValueAsync("count_over_time(up[5m])"))!.Value;
        using var end = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 7).Select(_ => LoadAsync(service, counts, end.Token)).ToArray();
        await Eventually.SeesAsync(
            () => prometheus.ValueAsync("count_over_time(up[5m])"),
            value => value >= scrapes + 8 && counts is { Completed: >= 100, Refused: >= 100 }, "eight scrapes, 100 completed and 100 refused");
        await end.CancelAsync();
        await Task.WhenAll(clients);
        await Eventually.SeesAsync(
            () => prometheus.ValueAsync("sum(poolapi_work_finished_total)"), value => value == 6 + counts.Completed, $"{counts} in Prometheus");
        // Every request of the load, and the six sleeps before it, is in the metrics of the server too. It counts a response a moment after the client has it.
        await Eventually.SeesAsync(
            () => prometheus.ValueAsync("sum(http_server_request_duration_seconds_count{http_route=\"/v1/diagnostics/sleep\"})"),
            value => value == 6 + counts.Completed + counts.Refused, $"each request of {counts} in Prometheus");
        // A scrape reads one counter after the other, so this one may be complete a scrape later.
        await Eventually.SeesAsync(
            () => prometheus.ValueAsync("sum(poolapi_work_rejected_total)"), value => value == 1 + counts.Refused, $"each refusal of {counts} in Prometheus");

        (string Selector, long Counted)[] compared =
        [
            ("poolapi_work_finished_total{kind=\"diagnostics/sleep\",outcome=\"completed\"}", counts.Completed),
            ("poolapi_work_execution_duration_seconds_count{kind=\"diagnostics/sleep\"}", counts.Completed),
            ("poolapi_work_rejected_total{reason=\"queue_full\"}", counts.Refused),
            ("http_server_request_duration_seconds_count{http_route=\"/v1/diagnostics/sleep\",http_response_status_code=\"200\"}", counts.Completed),
            ("http_server_request_duration_seconds_count{http_route=\"/v1/diagnostics/sleep\",http_response_status_code=\"503\"}", counts.Refused),
        ];
        foreach (var (selector, counted) in compared)
        {
            // The range begins and ends at a scrape, so that Prometheus does not extrapolate.
            var samples = await prometheus.SamplesAsync(selector);
            decimal length = samples[^1].At - samples[0].At;
            string rate = string.Create(CultureInfo.InvariantCulture, $"rate({selector}[{((long)(length * 1000)) + 1}ms] @ {samples[^1].At})");
            double total = (await prometheus.ValueAsync(rate))!.Value * (double)length;
            double perSecond = counted / counts.Seconds;
            TestContext.Current.TestOutputHelper!.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"{selector}: {total:F2} of {counted} ({100 * ((total / counted) - 1):F3} %), {perSecond:F0}/s by the clients"));
            Assert.InRange(total, counted * 0.99, counted * 1.01);
        }
    }

    [Fact]
    public async Task Ten_thousand_different_requests_make_no_more_series_than_ten()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var prometheus = await PrometheusServer.StartAsync(service.Management.Port);
        // One request on a connection of its own: the series of the connections' duration begins when the first connection closes.
        using (var connection = await RawConnection.OpenAsync(service.Api.Port))
        {
            await connection.SendAsync("GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            await connection.ReadAsync();
        }
        await RequestsAsync(1, 10);
        var few = await SeriesAsync(11);
        await RequestsAsync(11, 10_000);
        var many = await SeriesAsync(10_011);

        TestContext.Current.TestOutputHelper!.WriteLine($"{few.Count} series after 11 requests, {many.Count} after 10,011");
        Assert.True(many.IsSubsetOf(few), "new series:\n" + string.Join('\n', many.Except(few)));
        Assert.Equal(few.Count, many.Count);

        // The requests differ in everything that a client chooses. Their shapes are the same.
        async Task RequestsAsync(int first, int count)
        {
            int next = first - 1;
            await Task.WhenAll(Enumerable.Range(0, 16).Select(async _ =>
            {
                for (int i = Interlocked.Increment(ref next); i < first + count; i = Interlocked.Increment(ref next))
                {
                    var id = Guid.CreateVersion7();
                    using var request = (i % 5) switch
                    {
                        0 => new HttpRequestMessage(HttpMethod.Get, $"/nothing/{i}/{id}?q={i}"),
                        1 => new HttpRequestMessage(HttpMethod.Get, $"/v1/jobs/{id}"),
                        2 => new HttpRequestMessage(HttpMethod.Post, $"/v1/diagnostics/sleep?ms=x{i}"),
                        3 => new HttpRequestMessage(HttpMethod.Post, $"/v1/thumbnails?width={1 + (i % 4096)}") { Content = new StringContent($"no image {i}") },
                        _ => new HttpRequestMessage(HttpMethod.Post, "/v1/diagnostics/noop"),
                    };
                    request.Headers.TryAddWithoutValidation("User-Agent", $"agent-{i}/{id}");
                    request.Headers.TryAddWithoutValidation("X-Request-Id", $"{id}");
                    int status = (await service.Api.SendAsync(request)).Status;
                    Assert.True(status == (i % 5) switch { 0 or 1 => 404, 2 => 400, 3 => status is 415 or 422 ? status : 0, _ => 200 }, $"{i}: {status}");
                }
            }));
        }

        // The current series in Prometheus, once it has all of the requests.
        async Task<HashSet<string>> SeriesAsync(int requests)
        {
            await Eventually.SeesAsync(
                () => prometheus.ValueAsync("sum(http_server_request_duration_seconds_count{http_route!~\"/metrics|/readyz\"})"),
                value => value == requests, $"{requests} requests in Prometheus");
            // The server counts a connection a moment after its last request.
            await Eventually.SeesAsync(
                () => prometheus.ValueAsync($"sum(kestrel_connection_duration_seconds_count{{server_port=\"{service.Api.Port}\"}})"),
                closed => closed > 0, "a closed connection in Prometheus");
            var all = await prometheus.QueryAsync("{job=\"poolapi\"}");
            // Prometheus sends requests too. Its first scrape is counted in the second one. A scrape that times out on a busy machine has a
            // status, a connection and an exception of its own.
            return [.. all.Select(static series => series.GetProperty("metric").GetRawText()).Where(series =>
                !series.Contains("\"http_route\":\"/metrics\"", StringComparison.Ordinal)
                && !series.Contains($"\"server_port\":\"{service.Management.Port}\"", StringComparison.Ordinal)
                && !series.Contains("\"dotnet_exceptions_", StringComparison.Ordinal))];
        }
    }

    [Fact]
    public async Task Promtool_accepts_the_configuration_and_the_rules_we_ship()
    {
        string promtool = Tool.Require("promtool", "apt-get install prometheus");
        string folder = Path.Combine(Repository.Root, "deploy", "prometheus");
        if (!Directory.Exists(folder))
            Tool.Missing(folder, "it is part of the repository");
        string[] files = Directory.GetFiles(folder, "*.yml", SearchOption.AllDirectories);
        Assert.NotEmpty(files);

        foreach (string file in files)
        {
            string text = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
            string[] command = RuleTests().IsMatch(text) ? ["test", "rules"] : RuleFile().IsMatch(text) ? ["check", "rules"] : ["check", "config"];
            var run = await ProgramRun.ToEndAsync(new ProcessStartInfo(promtool, [.. command, file]), Patience.Long);
            Assert.True(run.ExitCode == 0, run.Text);
        }
    }

    private static async Task LoadAsync(PoolApiProcess service, LoadCounts counts, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            var answer = await service.Api.PostAsync("/v1/diagnostics/sleep?ms=5");
            counts.Add(answer);
            if (answer.Status == 503)
                await Task.Delay(10, CancellationToken.None); // the client's pause before it tries again: without it, refusals take a whole core
        }
    }

    /// <summary>The counts of the clients of a load.</summary>
    private sealed class LoadCounts
    {
        private readonly Stopwatch _clock = Stopwatch.StartNew();
        private long _completed;
        private long _refused;

        public long Completed => Volatile.Read(ref _completed);

        public long Refused => Volatile.Read(ref _refused);

        public double Seconds => _clock.Elapsed.TotalSeconds;

        public void Add(Answer answer)
        {
            if (answer.Status == 200)
            {
                Interlocked.Increment(ref _completed);
            }
            else
            {
                answer.MustBeProblem(503, "queue-full");
                Interlocked.Increment(ref _refused);
            }
        }

        public override string ToString() => $"{Completed} completed, {Refused} refused";
    }

    private static List<(string Panel, string Expression)> Panels()
    {
        string folder = Path.Combine(Repository.Root, "deploy", "grafana");
        if (!Directory.Exists(folder))
            return [];
        var panels = new List<(string, string)>();
        foreach (string file in Directory.GetFiles(folder, "*.json", SearchOption.AllDirectories))
        {
            using var dashboard = JsonDocument.Parse(File.ReadAllText(file));
            Collect(dashboard.RootElement, Path.GetFileName(file), panels);
        }

        return panels;
    }

    private static void Collect(JsonElement json, string panel, List<(string, string)> panels)
    {
        if (json.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in json.EnumerateArray())
                Collect(item, panel, panels);
        }
        else if (json.ValueKind == JsonValueKind.Object)
        {
            string name = json.TryGetProperty("title", out var title) && title.GetString() is { } given ? given : panel;
            foreach (var member in json.EnumerateObject())
            {
                if (member.Name == "expr" && member.Value.ValueKind == JsonValueKind.String)
                    panels.Add((name, WithoutVariables(member.Value.GetString()!)));
                else
                    Collect(member.Value, name, panels);
            }
        }
    }

    // Replaces variables as Grafana would: by an interval of a few scrapes, and by "all" for each variable of the dashboard.
    private static string WithoutVariables(string expression)
    {
        expression = Interval().Replace(expression, "30s");
        return Variable().Replace(expression, ".+");
    }

    [GeneratedRegex(@"\$\{__(rate_interval|interval|range)\}|\$__(rate_interval|interval|range)")]
    private static partial Regex Interval();

    [GeneratedRegex(@"\$\{\w+(:\w+)?\}|\$\w+|\[\[\w+\]\]")]
    private static partial Regex Variable();

    [GeneratedRegex(@"^tests:", RegexOptions.Multiline)]
    private static partial Regex RuleTests();

    [GeneratedRegex(@"^groups:", RegexOptions.Multiline)]
    private static partial Regex RuleFile();
}
