using System.Net;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests.Endpoints;

/// <summary>Endpoints that are a plain RequestDelegate: all of them runs on the pool.</summary>
public class RequestDelegateTests
{
    [Fact]
    public async Task A_RequestDelegate_runs_on_the_pool_before_and_after_its_awaits()
    {
        bool before = false, after = false;
        await using TestApp app = await TestApp.StartAsync(app => app.MapPost("/", async context =>
        {
            before = Steps.OnPool();
            string body = await new StreamReader(context.Request.Body).ReadToEndAsync(TestApp.Token);
            await Task.Yield();
            after = Steps.OnPool();
            await context.Response.WriteAsync(body, TestApp.Token);
        }).RunOnPool());
        using HttpResponseMessage response = await app.Client.PostAsync(new Uri("/", UriKind.Relative), new StringContent("echo"), TestApp.Token);
        Assert.Equal("echo", await response.Content.ReadAsStringAsync(TestApp.Token));
        Assert.True(before && after);
        Assert.Matches(@"^queue;dur=[0-9.]+, worker;desc=""cpu-0""$", Assert.Single(response.Headers.GetValues("Server-Timing")));
    }

    [Fact]
    public async Task A_refusal_has_no_Server_Timing_header()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", context => context.Response.WriteAsync(gate.Pass(), TestApp.Token)).RunOnPool(),
            new() { ["Pool:QueueCapacity"] = "1" });
        Task<string> running = app.Client.GetStringAsync("/", TestApp.Token);
        await gate.NextArrivalAsync();
        Task<string> waiting = app.Client.GetStringAsync("/", TestApp.Token);
        await app.UntilQueued(1);
        using HttpResponseMessage refused = await app.Client.GetAsync(new Uri("/", UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.False(refused.Headers.Contains("Server-Timing"));
        gate.Open();
        Assert.Equal("passed", await running);
        Assert.Equal("passed", await waiting);
    }

    [Fact]
    public async Task A_response_that_a_stop_cuts_off_does_not_look_whole()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", async context =>
            {
                await context.Response.WriteAsync("the first half", TestApp.Token);
                await context.Response.Body.FlushAsync(TestApp.Token);
                gate.Pass(context.RequestAborted);
            }).RunOnPool(),
            new() { ["Shutdown:Drain"] = "00:00:00" },
            kestrel: true);
        using HttpResponseMessage response = await app.Client.GetAsync(
            new Uri("/", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, TestApp.Token);
        await gate.NextArrivalAsync();
        await app.App.StopAsync(TestApp.Token);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => response.Content.ReadAsStringAsync(TestApp.Token));
        Assert.DoesNotContain(app.Log.Lines, l => l.Text.Contains("has already started", StringComparison.Ordinal));
    }
}
