using System.Net;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests;

/// <summary>Whether the app is ready is logged when it changes, and not at each probe.</summary>
public sealed class ReadinessLogTests
{
    [Fact]
    public async Task A_check_that_fails_is_told_once_with_its_reason_and_so_is_its_recovery()
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
    public async Task A_stop_has_lines_of_its_own()
    {
        await using TestApp app = await TestApp.StartAsync(static app => app.MapPoolHealth());
        app.Shutdown.Begin("test", lameDuck: false);
        await ProbeAsync(app, HttpStatusCode.ServiceUnavailable);
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
