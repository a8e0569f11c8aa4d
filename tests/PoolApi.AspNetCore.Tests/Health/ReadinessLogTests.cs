using System.Net;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.AspNetCore.Health;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests.Health;

/// <summary>The log reports a change of the app's readiness, and not each probe.</summary>
public sealed class ReadinessLogTests
{
    [Fact]
    public async Task A_check_that_fails_is_logged_once_with_its_reason_and_its_recovery_is_logged_once()
    {
        HealthCheckResult store = HealthCheckResult.Healthy();
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapPoolHealth(),
            configure: builder => builder.Services.AddHealthChecks().AddCheck("store", () => store, [PoolHealth.ReadyTag]));
        await ProbeAsync(app, HttpStatusCode.OK);
        Assert.Empty(Lines(app));

        store = HealthCheckResult.Unhealthy("no room");
        for (int i = 0; i < 5; i++) await ProbeAsync(app, HttpStatusCode.ServiceUnavailable);
        store = HealthCheckResult.Unhealthy("still no room");
        await ProbeAsync(app, HttpStatusCode.ServiceUnavailable);
        Assert.Contains("Not ready: store: no room", Assert.Single(Lines(app)), StringComparison.Ordinal);

        store = HealthCheckResult.Healthy();
        for (int i = 0; i < 5; i++) await ProbeAsync(app, HttpStatusCode.OK);
        Assert.Equal(2, Lines(app).Length);
        Assert.Contains("Ready again", Lines(app)[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stop_writes_no_readiness_line_to_the_log()
    {
        await using TestApp app = await TestApp.StartAsync(static app => app.MapPoolHealth());
        app.Shutdown.Begin("test", lameDuck: false);
        await ProbeAsync(app, HttpStatusCode.ServiceUnavailable);
        Assert.Empty(Lines(app));
    }

    [Fact]
    public async Task A_health_report_from_before_the_end_of_the_start_is_not_logged()
    {
        await using TestApp app = await TestApp.StartAsync(static app => app.MapPoolHealth());
        var log = app.App.Services.GetRequiredService<ReadinessLog>();
        var early = new HealthReport(
            new Dictionary<string, HealthReportEntry>
            {
                [PoolHealth.ShutdownCheck] = new HealthReportEntry(HealthStatus.Unhealthy, "starting", TimeSpan.Zero, exception: null, data: null),
            },
            TimeSpan.Zero);

        log.Log(early);
        await ProbeAsync(app, HttpStatusCode.OK);

        Assert.Empty(Lines(app));
    }

    private static async Task ProbeAsync(TestApp app, HttpStatusCode expected)
    {
        using HttpResponseMessage answer = await app.Client.GetAsync("/readyz", TestApp.Token);
        Assert.Equal(expected, answer.StatusCode);
    }

    private static string[] Lines(TestApp app) =>
        [.. app.Log.Lines.Select(static line => line.Text).Where(static text => text.StartsWith("Not ready", StringComparison.Ordinal) || text == "Ready again")];
}
