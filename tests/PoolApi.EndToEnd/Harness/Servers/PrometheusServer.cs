using System.Diagnostics;
using System.Text.Json;

namespace PoolApi.EndToEnd.Harness.Servers;

/// <summary>A real Prometheus that scrapes one service every second, or, without rules on a busy machine, less often.</summary>
internal sealed class PrometheusServer : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Endpoint _web = new(FreePorts.Next());
    private readonly RunningProgram _program;

    private PrometheusServer(string program, int scrapedPort, string? rules)
    {
        string configuration = Path.Combine(_folder.Path, "prometheus.yml");
        Scrape(scrapedPort);
        // A scrape may take as long as the interval. If it takes longer, all series have a gap. With rules, the interval is always a second.
        int interval = rules is null ? Math.Min(5, MachineLoad.StretchSeconds(1)) : 1;
        File.WriteAllText(configuration, $"""
            global: {"{"} scrape_interval: {interval}s, evaluation_interval: 1s {"}"}
            rule_files: [{(rules is null ? "" : $"\"{rules}\"")}]
            scrape_configs:
              - job_name: poolapi
                file_sd_configs: [ {"{"} files: ["{TargetsFile}"] {"}"} ]
            """);
        string[] arguments =
        [
            $"--config.file={configuration}", $"--storage.tsdb.path={Path.Combine(_folder.Path, "data")}",
            $"--web.listen-address=127.0.0.1:{_web.Port}",
        ];
        _program = new RunningProgram(new ProcessStartInfo(program, arguments));
    }

    private string TargetsFile => Path.Combine(_folder.Path, "targets.json");

    /// <summary>Starts one and waits until it is ready.</summary>
    /// <param name="scrapedPort">The port of the service that it scrapes.</param>
    /// <param name="rules">A file of rules that it evaluates every second.</param>
    public static async Task<PrometheusServer> StartAsync(int scrapedPort, string? rules = null)
    {
        var server = new PrometheusServer(Tool.Require("prometheus", "apt-get install prometheus"), scrapedPort, rules);
        try
        {
            await server._program.WaitForLineAsync("Server is ready");
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>From now on scrapes another port as the same instance, because the service was started again.</summary>
    public void Scrape(int port)
    {
        string next = TargetsFile + ".next";
        File.WriteAllText(next, $$"""[ { "targets": ["127.0.0.1:{{port}}"], "labels": { "instance": "a" } } ]""");
        File.Move(next, TargetsFile, overwrite: true);
    }

    /// <summary>Runs an instant query and returns the samples of its result, each with its labels. A refused query fails the test.</summary>
    public async Task<IReadOnlyList<JsonElement>> QueryAsync(string expression)
    {
        var answer = await _web.GetAsync("/api/v1/query?query=" + Uri.EscapeDataString(expression));
        Assert.True(answer.Status == 200, $"{expression}\n{answer.Text}");
        var data = answer.Json().GetProperty("data");
        return data.GetProperty("resultType").GetString() is "vector" or "matrix"
            ? [.. data.GetProperty("result").EnumerateArray()]
            : [data.GetProperty("result")];
    }

    /// <summary>The value of a query that has one sample; null while there is none.</summary>
    public async Task<double?> ValueAsync(string expression)
    {
        var samples = await QueryAsync(expression);
        return samples.Count == 0
            ? null
            : double.Parse(samples[0].GetProperty("value")[1].GetString()!, System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>The samples, as they were scraped, of the one series that a selector finds in the last minutes.</summary>
    public async Task<IReadOnlyList<(decimal At, double Value)>> SamplesAsync(string selector, string duration = "5m")
    {
        var series = Assert.Single(await QueryAsync($"{selector}[{duration}]"));
        return [.. series.GetProperty("values").EnumerateArray().Select(static sample => (
            sample[0].GetDecimal(), double.Parse(sample[1].GetString()!, System.Globalization.CultureInfo.InvariantCulture)))];
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await _program.DisposeAsync();
        _web.Dispose();
        _folder.Dispose();
    }
}
