using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd;

/// <summary>A real Prometheus understands the metrics, and every panel of the dashboards we ship has something to show.</summary>
[Collection(Heavy.Name)]
public sealed partial class PrometheusTests
{
    [Fact]
    public async Task It_scrapes_the_service_and_every_panel_query_runs_and_the_pools_return_data()
    {
        var panels = Panels();
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 1", "--Pool:QueueCapacity 1", PoolApiProcess.Diagnostics);
        await using var prometheus = await PrometheusServer.StartAsync(service.Management.Port);
        await Eventually.SeesAsync(() => prometheus.ValueAsync("up{job=\"poolapi\"}"), value => value == 1, "a scrape");

        // Some of everything that can be caused from outside, over a few scrapes.
        for (int second = 1; second <= 4; second++)
        {
            (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
            (await service.Api.PostAsync("/v1/diagnostics/hash?iterations=1000")).MustBe(200);
            (await service.Api.PostPngAsync("/v1/thumbnails?width=8", Png.Gradient(64, 64))).MustBe(200);
            // Accepted, and not due while this test counts.
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
            Tool.Missing("deploy/grafana with a dashboard", "it comes with the branch that builds the deployment");
    }

    [Fact]
    public async Task Promtool_accepts_the_configuration_and_the_rules_we_ship()
    {
        string promtool = Tool.Require("promtool", "apt-get install prometheus");
        string folder = Path.Combine(Repository.Root, "deploy", "prometheus");
        if (!Directory.Exists(folder))
            Tool.Missing(folder, "it comes with the branch that builds the deployment");
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

    // What Grafana would put in: an interval of a few scrapes, and for every variable of the dashboard "all".
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
