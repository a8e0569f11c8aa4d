using System.Net;
using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Overload;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Overload;

/// <summary>Overload control estimates the patience of an endpoint's clients only from clients that disconnect, and not from timeouts.</summary>
public sealed class ClientPatienceTests
{
    private static readonly Uri Root = new("/", UriKind.Relative);

    private static readonly TimeSpan Wait = TimeSpan.FromMilliseconds(140), Longest = TimeSpan.FromMilliseconds(150);

    [Theory]
    [InlineData("expired", false)]
    [InlineData("timed out", false)]
    [InlineData("gone", true)]
    public async Task Overload_control_estimates_from_a_request_that_leaves_the_queue_only_if_its_client_disconnects(string how, bool isEstimated)
    {
        var clock = new FakeTimeProvider();
        using Gate first = new(), second = new();
        using CancellationTokenSource timeout = new(), leave = new();
        OverloadControl? control = null, patient = null;
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.UseRouting();
                app.Use(async (context, next) =>
                {
                    PoolEndpoint endpoint = context.GetEndpoint()!.Metadata.GetRequiredMetadata<PoolEndpoint>();
                    if (endpoint.Route == "/") control = endpoint.Overload;
                    else patient = endpoint.Overload;
                    if (how == "timed out" && context.Request.Path == "/") context.RequestAborted = timeout.Token;
                    try
                    {
                        await next(context);
                    }
                    catch (OperationCanceledException) when (timeout.IsCancellationRequested)
                    {
                        context.Response.StatusCode = StatusCodes.Status504GatewayTimeout;
                    }
                });
                app.MapGet("/first", () => first.Pass()).RunOnPool();
                app.MapGet("/second", () => second.Pass()).RunOnPool();
                app.MapGet("/", static () => "done").RunOnPool(configure: static o => o.MaxQueueTime = Longest);
            },
            configure: builder => builder.Services.AddSingleton<TimeProvider>(clock));
        try
        {
            // One request is served after a long wait. So the workers are not stuck, and the time in the queue explains a disconnect.
            Task<string> blocking = app.Client.GetStringAsync("/first", TestApp.Token);
            await first.NextArrivalAsync();
            Task<string> served = app.Client.GetStringAsync(Root, TestApp.Token);
            await app.UntilQueued(1);
            clock.Advance(Wait);
            first.Open();
            Assert.Equal(("passed", "done"), (await blocking.Patiently(), await served.Patiently()));

            blocking = app.Client.GetStringAsync("/second", TestApp.Token);
            await second.NextArrivalAsync();
            Task<HttpResponseMessage>[] waiting = [.. Enumerable.Range(0, 8).Select(_ => app.Client.GetAsync(Root, leave.Token))];
            await app.UntilQueued(8);
            clock.Advance(Wait);
            if (how == "timed out") await timeout.CancelAsync();
            if (how == "gone") await leave.CancelAsync();
            await Patience.UntilAsync(
                () =>
                {
                    if (how == "expired") clock.Advance(TimeSpan.FromMilliseconds(1));
                    return app.Pool.GetSnapshot().QueueLength == 0;
                },
                "all have left the queue");

            foreach (Task<HttpResponseMessage> request in waiting)
            {
                if (how == "gone")
                {
                    await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request.Patiently());
                    continue;
                }
                using HttpResponseMessage answer = await request.Patiently();
                Assert.Equal(how == "expired" ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.GatewayTimeout, answer.StatusCode);
            }
            if (isEstimated) await Patience.UntilAsync(() => control!.Patience is not null, "the patience is estimated");
            else Assert.Null(control!.Patience);
            // No client of the other endpoint has disconnected, so overload control has estimated no patience for it.
            Assert.Null(patient!.Patience);
            second.Open();
            Assert.Equal("passed", await blocking.Patiently());
        }
        finally
        {
            // The fake clock does not advance: a stop would wait for these handlers forever.
            first.Open();
            second.Open();
        }
    }

    [Theory]
    [InlineData("on", true)]
    [InlineData("setting", false)]
    [InlineData("code", false)]
    public async Task Clients_that_disconnect_cause_refusals_of_their_endpoint_alone_and_only_with_overload_control(string how, bool isRefused)
    {
        var clock = new FakeTimeProvider();
        Gate[] gates = [new(), new(), new()];
        using var leave = new CancellationTokenSource();
        OverloadControl? control = null;
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.UseRouting();
                app.Use((context, next) =>
                {
                    if (context.Request.Path == Root.OriginalString) control = context.GetEndpoint()!.Metadata.GetRequiredMetadata<PoolEndpoint>().Overload;
                    return next(context);
                });
                app.MapGet("/held/{gate}", (int gate) => gates[gate].Pass()).RunOnPool();
                app.MapGet("/other", static () => "other").RunOnPool();
                app.MapGet("/", static () => "done").RunOnPool();
            },
            new() { ["Pools:cpu:Workers"] = "1", ["Pools:cpu:OverloadControl"] = how == "setting" ? "false" : null },
            builder =>
            {
                builder.Services.AddSingleton<TimeProvider>(clock);
                FixedThreadPoolBuilder pool = builder.Services.AddFixedThreadPool();
                if (how == "code") pool.WithoutOverloadControl();
            },
            pool: false);
        try
        {
            // One request is served after a long wait, and eight clients disconnect after the same wait.
            Task<string> blocking = await HoldAsync(0);
            Task<string> served = app.Client.GetStringAsync(Root, TestApp.Token);
            await app.UntilQueued(1);
            clock.Advance(Wait);
            gates[0].Open();
            Assert.Equal(("passed", "done"), (await blocking.Patiently(), await served.Patiently()));
            blocking = await HoldAsync(1);
            Task<HttpResponseMessage>[] leaving = [.. Enumerable.Range(0, 8).Select(_ => app.Client.GetAsync(Root, leave.Token))];
            await app.UntilQueued(8);
            clock.Advance(Wait);
            await leave.CancelAsync();
            foreach (Task<HttpResponseMessage> request in leaving) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request.Patiently());
            await Patience.UntilAsync(() => app.Pool.GetSnapshot().Counts[WorkOutcome.Withdrawn] == 8, "all have left the queue");
            if (isRefused) await Patience.UntilAsync(() => control!.Patience is not null, "the patience is estimated");
            else Assert.Null(control);
            gates[1].Open();
            Assert.Equal("passed", await blocking.Patiently());
            Assert.Equal("done", await app.Client.GetStringAsync(Root, TestApp.Token).Patiently()); // without a wait

            // The queue is longer than a quarter of the estimated patience.
            blocking = await HoldAsync(2);
            Task<string>[] others = [.. Enumerable.Range(0, 30).Select(_ => app.Client.GetStringAsync("/other", TestApp.Token))];
            await app.UntilQueued(30);
            Task<HttpResponseMessage> same = app.Client.GetAsync(Root, TestApp.Token);
            if (isRefused)
            {
                using HttpResponseMessage refused = await same.Patiently();
                await ProblemResponse.AssertProblem(refused, "overloaded");
            }
            else
            {
                await app.UntilQueued(31);
            }
            Task<string> other = app.Client.GetStringAsync("/other", TestApp.Token);
            await app.UntilQueued(isRefused ? 31 : 32);
            gates[2].Open();

            Assert.Equal(("passed", "other"), (await blocking.Patiently(), await other.Patiently()));
            Assert.All(await Task.WhenAll(others).Patiently(), static answer => Assert.Equal("other", answer));
            if (!isRefused) Assert.Equal(HttpStatusCode.OK, (await same.Patiently()).StatusCode);
        }
        finally
        {
            // The fake clock does not advance: a stop would wait for these handlers forever.
            foreach (Gate gate in gates) gate.Dispose();
        }

        async Task<Task<string>> HoldAsync(int gate)
        {
            Task<string> held = app.Client.GetStringAsync($"/held/{gate}", TestApp.Token);
            await gates[gate].NextArrivalAsync();
            return held;
        }
    }
}
