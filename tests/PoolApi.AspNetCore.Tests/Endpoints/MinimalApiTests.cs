using System.Net;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Endpoints;

/// <summary>Handlers with typed parameters: they are bound before the queue, the handler runs on the pool, its result is written afterwards.</summary>
public class MinimalApiTests
{
    private static readonly string[] InOrder = ["bound off", "handled on the pool", "written off"];

    [Fact]
    public async Task A_handler_runs_on_the_pool_and_nothing_else_of_its_request_does()
    {
        var steps = new Steps();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", (Steps.Bound bound) =>
            {
                bound.Steps.Take("handled");
                return new Steps.Answer(bound.Steps, "done");
            }).RunOnPool(),
            configure: b => b.Services.AddSingleton(steps));

        Assert.Equal("done", await app.Client.GetStringAsync("/", TestApp.Token));
        Assert.Equal(InOrder, steps.Taken);
    }

    [Fact]
    public async Task The_continuations_of_a_handler_run_on_the_pool()
    {
        var steps = new Steps();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", async (Steps.Bound bound) =>
            {
                bound.Steps.Take("handled");
                await Task.Yield();
                bound.Steps.Take("after a yield");
                await Task.Delay(1, TestApp.Token); // so that the method really awaits
                bound.Steps.Take("after a delay");
                await Task.Run(static () => { }, TestApp.Token);
                bound.Steps.Take("after another thread");
                return new Steps.Answer(bound.Steps, "done");
            }).RunOnPool(),
            configure: b => b.Services.AddSingleton(steps));

        Assert.Equal("done", await app.Client.GetStringAsync("/", TestApp.Token));
        Assert.Equal(
            ["bound off", "handled on the pool", "after a yield on the pool", "after a delay on the pool", "after another thread on the pool", "written off"],
            steps.Taken);
    }

    [Fact]
    public async Task A_handler_that_awaits_holds_no_worker()
    {
        using var gate = new Gate();
        var answer = new TaskCompletionSource<string>();
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.MapGet("/waits", async () => await answer.Task).RunOnPool();
            app.MapGet("/runs", () => "ran").RunOnPool();
        });
        Task<string> waiting = app.Client.GetStringAsync("/waits", TestApp.Token);
        await Patience.UntilAsync(() => app.Pool.GetSnapshot().Suspended == 1, "the handler awaits");
        Assert.Equal("ran", await app.Client.GetStringAsync("/runs", TestApp.Token));
        answer.SetResult("came");
        Assert.Equal("came", await waiting);
    }

    internal sealed record Order(string Name, int Count);

    [Fact]
    public async Task A_handler_on_the_pool_receives_route_query_header_service_and_JSON_parameters()
    {
        await using TestApp app = await TestApp.StartAsync(app => app.MapPost(
            "/{id:int}",
            (int id, string q, Order order, HttpContext context, TimeProvider time, [Microsoft.AspNetCore.Mvc.FromHeader(Name = "X-Who")] string who) =>
                TypedResults.Text($"{id} {q} {order.Name} {order.Count} {who} {context.Request.Method} {time is not null} {Steps.OnPool()}")).RunOnPool(),
            configure: b => b.Services.AddSingleton(TimeProvider.System));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/7?q=x") { Content = JsonContent.Create(new Order("bolts", 3)) };
        request.Headers.Add("X-Who", "me");
        using HttpResponseMessage response = await app.Client.SendAsync(request, TestApp.Token);
        Assert.Equal("7 x bolts 3 me POST True True", await response.Content.ReadAsStringAsync(TestApp.Token));
    }

    [Theory]
    [InlineData("/stream")]
    [InlineData("/pipe")]
    [InlineData("/feature")]
    [InlineData("/body")]
    public async Task A_handler_on_the_pool_can_read_the_body_as_stream_pipe_feature_or_request_body(string path)
    {
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapPost("/stream", async (Stream body) => await new StreamReader(body).ReadToEndAsync(TestApp.Token)).RunOnPool();
                app.MapPost("/pipe", async (System.IO.Pipelines.PipeReader body) =>
                {
                    System.IO.Pipelines.ReadResult read = await body.ReadAtLeastAsync(5, TestApp.Token);
                    return System.Text.Encoding.UTF8.GetString(System.Buffers.BuffersExtensions.ToArray(read.Buffer));
                }).RunOnPool();
                app.MapPost("/feature", (HttpContext context, int? unused) => System.Text.Encoding.UTF8.GetString(
                    context.Features.Get<IBufferedBodyFeature>()!.Body.Span)).RunOnPool();
                app.MapPost("/body", async (HttpRequest request) => await new StreamReader(request.Body).ReadToEndAsync(TestApp.Token)).RunOnPool();
            },
            kestrel: true);
        using HttpResponseMessage response = await app.Client.PostAsync(new Uri(path, UriKind.Relative), new StringContent("hello"), TestApp.Token);
        Assert.Equal("hello", await response.Content.ReadAsStringAsync(TestApp.Token));
    }

    [Fact]
    public async Task Filters_before_RunOnPool_run_off_the_pool_and_filters_after_it_on_the_pool()
    {
        var steps = new Steps();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", (Steps.Bound bound) => new Steps.Answer(bound.Steps, "done"))
                .AddEndpointFilter((invocation, next) => Note(invocation, next, "before"))
                .RunOnPool()
                .AddEndpointFilter((invocation, next) => Note(invocation, next, "after")),
            configure: b => b.Services.AddSingleton(steps));
        Assert.Equal("done", await app.Client.GetStringAsync("/", TestApp.Token));
        Assert.Equal(
            ["bound off", "before, going in off", "after, going in on the pool", "after, coming out on the pool", "before, coming out off", "written off"],
            steps.Taken);

        async ValueTask<object?> Note(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next, string name)
        {
            steps.Take(name + ", going in");
            object? result = await next(invocation);
            steps.Take(name + ", coming out");
            return result;
        }
    }

    [Fact]
    public async Task A_request_that_a_filter_answers_is_never_queued()
    {
        await using TestApp app = await TestApp.StartAsync(app => app.MapPost("/", () => "ran")
            .AddEndpointFilter(static (_, _) => ValueTask.FromResult<object?>("refused"))
            .RunOnPool());
        using HttpResponseMessage response = await app.Client.PostAsync(new Uri("/", UriKind.Relative), new StringContent("body"), TestApp.Token);
        Assert.Equal("refused", await response.Content.ReadAsStringAsync(TestApp.Token));
        Assert.Equal(0, app.Pool.GetSnapshot().Accepted);
        Assert.Equal(0, app.PoolContext().Bodies.Used);
    }

    [Fact]
    public async Task A_filter_that_tries_again_runs_the_handler_again_and_waits_for_it()
    {
        int calls = 0;
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", () =>
            {
                Assert.True(Steps.OnPool());
                int call = Interlocked.Increment(ref calls);
                if (call == 2) gate.Pass();
                return $"try {call}";
            })
                .AddEndpointFilter(async (invocation, next) =>
                {
                    object? first = await next(invocation);
                    ValueTask<object?> second = next(invocation);
                    await gate.NextArrivalAsync();
                    Assert.False(second.IsCompleted);
                    gate.Open();
                    return $"{first}, {await second}";
                })
                .RunOnPool());
        Assert.Equal("try 1, try 2", await app.Client.GetStringAsync("/", TestApp.Token));
        Assert.Equal(2, app.Pool.GetSnapshot().Counts[WorkOutcome.Completed]);
    }

    [Fact]
    public async Task A_second_concurrent_call_of_the_handler_throws_and_does_not_count_toward_MaxRequests()
    {
        using var gate = new Gate();
        Exception? exception = null;
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", () => gate.Pass())
                .AddEndpointFilter(async (invocation, next) =>
                {
                    ValueTask<object?> first = next(invocation);
                    exception = await Record.ExceptionAsync(async () => await next(invocation));
                    gate.Open();
                    return await first;
                })
                .RunOnPool(),
            new() { ["Shutdown:MaxRequests"] = "2" });
        Assert.Equal("passed", await app.Client.GetStringAsync("/", TestApp.Token));
        Assert.IsType<InvalidOperationException>(exception);
        Assert.Equal("passed", await app.Client.GetStringAsync("/", TestApp.Token));
    }

    [Fact]
    public async Task A_worker_is_not_held_while_a_result_is_written()
    {
        var release = new TaskCompletionSource();
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.MapGet("/slow", () => new SlowResult(release.Task)).RunOnPool();
            app.MapGet("/quick", () => "quick").RunOnPool();
        });
        Task<string> slow = app.Client.GetStringAsync("/slow", TestApp.Token);
        await Patience.UntilAsync(() => app.Pool.GetSnapshot().Counts[WorkOutcome.Completed] == 1, "the handler returned");
        Assert.Equal("quick", await app.Client.GetStringAsync("/quick", TestApp.Token));
        release.SetResult();
        Assert.Equal("slow", await slow);
    }

    [Fact]
    public async Task A_request_that_cannot_be_bound_is_answered_400_and_never_queued()
    {
        await using TestApp app = await TestApp.StartAsync(app => app.MapGet("/{id}", (int id) => id).RunOnPool());
        using HttpResponseMessage response = await app.Client.GetAsync(new Uri("/x", UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(0, app.Pool.GetSnapshot().Accepted);
    }

    private sealed class SlowResult(Task release) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            await release;
            await httpContext.Response.WriteAsync("slow", TestApp.Token);
        }
    }
}
