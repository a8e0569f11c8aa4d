using System.Net;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http.Timeouts;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Endpoints;

/// <summary>The options of one endpoint on a pool, and the errors of endpoints that cannot run on it.</summary>
public sealed class EndpointOptionsTests
{
    private static readonly Uri Root = new("/", UriKind.Relative);

    [Fact]
    public async Task All_requests_to_a_handler_that_blocks_on_asynchronous_code_are_answered()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static () => SlowAsync().Result).RunOnPool(), new() { ["Pool:Workers"] = "2" });

        string[] answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => app.Client.GetStringAsync("/", TestApp.Token)));

        Assert.All(answers, static answer => Assert.Equal("1", answer));

        static async Task<int> SlowAsync()
        {
            await Task.Yield();
            return 1;
        }
    }

    [Fact]
    public async Task A_synchronous_handler_has_no_synchronization_context_and_an_asynchronous_one_has()
    {
        await using TestApp app = await TestApp.StartAsync(static app =>
        {
            app.MapGet("/synchronous", static () => $"{SynchronizationContext.Current is null} {FixedThreadPool.Current is not null}").RunOnPool();
            app.MapGet("/asynchronous", static async () =>
            {
                await Task.Yield();
                return $"{SynchronizationContext.Current is null} {FixedThreadPool.Current is not null}";
            }).RunOnPool();
        });
        Assert.Equal("True True", await app.Client.GetStringAsync("/synchronous", TestApp.Token));
        Assert.Equal("False True", await app.Client.GetStringAsync("/asynchronous", TestApp.Token));
    }

    [Fact]
    public async Task Requests_that_time_out_are_answered_by_their_policy_and_do_not_count_as_withdrawn()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.UseRouting();
                app.UseRequestTimeouts();
                app.MapGet("/", (CancellationToken cancellation) => gate.Pass(cancellation)).RunOnPool().WithRequestTimeout("short");
                app.MapGet("/blocks", () => gate.Pass()).RunOnPool();
            },
            configure: static b => b.Services.AddRequestTimeouts(static o => o.AddPolicy("short", new RequestTimeoutPolicy
            {
                Timeout = TimeSpan.FromMilliseconds(50),
                TimeoutStatusCode = 418,
                WriteTimeoutResponse = static context => context.Response.WriteAsync("too slow"),
            })));

        // One request times out while it runs, and fifty time out in the queue.
        using HttpResponseMessage ran = await app.Client.GetAsync(Root, TestApp.Token);
        Assert.Equal((418, "too slow"), ((int)ran.StatusCode, await ran.Content.ReadAsStringAsync(TestApp.Token)));
        Task<HttpResponseMessage> blocking = app.Client.GetAsync(new Uri("/blocks", UriKind.Relative), TestApp.Token);
        await gate.NextArrivalAsync();
        for (int i = 0; i < 50; i++)
        {
            using HttpResponseMessage waited = await app.Client.GetAsync(Root, TestApp.Token);
            Assert.Equal((418, "too slow"), ((int)waited.StatusCode, await waited.Content.ReadAsStringAsync(TestApp.Token)));
        }
        Assert.Equal(0, app.Pool.GetSnapshot().Counts[WorkOutcome.Withdrawn]);
        gate.Open();
        using HttpResponseMessage passed = await blocking;
        Assert.Equal(HttpStatusCode.OK, passed.StatusCode);
    }

    [Fact]
    public async Task The_client_of_work_that_a_stop_cancels_receives_the_problem_state_unknown()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", (HttpContext context, CancellationToken work) =>
            {
                Assert.Equal(work, context.RequestAborted);
                gate.Pass(work);
                return "";
            }).RunOnPool(),
            new() { ["Shutdown:Drain"] = "00:00:00.010" }, kestrel: true);
        Task<HttpResponseMessage> running = app.Client.GetAsync(Root, TestApp.Token);
        await gate.NextArrivalAsync();
        Task stop = app.App.StopAsync(TestApp.Token);
        using HttpResponseMessage answer = await running;
        await ProblemResponse.AssertProblem(answer, "state-unknown");
        await stop;
    }

    [Fact]
    public async Task A_filter_that_waits_before_the_handler_sees_its_client_disconnect()
    {
        using var gate = new Gate();
        var disconnected = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var waits = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/held", () => gate.Pass()).RunOnPool();
                app.MapGet("/", static () => "").AddEndpointFilter(async (invocation, next) =>
                {
                    using CancellationTokenRegistration left = invocation.HttpContext.RequestAborted.Register(disconnected.SetResult);
                    waits.SetResult();
                    await disconnected.Task;
                    return await next(invocation);
                }).RunOnPool();
            },
            kestrel: true);
        // The only worker is busy: a free worker might take the work before it is withdrawn.
        Task<string> held = app.Client.GetStringAsync("/held", TestApp.Token);
        await gate.NextArrivalAsync();
        using (RawConnection client = await app.ConnectAsync())
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
            await waits.Task.WaitAsync(TestApp.Token);
        }
        await disconnected.Task.Patiently();
        await Patience.UntilAsync(() => app.Pool.GetSnapshot().Counts[WorkOutcome.Withdrawn] == 1, "the work is withdrawn");
        gate.Open();
        Assert.Equal("passed", await held);
        Assert.Equal(1, app.Pool.GetSnapshot().Counts[WorkOutcome.Completed]); // the held request
    }

    [Fact]
    public async Task A_lazy_result_is_enumerated_on_the_pool_and_written_as_JSON()
    {
        var threads = new System.Collections.Concurrent.ConcurrentQueue<bool>();
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.MapGet("/iterator", () => Numbers()).RunOnPool();
            app.MapGet("/query", () => Numbers().AsQueryable().Where(static n => n != 2)).RunOnPool();
            app.MapGet("/value", () => TypedResults.Ok(Numbers())).RunOnPool();
            app.MapGet("/union", Results<Ok<IEnumerable<int>>, NotFound> () => TypedResults.Ok(Numbers())).RunOnPool();
            app.MapGet("/late", async () =>
            {
                await Task.Yield();
                return Numbers();
            }).RunOnPool();
        });
        foreach (var (path, json) in ((string, string)[])[("/iterator", "[1,2,3]"), ("/query", "[1,3]"), ("/value", "[1,2,3]"), ("/union", "[1,2,3]"), ("/late", "[1,2,3]")])
        {
            using HttpResponseMessage response = await app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
            Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
            Assert.Equal(json, await response.Content.ReadAsStringAsync(TestApp.Token));
        }
        Assert.NotEmpty(threads);
        Assert.All(threads, static onPool => Assert.True(onPool));

        IEnumerable<int> Numbers()
        {
            for (int i = 1; i <= 3; i++)
            {
                threads.Enqueue(Steps.OnPool());
                yield return i;
            }
        }
    }

    [Fact]
    public async Task A_result_is_executed_on_the_pool_where_the_endpoint_sets_ExecuteResult()
    {
        var steps = new Steps();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", (Steps.Bound bound) => new Steps.Answer(bound.Steps, "done")).RunOnPool(configure: static o => o.ExecuteResult = true),
            configure: b => b.Services.AddSingleton(steps));
        Assert.Equal("done", await app.Client.GetStringAsync("/", TestApp.Token));
        Assert.Equal(["bound off", "written on the pool"], steps.Taken);
    }

    [Fact]
    public async Task One_endpoint_of_a_group_may_stay_off_the_pool()
    {
        await using TestApp app = await TestApp.StartAsync(static app =>
        {
            RouteGroupBuilder group = app.MapGroup("").RunOnPool();
            group.MapGet("/on", static () => Steps.OnPool());
            group.MapGet("/off", static () => Steps.OnPool()).RunOffPool();
            group.MapGet("/delegate", static context => context.Response.WriteAsync(Steps.OnPool() ? "true" : "false")).RunOffPool();
        });
        Assert.Equal("true", await app.Client.GetStringAsync("/on", TestApp.Token));
        Assert.Equal("false", await app.Client.GetStringAsync("/off", TestApp.Token));
        Assert.Equal("false", await app.Client.GetStringAsync("/delegate", TestApp.Token));
        EndpointDataSource endpoints = app.App.Services.GetRequiredService<EndpointDataSource>();
        Assert.Single(endpoints.Endpoints, static e => e.Metadata.GetMetadata<RunOnPoolMetadata>() is not null);
    }

    [Fact]
    public async Task The_kind_the_maximum_queue_time_and_the_priority_of_an_endpoint_are_applied()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.MapGet("/blocks", () => gate.Pass()).RunOnPool(configure: static o => o.Kind = "blocking");
            app.MapGet("/short", static () => "").RunOnPool(configure: static o => o.MaxQueueTime = TimeSpan.FromMilliseconds(20));
            app.MapGet("/high", static () => "").RunOnPool(configure: static o => o.Priority = WorkPriority.High);
        });
        Task<string> blocking = app.Client.GetStringAsync("/blocks", TestApp.Token);
        await gate.NextArrivalAsync();
        Assert.Contains(app.Pool.GetSnapshot().Workers, static w => w.Kind == "blocking");
        using HttpResponseMessage expired = await app.Client.GetAsync(new Uri("/short", UriKind.Relative), TestApp.Token);
        await ProblemResponse.AssertProblem(expired, "expired");
        Assert.Contains("0.02 s", await expired.Content.ReadAsStringAsync(TestApp.Token), StringComparison.Ordinal);
        Task<string> high = app.Client.GetStringAsync("/high", TestApp.Token);
        await app.UntilQueued(1);
        Assert.Equal(1, app.Pool.GetSnapshot().GetQueueLength(WorkPriority.High));
        gate.Open();
        await Task.WhenAll(blocking, high);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void Mapping_an_endpoint_with_an_out_of_range_option_throws(long bytes)
    {
        var log = new CapturingLog();
        ArgumentOutOfRangeException fault = Assert.Throws<ArgumentOutOfRangeException>(() => TestApp.Build(
            app => app.MapGet("/", static () => "").RunOnPool(configure: o => o.MaxBodyBytes = bytes), null, null, kestrel: false, pool: true, log));
        Assert.Contains("MaxBodyBytes must be 1 to 1,073,741,824 bytes.", fault.Message, StringComparison.Ordinal);
        fault = Assert.Throws<ArgumentOutOfRangeException>(() => TestApp.Build(
            app => app.MapGet("/", static () => "").RunOnPool(configure: o => o.MaxRunTime = TimeSpan.FromSeconds(Math.Min(0, bytes))), null, null, kestrel: false, pool: true, log));
        Assert.Contains("MaxRunTime must be 1 ms to 1 day.", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hub_on_a_pool_fails_the_start_and_the_error_names_its_endpoint()
    {
        InvalidOperationException fault = await Assert.ThrowsAsync<InvalidOperationException>(static () => TestApp.StartAsync(
            static app => app.MapHub<Microsoft.AspNetCore.SignalR.Hub>("/hub").RunOnPool(), configure: static b => b.Services.AddSignalR()));
        Assert.Contains("'/hub", fault.Message, StringComparison.Ordinal);
        Assert.Contains("cannot run on a pool", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gRPC_service_on_a_pool_fails_the_start_and_the_error_names_its_endpoint_and_the_alternative()
    {
        InvalidOperationException fault = await Assert.ThrowsAsync<InvalidOperationException>(static () => TestApp.StartAsync(
            static app => app.MapPost("/greet.Greeter/Hello", static _ => Task.CompletedTask)
                .WithMetadata(new Grpc.AspNetCore.Server.GrpcMethodMetadata()).RunOnPool()));
        Assert.Equal(
            "The endpoint 'HTTP: POST /greet.Greeter/Hello' cannot run on a pool. A gRPC call writes its response itself; call pool.RunAsync(…) in the method.",
            fault.Message);
    }

    [Fact]
    public async Task An_unknown_pool_fails_the_start_and_the_error_lists_the_pools_of_the_app()
    {
        InvalidOperationException fault = await Assert.ThrowsAsync<InvalidOperationException>(static () => TestApp.StartAsync(
            static app => app.MapGet("/x", static () => "").RunOnPool("gpu")));
        Assert.Equal(
            "The endpoint 'HTTP: GET /x' runs on the pool 'gpu', which does not exist: call services.AddFixedThreadPool(\"gpu\"). The pools are: cpu.",
            fault.Message);
    }

    /// <summary>RunOnPool cannot detect that the pools belong to another app, and the library runs no code at the start of this app.</summary>
    [Fact]
    public async Task An_app_without_a_pool_fails_when_its_endpoints_are_built_if_another_app_has_one()
    {
        new ServiceCollection().AddFixedThreadPool();
        await using TestApp app = await TestApp.StartAsync(static app => app.MapGet("/x", static () => "").RunOnPool(), pool: false);
        InvalidOperationException fault = Assert.Throws<InvalidOperationException>(() => app.App.Services.GetRequiredService<EndpointDataSource>().Endpoints);
        Assert.Contains("call services.AddFixedThreadPool()", fault.Message, StringComparison.Ordinal);
    }
}
