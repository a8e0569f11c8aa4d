using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Traces;

namespace PoolApi.Dashboard.Tests;

/// <summary>Every JSON route writes non-ASCII names unescaped, since people read JSON in a terminal.</summary>
public sealed class JsonTests
{
    private const string Name = "café";
    private const string Escaped = @"caf\u00e9";

    /// <summary>The routes whose response is not JSON, or has no name that an app chooses.</summary>
    private static readonly string[] WithoutNames =
    [
        "/livez", "/startupz", "/jobs/{id}/result", $"/{Name}", "/ops/pools", "/ops/pools/assets/{name}", "/ops/pools/job", "/ops/pools/job/known",
        "/ops/pools/job/result", "/ops/pools/jobs", "/ops/pools/jobs/matching", "/ops/pools/status",
    ];

    private static CancellationToken Token => DashboardApp.Token;

    [Fact]
    public async Task Every_JSON_route_writes_a_non_ASCII_name_unescaped()
    {
        using var gate = new Gate();
        await using DashboardApp app = await DashboardApp.StartAsync(
            jobs: true,
            services: static b => b.Services.AddHealthChecks().AddCheck(Name, static () => HealthCheckResult.Healthy(), [PoolHealth.ReadyTag]),
            routes: app =>
            {
                app.MapPoolHealth();
                app.MapPoolWorkers("/workers");
                app.MapGet($"/{Name}", () => gate.Pass()).RunOnPool(configure: static o => o.Kind = Name).AllowJobs(Name);
            });
        Task<HttpResponseMessage> running = app.Client.GetAsync($"/{Name}", Token);
        await gate.NextArrivalAsync();
        string job = $"{(await app.QueueAsync(kind: Name)).Id:D}";
        Snapshots snapshots = TraceSetup.Start(app.App.Services, PoolMonitor.Of(app.App.Services), new PoolDashboardOptions());
        string snapshot = snapshots.Take(SnapshotTrigger.SlowItem, $"cpu-0 has been running {Name}").Id;

        (string Route, string Path)[] shown =
        [
            ("/readyz", "/readyz"), ("/workers", "/workers"), ("/workers/stream", "/workers/stream"),
            ("/jobs", "/jobs"), ("/jobs/{id}", $"/jobs/{job}"), ("/jobs/{id}/events", $"/jobs/{job}/events"),
            ("/ops/pools/stream", "stream"), ("/ops/pools/history", $"history?pool={Name}"), ("/ops/pools/trace", "trace"),
            ("/ops/pools/snapshots", "snapshots"), ("/ops/pools/snapshots/{id}", $"snapshots/{snapshot}"),
            ("/ops/pools/jobs/kinds", "jobs/kinds"), ("/ops/pools/jobs/list", "jobs/list"), ("/ops/pools/jobs/stream", "jobs/stream"),
            ("/ops/pools/job/stream", $"job/stream?id={job}"),
        ];
        Assert.Equal(
            shown.Select(static each => each.Route).Concat(WithoutNames).Order(StringComparer.Ordinal),
            app.App.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
                .Where(static endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Contains(HttpMethods.Get) == true)
                .Select(static endpoint => endpoint.RoutePattern.RawText!.TrimEnd('/')).Order(StringComparer.Ordinal));
        foreach ((_, string path) in shown)
        {
            string line = await LineAsync(app.Client, path);
            Assert.False(line.Contains("\\u00", StringComparison.Ordinal), $"{path}: {line}");
        }
        gate.Open();
        (await running).Dispose();
    }

    /// <summary>The first line that has the name, escaped or not. A stream has no end, so the test does not read all of it.</summary>
    private static async Task<string> LineAsync(HttpClient client, string path)
    {
        using HttpResponseMessage answer = await client.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, Token);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Token));
        while (await reader.ReadLineAsync(Token).Patiently() is { } line)
        {
            // Not a part of the name: the id of an instance is hexadecimal, and may have "caf" in it.
            if (line.Contains(Name, StringComparison.Ordinal) || line.Contains(Escaped, StringComparison.OrdinalIgnoreCase)) return line;
        }
        throw new InvalidOperationException($"{path} does not show the name: {(int)answer.StatusCode}.");
    }
}
