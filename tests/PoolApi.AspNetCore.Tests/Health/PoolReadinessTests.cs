using System.Text.Json.Nodes;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Health;

/// <summary>An app is ready only while its pools can take work.</summary>
public sealed class PoolReadinessTests
{
    [Fact]
    public async Task The_app_is_degraded_while_some_workers_are_stuck_and_not_ready_while_all_are()
    {
        using var first = new Gate();
        using var second = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapPoolHealth();
                app.MapGet("/first", () => first.Pass()).RunOnPool();
                app.MapGet("/second", () => second.Pass()).RunOnPool();
            },
            new() { ["Pool:Workers"] = "2", ["Pool:StuckAfter"] = "00:00:00.001" });
        Assert.Equal((200, "healthy"), await StatusAsync(app));

        Task<string> one = app.Client.GetStringAsync("/first", TestApp.Token);
        await first.NextArrivalAsync();
        await UntilAsync(app, 200, "degraded");
        Assert.Equal("1 of 2 workers of the pool 'cpu' are stuck", await ReasonAsync(app));
        Assert.Empty(app.Log.With("Not ready"));

        Task<string> two = app.Client.GetStringAsync("/second", TestApp.Token);
        await second.NextArrivalAsync();
        await UntilAsync(app, 503, "unhealthy");
        Assert.Equal("all 2 workers of the pool 'cpu' are stuck", await ReasonAsync(app));
        Assert.Contains("all 2 workers of the pool 'cpu' are stuck", Assert.Single(app.Log.With("Not ready")), StringComparison.Ordinal);

        first.Open();
        await one;
        await UntilAsync(app, 200, "degraded");
        second.Open();
        await two;
        await UntilAsync(app, 200, "healthy");
    }

    [Fact]
    public async Task The_app_is_not_ready_after_one_of_its_pools_is_closed()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapPoolHealth(),
            configure: static builder => builder.Services.AddFixedThreadPool("io").FromSection("Io"));
        Assert.Equal((200, "healthy"), await StatusAsync(app));

        _ = app.App.Services.GetRequiredKeyedService<FixedThreadPool>("io").CloseAsync();

        Assert.Equal((503, "unhealthy"), await StatusAsync(app));
        Assert.Equal("the pool 'io' is closed", await ReasonAsync(app));
    }

    [Fact]
    public async Task The_readiness_probe_reports_all_faults_and_the_worst_decides_its_status()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapPoolHealth();
                app.MapGet("/", () => gate.Pass()).RunOnPool();
            },
            new() { ["Pool:Workers"] = "2", ["Pool:StuckAfter"] = "00:00:00.001" },
            static builder => builder.Services.AddFixedThreadPool("io").FromSection("Io"));
        Task<string> one = app.Client.GetStringAsync("/", TestApp.Token);
        await gate.NextArrivalAsync();
        await UntilAsync(app, 200, "degraded");
        _ = app.App.Services.GetRequiredKeyedService<FixedThreadPool>("io").CloseAsync();

        Assert.Equal((503, "unhealthy"), await StatusAsync(app));
        Assert.Equal("1 of 2 workers of the pool 'cpu' are stuck; the pool 'io' is closed", await ReasonAsync(app));
        gate.Open();
        await one;
    }

    [Fact]
    public async Task The_readiness_probe_reports_a_stop_as_draining_and_not_as_a_fault_of_the_pools()
    {
        await using TestApp app = await TestApp.StartAsync(static app => app.MapPoolHealth());
        app.Shutdown.Begin("test", lameDuck: false);
        _ = app.Pool.CloseAsync();

        (int status, JsonNode body) = await ProbeAsync(app);

        Assert.Equal(503, status);
        Assert.Equal("draining", (string)body["checks"]!["pool-shutdown"]!);
        Assert.Equal("", (string)body["checks"]!["pool-workers"]!);
    }

    [Fact]
    public async Task An_exception_of_a_health_check_is_logged_but_is_not_in_the_probe_response()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapPoolHealth(),
            configure: static builder => builder.Services.AddHealthChecks()
                .AddCheck("throws", static () => throw new InvalidOperationException("secret-host"), [PoolHealth.ReadyTag])
                .AddCheck("reports", static () => HealthCheckResult.Unhealthy("the disk is full", new InvalidOperationException("secret-path")), [PoolHealth.ReadyTag]));

        (int status, JsonNode body) = await ProbeAsync(app);

        Assert.Equal((503, "the check failed", "the disk is full"), (status, (string)body["checks"]!["throws"]!, (string)body["checks"]!["reports"]!));
        Assert.DoesNotContain("secret", body.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains("throws: secret-host", Assert.Single(app.Log.With("Not ready")), StringComparison.Ordinal);
    }

    private static Task UntilAsync(TestApp app, int status, string word) =>
        Patience.UntilAsync(async () => await StatusAsync(app) == (status, word), $"{status} {word}");

    private static async Task<(int, string)> StatusAsync(TestApp app)
    {
        (int status, JsonNode body) = await ProbeAsync(app);
        return (status, (string)body["status"]!);
    }

    private static async Task<string> ReasonAsync(TestApp app) => (string)(await ProbeAsync(app)).Body["checks"]!["pool-workers"]!;

    private static async Task<(int Status, JsonNode Body)> ProbeAsync(TestApp app)
    {
        using HttpResponseMessage answer = await app.Client.GetAsync("/readyz", TestApp.Token);
        return ((int)answer.StatusCode, JsonNode.Parse(await answer.Content.ReadAsStringAsync(TestApp.Token))!);
    }
}
