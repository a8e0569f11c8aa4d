using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Diagnostics;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Endpoints;

/// <summary>Context and cancellation flow to a handler on the pool; its exceptions and its timings flow back.</summary>
public class FlowTests
{
    private static readonly AsyncLocal<string?> Ambient = new();

    [Fact]
    public async Task The_http_context_async_locals_and_the_activity_flow_to_the_handler_and_its_continuations()
    {
        string? activity = null;
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    using var own = new Activity("mine");
                    own.Start();
                    activity = own.TraceId.ToString();
                    Ambient.Value = "ambient";
                    await next(context);
                });
                app.UseRouting();
                app.MapGet("/", async (IHttpContextAccessor accessor) =>
                {
                    string first = $"{accessor.HttpContext?.Request.Path} {Ambient.Value} {Activity.Current?.TraceId}";
                    await Task.Delay(1, TestApp.Token); // so that the method really awaits
                    string second = $"{accessor.HttpContext?.Request.Path} {Ambient.Value} {Activity.Current?.TraceId}";
                    return first + "|" + second;
                }).RunOnPool();
            },
            configure: b => b.Services.AddHttpContextAccessor());
        string expected = "/ ambient ";
        string answer = await app.Client.GetStringAsync("/", TestApp.Token);
        Assert.Equal($"{expected}{activity}|{expected}{activity}", answer);
    }

    [Fact]
    public async Task An_async_local_that_a_handler_sets_does_not_reach_the_next_handler_on_its_worker()
    {
        await using TestApp app = await TestApp.StartAsync(app => app.MapGet("/", () =>
        {
            string found = Ambient.Value ?? "nothing";
            Ambient.Value = "left behind";
            return found;
        }).RunOnPool());
        Assert.Equal("nothing", await app.Client.GetStringAsync("/", TestApp.Token));
        Assert.Equal("nothing", await app.Client.GetStringAsync("/", TestApp.Token));
    }

    [Fact]
    public async Task Server_Timing_reports_the_queue_time_the_run_time_and_the_worker()
    {
        await using TestApp app = await TestApp.StartAsync(app => app.MapGet("/", () => "done").RunOnPool());
        using HttpResponseMessage response = await app.Client.GetAsync(new Uri("/", UriKind.Relative), TestApp.Token);
        Assert.Matches(
            @"^queue;dur=[0-9]+\.[0-9]{3}, run;dur=[0-9]+\.[0-9]{3}, worker;desc=""cpu-0""$", Assert.Single(response.Headers.GetValues("Server-Timing")));
    }

    [Fact]
    public async Task An_exception_reaches_the_apps_exception_handler_unchanged_and_the_worker_continues()
    {
        var thrown = new InvalidTimeZoneException("of the handler");
        Exception? caught = null;
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.UseExceptionHandler(handler => handler.Run(context =>
            {
                caught = context.Features.Get<IExceptionHandlerFeature>()!.Error;
                context.Response.StatusCode = StatusCodes.Status418ImATeapot;
                return Task.CompletedTask;
            }));
            app.MapGet("/throws", string () => throw thrown).RunOnPool();
            app.MapGet("/works", () => Thread.CurrentThread.Name).RunOnPool();
        });
        using HttpResponseMessage response = await app.Client.GetAsync(new Uri("/throws", UriKind.Relative), TestApp.Token);
        Assert.Equal(418, (int)response.StatusCode);
        Assert.Same(thrown, caught);
        Assert.Equal("cpu-0", await app.Client.GetStringAsync("/works", TestApp.Token));
        Assert.Equal(1, app.Pool.GetSnapshot().Counts[WorkOutcome.Failed]);
    }

    [Fact]
    public async Task A_handler_that_throws_is_answered_500_and_does_not_affect_concurrent_or_later_requests()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/throws", string () => throw new InvalidTimeZoneException("of the handler")).RunOnPool();
                app.MapGet("/works", (CancellationToken token) => gate.Pass(token)).RunOnPool();
            },
            new() { ["Pool:Workers"] = "2" },
            kestrel: true);
        Task<string> beside = app.Client.GetStringAsync("/works", TestApp.Token);
        await gate.NextArrivalAsync();
        for (int i = 0; i < 20; i++)
        {
            using HttpResponseMessage failed = await app.Client.GetAsync(new Uri("/throws", UriKind.Relative), TestApp.Token);
            Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        }
        Task<string> behind = app.Client.GetStringAsync("/works", TestApp.Token);
        await gate.NextArrivalAsync();
        gate.Open();
        Assert.Equal(["passed", "passed"], await Task.WhenAll(beside, behind));
        PoolSnapshot snapshot = app.Pool.GetSnapshot();
        Assert.Equal((22, 2, 20), (snapshot.Accepted, snapshot.Counts[WorkOutcome.Completed], snapshot.Counts[WorkOutcome.Failed]));
        Assert.DoesNotContain(app.Log.Texts, static text => text.Contains("replaced", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_token_of_a_handler_is_cancelled_when_its_client_disconnects()
    {
        var came = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", async (CancellationToken token) =>
            {
                token.Register(cancelled.SetResult);
                came.SetResult();
                await Task.Delay(Timeout.Infinite, token);
            }).RunOnPool(),
            kestrel: true);
        using (RawConnection client = await app.ConnectAsync())
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
            await came.Task.WaitAsync(TestApp.Token);
        }
        await cancelled.Task.WaitAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Pool.GetSnapshot().Counts[WorkOutcome.Cancelled] == 1, "counted as cancelled");
    }

    [Fact]
    public async Task RequestAborted_is_the_clients_own_token_again_after_the_work_has_ended()
    {
        CancellationToken before = default, during = default, after = default;
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.Use(async (context, next) =>
            {
                before = context.RequestAborted;
                await next(context);
                after = context.RequestAborted;
            });
            app.UseRouting();
            app.MapGet("/", (HttpContext context, int? unused) =>
            {
                during = context.RequestAborted;
                return "";
            }).RunOnPool();
        });
        await app.Client.GetStringAsync("/", TestApp.Token);
        Assert.Equal(before, after);
        Assert.NotEqual(before, during);
    }

    [Fact]
    public async Task A_handler_that_throws_its_own_OperationCanceledException_counts_as_failed()
    {
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.UseExceptionHandler(handler => handler.Run(static context => context.Response.WriteAsync("handled")));
            app.MapGet("/", string () => throw new OperationCanceledException()).RunOnPool();
        });
        using HttpResponseMessage response = await app.Client.GetAsync(new Uri("/", UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Equal(1, app.Pool.GetSnapshot().Counts[WorkOutcome.Failed]);
    }
}
