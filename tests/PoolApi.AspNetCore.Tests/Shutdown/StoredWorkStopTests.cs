using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Shutdown;

/// <summary>A stop drains stored work, such as jobs, together with the requests: before any hosted service stops, by the same deadline.</summary>
public sealed class StoredWorkStopTests
{
    [Fact]
    public async Task Running_work_ends_before_a_hosted_service_is_stopped_and_later_work_is_refused()
    {
        using var gate = new Gate();
        var keeper = new Keeper();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", () => gate.Pass()).RunOnPool(),
            configure: builder => builder.Services.AddSingleton<IHostedService>(keeper));
        var work = new Work(CancellationToken.None);
        Task attempt = RunAsync(app, work);
        keeper.HasEnded = () => work.Outcomes is [WorkOutcome.Completed];
        await gate.NextArrivalAsync();

        Task stop = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.State == ShutdownState.Draining, "draining");
        var late = new Work(CancellationToken.None);
        await RunAsync(app, late);
        gate.Open();
        await stop;

        Assert.True(keeper.WasEndedAtItsStop);
        Assert.Equal([WorkOutcome.Completed], work.Outcomes);
        Assert.Empty(late.Outcomes);
        Assert.Equal((0, 1), (work.Refusals, late.Refusals));
        await attempt;
    }

    [Fact]
    public async Task Work_whose_result_is_cut_off_by_the_deadline_ends_as_cancelled()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static (CancellationToken cancellation) => Endless(cancellation)).RunOnPool(),
            new() { ["Shutdown:Drain"] = "00:00:00.050" });
        var work = new Work(CancellationToken.None);
        Task attempt = RunAsync(app, work);
        await Patience.UntilAsync(() => work.Outcomes is [WorkOutcome.Completed], "the handler has ended");

        await app.App.StopAsync(TestApp.Token);
        await attempt;

        Assert.Equal([WorkOutcome.Completed, WorkOutcome.Cancelled], work.Outcomes);
    }

    [Fact]
    public async Task Work_whose_result_is_cut_off_by_its_own_cancellation_ends_as_cancelled()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static (CancellationToken cancellation) => Endless(cancellation)).RunOnPool());
        using var cancellation = new CancellationTokenSource();
        var work = new Work(cancellation.Token);
        Task attempt = RunAsync(app, work);
        await Patience.UntilAsync(() => work.Outcomes is [WorkOutcome.Completed], "the handler has ended");

        await cancellation.CancelAsync();
        await attempt;

        Assert.Equal([WorkOutcome.Completed, WorkOutcome.Cancelled], work.Outcomes);
    }

    [Fact]
    public async Task Work_whose_result_is_cut_off_while_it_is_read_into_memory_ends_as_cancelled()
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", (HttpContext context) => Rows(context.RequestAborted)).RunOnPool(),
            new() { ["Shutdown:Drain"] = "00:00:00.050" });
        var work = new Work(CancellationToken.None);
        Task attempt = RunAsync(app, work);
        await begun.Task.Patiently();

        await app.App.StopAsync(TestApp.Token);
        await attempt;

        Assert.Equal([WorkOutcome.Cancelled], work.Outcomes);

        IEnumerable<int> Rows(CancellationToken cancellation)
        {
            yield return 1;
            begun.TrySetResult();
            cancellation.WaitHandle.WaitOne(Patience.Long);
            cancellation.ThrowIfCancellationRequested();
            yield return 2;
        }
    }

    [Fact]
    public async Task Work_that_an_endpoint_filter_answers_is_reported_neither_as_refused_nor_as_ended()
    {
        await using TestApp app = await TestApp.StartAsync(static app => app.MapGet("/", static () => "done")
            .AddEndpointFilter(static (_, _) => ValueTask.FromResult<object?>(TypedResults.StatusCode(503))).RunOnPool());
        var work = new Work(CancellationToken.None);

        await RunAsync(app, work);

        Assert.Equal(0, work.Refusals);
        Assert.Empty(work.Outcomes);
    }

    [Fact]
    public async Task Work_that_a_full_queue_refuses_can_be_run_again()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", () => gate.Pass()).RunOnPool(), new() { ["Pool:Workers"] = "1", ["Pool:QueueCapacity"] = "1" });
        var runs = new Work(CancellationToken.None);
        Task running = RunAsync(app, runs);
        await gate.NextArrivalAsync();
        var waits = new Work(CancellationToken.None);
        Task waiting = RunAsync(app, waits);
        var late = new Work(CancellationToken.None);

        await RunAsync(app, late);
        Assert.Equal(1, late.Refusals);
        Assert.Empty(late.Outcomes);

        gate.Open();
        await Task.WhenAll(running, waiting);
        await RunAsync(app, late);
        Assert.Equal([WorkOutcome.Completed], late.Outcomes);
        Assert.Equal((0, 0, 1), (runs.Refusals, waits.Refusals, late.Refusals));
    }

    [Theory]
    [InlineData("/synchronous")]
    [InlineData("/asynchronous")]
    [InlineData("/filtered")]
    [InlineData("/delegate")]
    public async Task A_handler_that_runs_past_its_limit_sees_its_request_cancelled(string path)
    {
        using var gate = new Gate();
        var seen = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            Action<RunOnPoolOptions> limit = static o => o.MaxRunTime = TimeSpan.FromMilliseconds(50);
            // A synchronous handler, one that awaits, one whose request ends after its filter, and a RequestDelegate.
            if (path == "/synchronous") app.MapGet("/", (HttpContext context) => Late(context)).RunOnPool(configure: limit);
            if (path == "/asynchronous")
            {
                app.MapGet("/", async (HttpContext context) =>
                {
                    await Task.Yield();
                    return Late(context);
                }).RunOnPool(configure: limit);
            }
            if (path == "/filtered")
                app.MapGet("/", (HttpContext context) => Late(context)).AddEndpointFilter(static (invocation, next) => next(invocation)).RunOnPool(configure: limit);
            if (path == "/delegate")
            {
                app.MapGet("/", new RequestDelegate(context =>
                {
                    Late(context);
                    return Task.CompletedTask;
                })).RunOnPool(configure: limit);
            }
        });
        var work = new Work(CancellationToken.None, isLimited: true);

        await RunAsync(app, work, endOfCode: seen.Task);

        Assert.Equal([WorkOutcome.TimedOut], work.Outcomes);
        Assert.False(seen.Task.IsCompleted);
        gate.Open();
        Assert.True(await seen.Task.Patiently());

        string Late(HttpContext context)
        {
            gate.Pass(CancellationToken.None);
            seen.SetResult(context.RequestAborted.IsCancellationRequested);
            return "late";
        }
    }

    private static async IAsyncEnumerable<int> Endless([EnumeratorCancellation] CancellationToken cancellation)
    {
        yield return 1;
        await Task.Delay(Timeout.InfiniteTimeSpan, cancellation);
    }

    /// <param name="app">The app.</param>
    /// <param name="work">The work.</param>
    /// <param name="endOfCode">Completes when the code of the work has returned; its services live until then. Default: until the work ends.</param>
    private static async Task RunAsync(TestApp app, Work work, Task? endOfCode = null)
    {
        Endpoint endpoint = app.App.Services.GetRequiredService<EndpointDataSource>().Endpoints
            .Single(static e => e.Metadata.GetMetadata<StoredRequestDelegates>() is not null);
        AsyncServiceScope scope = app.App.Services.CreateAsyncScope();
        var context = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        context.Request.Method = "GET";
        context.Request.Path = "/";
        context.Response.Body = new MemoryStream();
        context.Features.Set<IHttpRequestLifetimeFeature>(work);
        context.Features.Set<IAcceptedWorkFeature>(work);
        context.SetEndpoint(endpoint);
        try
        {
            await endpoint.Metadata.GetRequiredMetadata<StoredRequestDelegates>().Run(context);
        }
        finally
        {
            if (endOfCode is null) await scope.DisposeAsync();
            else _ = endOfCode.ContinueWith(_ => scope.Dispose(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private sealed class Work(CancellationToken cancellation, bool isLimited = false) : IAcceptedWorkFeature, IHttpRequestLifetimeFeature
    {
        public void StillRuns(Task code)
        {
            if (!isLimited) throw new InvalidOperationException("It has no limit on running.");
        }

        private readonly List<WorkOutcome> _outcomes = [];

        public WorkPriority Priority => WorkPriority.Normal;

        public WorkOutcome[] Outcomes
        {
            get
            {
                lock (_outcomes) return [.. _outcomes];
            }
        }

        public CancellationToken RequestAborted { get; set; } = cancellation;

        public void Abort() { }

        public void CheckLength(long bytes) { }

        public void Started() { }

        public int Refusals { get; private set; }

        public void Refused() => Refusals++;

        public void Ended(WorkOutcome outcome)
        {
            lock (_outcomes) _outcomes.Add(outcome);
        }
    }

    /// <summary>A hosted service, as a store has one. It records whether the work has ended before its own stop.</summary>
    private sealed class Keeper : IHostedService
    {
        public Func<bool>? HasEnded { get; set; }

        public bool WasEndedAtItsStop { get; private set; }

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken)
        {
            WasEndedAtItsStop = HasEnded!();
            return Task.CompletedTask;
        }
    }
}
