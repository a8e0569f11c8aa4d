using System.Net;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Tests.Bodies;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Shutdown;

/// <summary>A stop drains, cancels the work that misses the deadline, joins the workers, and logs the outcome of everything.</summary>
public class ShutdownTests
{
    private static readonly Uri Root = new("/", UriKind.Relative);

    [Fact]
    public async Task A_stop_finishes_the_accepted_requests_and_logs_each_phase_and_the_totals()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(gate, new() { ["Pool:Workers"] = "2" });
        Task<string>[] requests = [.. Enumerable.Range(0, 5).Select(_ => app.Client.GetStringAsync("/", TestApp.Token))];
        await gate.NextArrivalAsync();
        await gate.NextArrivalAsync();
        await app.UntilQueued(3);
        Task stop = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.State == ShutdownState.Draining, "draining");

        using HttpResponseMessage refused = await app.Client.GetAsync(Root, TestApp.Token);
        await ProblemResponse.AssertProblem(refused, "draining");
        Assert.NotNull(refused.Headers.RetryAfter);
        gate.Open();
        Assert.All(await Task.WhenAll(requests), static answer => Assert.Equal("passed", answer));
        await stop;

        string[] lines = [.. app.Log.Lines.Where(static l => l.Text.StartsWith("Shut", StringComparison.Ordinal)).Select(static l => l.Text)];
        Assert.Collection(
            lines,
            static l => Assert.Matches("^Shutdown: Draining, reason application, 2 in flight, 3 queued, [0-9]+ ms$", l),
            static l => Assert.Matches("^Shutdown: Joining, reason application, 0 in flight, 0 queued, [0-9]+ ms$", l),
            static l => Assert.Equal("Shutting down worker 0", l),
            static l => Assert.Equal("Shutting down worker 1", l),
            static l => Assert.Matches("^Shutdown: Flushing, reason application, 0 in flight, 0 queued, [0-9]+ ms$", l),
            static l => Assert.Equal(
                "Shutdown complete: exit 0, accepted 5, completed 5, failed 0, cancelled 0, expired 0, client gone 0, not started 0, "
                + "abandoned 0, joined 2/2", l));
        Assert.All(app.Log.Lines.Where(static l => l.Text.StartsWith("Shut", StringComparison.Ordinal)), static l => Assert.Equal(LogLevel.Information, l.Level));
        Assert.Equal(5, app.Log.Lines.Count(static l => l is { Level: LogLevel.Debug, Text: "Worker 0 got a job; executing" or "Worker 1 got a job; executing" }));
    }

    [Fact]
    public async Task A_stop_that_continues_after_the_last_log_line_logs_nothing_more()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(gate);
        var account = app.App.Services.GetRequiredService<ShutdownLog>();

        // As a second signal does while the stop runs.
        Assert.Equal(143, account.Close([], flushed: true, cut: 143));
        await app.App.StopAsync(TestApp.Token);

        Assert.Equal(143, account.Close([], flushed: true));
        Assert.StartsWith("Shutdown complete: exit 143, ", Assert.Single(app.Log.With("Shutdown")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task At_the_deadline_a_queued_request_is_handed_back_and_a_running_request_is_cancelled(bool kestrel)
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(gate, new() { ["Shutdown:Drain"] = "00:00:00.010" }, kestrel);
        Task<HttpResponseMessage> running = app.Client.GetAsync(Root, TestApp.Token);
        await gate.NextArrivalAsync();
        Task<HttpResponseMessage> waiting = app.Client.GetAsync(Root, TestApp.Token);
        await app.UntilQueued(1);
        await app.App.StopAsync(TestApp.Token);

        using HttpResponseMessage notStarted = await waiting;
        await ProblemResponse.AssertProblem(notStarted, "not-started");
        Assert.NotNull(notStarted.Headers.RetryAfter);
        using HttpResponseMessage unknown = await running;
        await ProblemResponse.AssertProblem(unknown, "state-unknown");
        Assert.Null(unknown.Headers.RetryAfter);
        Assert.Contains(app.Log.Lines, static l => l is
        {
            Level: LogLevel.Error,
            Text: "Shutdown complete: exit 3, accepted 2, completed 0, failed 0, cancelled 1, expired 0, client gone 0, not started 1, abandoned 0, joined 1/1",
        });
        Assert.Single(app.Log.With("Shutdown: Cancelling"));
    }

    [Fact]
    public async Task RequestAborted_is_not_cancelled_after_a_stop_has_cancelled_the_work()
    {
        using var gate = new Gate();
        bool? isCancelled = null;
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", (CancellationToken cancellation) => gate.Pass(cancellation))
                .AddEndpointFilter(async (invocation, next) =>
                {
                    object? answer = await next(invocation);
                    isCancelled = invocation.HttpContext.RequestAborted.IsCancellationRequested;
                    return answer;
                })
                .RunOnPool(),
            new() { ["Shutdown:Drain"] = "00:00:00.010" });
        Task<HttpResponseMessage> running = app.Client.GetAsync(Root, TestApp.Token);
        await gate.NextArrivalAsync();

        await app.App.StopAsync(TestApp.Token);

        using HttpResponseMessage unknown = await running;
        await ProblemResponse.AssertProblem(unknown, "state-unknown");
        Assert.False(isCancelled);
    }

    [Fact]
    public async Task Work_that_ignores_cancellation_counts_as_abandoned_and_its_client_is_answered()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", () => gate.Pass(CancellationToken.None)).RunOnPool(),
            new() { ["Shutdown:Drain"] = "00:00:00", ["Shutdown:Cancel"] = "00:00:00" });
        Task<HttpResponseMessage> running = app.Client.GetAsync(Root, HttpCompletionOption.ResponseHeadersRead, TestApp.Token);
        await gate.NextArrivalAsync();
        await app.App.StopAsync(TestApp.Token);
        using HttpResponseMessage unknown = await running;
        Assert.Contains(app.Log.Lines, static l => l is
        {
            Level: LogLevel.Error,
            Text: "Shutdown complete: exit 4, accepted 1, completed 0, failed 0, cancelled 0, expired 0, client gone 0, not started 0, abandoned 1, joined 0/1",
        });
        Assert.Matches(@"^Worker 0 \(cpu-0\) could not be joined: it has been running work \(/\) for [0-9.]+ s$", Assert.Single(app.Log.With("Worker 0 (")));
        // The test server ends the body when the request ends, and the request ends when its handler returns.
        gate.Open();
        await ProblemResponse.AssertProblem(unknown, "state-unknown");
    }

    [Fact]
    public async Task The_log_names_work_without_an_origin_that_does_not_end()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            static _ => { }, new() { ["Shutdown:Drain"] = "00:00:00", ["Shutdown:Cancel"] = "00:00:00" });
        Task running = app.Pool.RunAsync(() => gate.Pass(CancellationToken.None)).AsTask();
        await gate.NextArrivalAsync();
        await app.App.StopAsync(TestApp.Token);
        gate.Open();
        await Assert.ThrowsAnyAsync<Exception>(() => running);
        Assert.Matches(@"^Worker 0 \(cpu-0\) could not be joined: it has been running work for [0-9.]+ s$", Assert.Single(app.Log.With("Worker 0 (")));
    }

    [Fact]
    public async Task The_log_names_a_worker_whose_state_is_not_disposed_of_in_time()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static () => "ran").RunOnPool(),
            new() { ["Shutdown:Drain"] = "00:00:00", ["Shutdown:Cancel"] = "00:00:00", ["Pools:cpu:Workers"] = "1" },
            builder => builder.Services.AddFixedThreadPool("cpu").ConfigureThreads(o => o.CreateWorkerState = _ => new BlockingState(gate)),
            pool: false);
        Assert.Equal("ran", await app.Client.GetStringAsync(Root, TestApp.Token));
        await app.App.StopAsync(TestApp.Token);
        Assert.Equal("Worker 0 (cpu-0) could not be joined: it has no item, but the creation or the disposal of its state, or a callback of its last item, may still be running", Assert.Single(app.Log.With("Worker 0 (")));
        gate.Open();
    }

    [Fact]
    public async Task The_log_names_a_worker_whose_state_is_not_made_in_time()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            static _ => { },
            new() { ["Shutdown:Drain"] = "00:00:00", ["Shutdown:Cancel"] = "00:00:00", ["Pools:cpu:Workers"] = "1" },
            builder => builder.Services.AddFixedThreadPool("cpu").ConfigureThreads(o => o.CreateWorkerState = id => id == 0 ? null : gate.Pass(CancellationToken.None)),
            pool: false);
        app.Pool.Resize(2);
        await gate.NextArrivalAsync();
        await app.App.StopAsync(TestApp.Token);
        Assert.Equal(
            "Worker 1 (cpu-1) could not be joined: it has no item, but the creation or the disposal of its state, or a callback of its last item, may still be running", Assert.Single(app.Log.With("Worker 1 (")));
        gate.Open();
    }

    [Fact]
    public async Task The_log_does_not_say_that_a_worker_has_no_item_if_the_labels_of_its_item_cannot_be_read()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            static _ => { }, new() { ["Shutdown:Drain"] = "00:00:00", ["Shutdown:Cancel"] = "00:00:00" });
        Assert.True(app.Pool.TrySubmit(new Undescribed(gate)));
        await gate.NextArrivalAsync();
        await app.App.StopAsync(TestApp.Token);
        Assert.Matches(@"^Worker 0 \(cpu-0\) could not be joined: it has been running work for [0-9.]+ s$", Assert.Single(app.Log.With("Worker 0 (")));
        gate.Open();
    }

    [Fact]
    public async Task An_exception_outside_of_any_request_is_logged_although_the_labels_of_its_item_cannot_be_read()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(static _ => { });
        gate.Open();
        Assert.True(app.Pool.TrySubmit(new Undescribed(gate) { EndFails = true }));
        await app.App.StopAsync(TestApp.Token);
        Assert.StartsWith("Code of work threw outside of any request", Assert.Single(app.Log.With("Code of ")), StringComparison.Ordinal);
    }

    private sealed class Undescribed(Gate gate) : PoolWorkItem
    {
        public bool EndFails { get; init; }

        public override string Kind => throw new NotSupportedException("on purpose");

        protected override void Execute() => gate.Pass(CancellationToken.None);

        protected override void OnEnded(WorkOutcome outcome, Exception? exception)
        {
            if (EndFails) throw new InvalidOperationException("on purpose");
        }
    }

    private sealed class BlockingState(Gate gate) : IDisposable
    {
        public void Dispose() => gate.Pass(CancellationToken.None);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_whose_work_is_abandoned_while_its_result_is_read_into_memory_is_answered(bool isHandler)
    {
        using var gate = new Gate();
        async Task Write(HttpContext context)
        {
            await context.Response.WriteAsync("early ", TestApp.Token);
            await context.Response.WriteAsync(gate.Pass(CancellationToken.None), TestApp.Token);
        }

        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                IEndpointConventionBuilder route = isHandler ? app.MapGet("/", () => new Written(Write)) : app.MapGet("/", (RequestDelegate)Write);
                route.RunOnPool(configure: static o => o.ExecuteResult = true);
            },
            new() { ["Shutdown:Drain"] = "00:00:00", ["Shutdown:Cancel"] = "00:00:00" });
        Task<HttpResponseMessage> running = app.Client.GetAsync(Root, HttpCompletionOption.ResponseHeadersRead, TestApp.Token);
        await gate.NextArrivalAsync();

        await app.App.StopAsync(TestApp.Token);

        using HttpResponseMessage unknown = await running;
        gate.Open();
        await ProblemResponse.AssertProblem(unknown, "state-unknown");
    }

    [Theory]
    [InlineData("/sequence")]
    [InlineData("/query")]
    [InlineData("/typed")]
    [InlineData("/delegate")]
    public async Task A_result_that_is_cancelled_while_it_is_read_into_memory_is_not_sent(string path)
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/sequence", (HttpContext context) => Rows(context.RequestAborted)).RunOnPool();
                app.MapGet("/query", (HttpContext context) => new AnswerTests.Query(Rows(context.RequestAborted))).RunOnPool();
                app.MapGet("/typed", (HttpContext context) => TypedResults.Ok(Rows(context.RequestAborted))).RunOnPool();
                app.MapGet("/delegate", (RequestDelegate)(context => context.Response.WriteAsJsonAsync(Rows(context.RequestAborted))))
                    .RunOnPool(configure: static o => o.ExecuteResult = true);
            },
            new() { ["Shutdown:Drain"] = "00:00:00.050" });
        Task<HttpResponseMessage> running = app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
        await begun.Task.Patiently();

        await app.App.StopAsync(TestApp.Token);

        using HttpResponseMessage unknown = await running;
        await ProblemResponse.AssertProblem(unknown, "state-unknown");

        IEnumerable<string> Rows(CancellationToken cancellation)
        {
            yield return new string('x', 64 * 1024);
            begun.TrySetResult();
            cancellation.WaitHandle.WaitOne(Patience.Long);
            cancellation.ThrowIfCancellationRequested();
            yield return "more";
        }
    }

    [Fact]
    public async Task A_drain_request_stops_the_host_even_if_its_response_fails()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app =>
            {
                app.Use(static async (context, next) =>
                {
                    await context.Response.StartAsync(TestApp.Token); // its status cannot be set any more
                    await next(context);
                });
                app.MapPoolDrain();
            },
            kestrel: true);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync("POST /drain HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        await Patience.UntilAsync(() => app.App.Lifetime.ApplicationStopping.IsCancellationRequested, "the host stops");
        Assert.NotEqual(ShutdownState.Running, app.Shutdown.State);
    }

    [Fact]
    public async Task While_draining_the_app_is_alive_and_started_but_not_ready()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(gate);
        Assert.Equal((200, "healthy"), await Probe(app, "/livez"));
        Assert.Equal((200, "healthy"), await Probe(app, "/readyz"));
        Assert.Equal((200, "healthy"), await Probe(app, "/startupz"));
        Task<string> running = app.Client.GetStringAsync("/", TestApp.Token);
        await gate.NextArrivalAsync();
        Task stop = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.State == ShutdownState.Draining, "draining");
        Assert.Equal((200, "healthy"), await Probe(app, "/livez"));
        Assert.Equal((503, "unhealthy"), await Probe(app, "/readyz"));
        Assert.Equal((200, "healthy"), await Probe(app, "/startupz"));
        gate.Open();
        await running;
        await stop;
    }

    [Fact]
    public async Task Before_the_app_has_started_it_is_alive_and_neither_started_nor_ready()
    {
        var shutdownState = new TaskCompletionSource<(int, int, int)>();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapPoolHealth(),
            configure: b => b.Services.AddHostedService(s => new AsksWhileStarting(s, shutdownState)));
        Assert.Equal((200, 503, 503), await shutdownState.Task);
    }

    [Fact]
    public async Task A_lame_duck_is_not_ready_and_still_works()
    {
        using var gate = new Gate();
        gate.Open();
        await using TestApp app = await StartAsync(gate, new() { ["Shutdown:LameDuck"] = "00:10:00" }, kestrel: true);
        // Begins like a signal: in this app, StopAsync alone or a request to /drain skips the lame duck phase.
        app.Shutdown.Begin("SIGTERM", lameDuck: true);
        Assert.Equal(ShutdownState.LameDuck, app.Shutdown.State);
        Task stop = app.App.StopAsync(TestApp.Token);
        Assert.Equal((503, "unhealthy"), await Probe(app, "/readyz"));
        using HttpResponseMessage response = await app.Client.GetAsync(Root, TestApp.Token);
        Assert.Equal("passed", await response.Content.ReadAsStringAsync(TestApp.Token));
        Assert.True(response.Headers.ConnectionClose);
        app.Shutdown.Begin("enough", lameDuck: false); // ends the lame duck phase
        await stop;
        Assert.Matches("^Shutdown: LameDuck, reason SIGTERM, 0 in flight, 0 queued, [0-9]+ ms$", Assert.Single(app.Log.With("Shutdown: LameDuck")));
        Assert.StartsWith("Shutdown complete: exit 0, accepted 1, completed 1,", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lame_duck_ends_when_its_time_is_over()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(gate, new() { ["Shutdown:LameDuck"] = "00:00:00.050" });
        app.Shutdown.Begin("SIGTERM", lameDuck: true);
        await app.App.StopAsync(TestApp.Token);
        Assert.Single(app.Log.With("Shutdown: LameDuck"));
        Assert.Single(app.Log.With("Shutdown: Draining"));
    }

    [Fact]
    public async Task Without_AddPoolProcessLifetime_a_stop_has_a_lame_duck_phase_and_logs_no_exit_code()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static () => "ran").RunOnPool(),
            new() { ["PoolShutdown:LameDuck"] = "00:10:00" },
            static builder => builder.Services.AddFixedThreadPool(),
            pool: false);
        Task stop = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.State == ShutdownState.LameDuck, "lame duck");
        Assert.Equal("ran", await app.Client.GetStringAsync(Root, TestApp.Token));
        app.Shutdown.Begin("enough", lameDuck: false); // ends the lame duck phase
        await stop;
        Assert.Matches(
            "^Shutdown complete: accepted 1, completed 1, failed 0, cancelled 0, expired 0, client gone 0, not started 0, abandoned 0, joined ([0-9]+)/\\1$",
            Assert.Single(app.Log.With("Shutdown complete")));
    }

    [Theory]
    [InlineData(false, "true", true)]
    [InlineData(false, "false", false)]
    [InlineData(true, "true", false)]
    public async Task A_watchdog_setting_without_AddPoolProcessLifetime_fails_the_start(bool asks, string watchdog, bool fails)
    {
        WebApplication app = TestApp.Build(
            static _ => { },
            new() { ["PoolShutdown:Watchdog"] = watchdog },
            builder =>
            {
                if (asks) builder.Services.AddPoolProcessLifetime();
                builder.Services.AddFixedThreadPool();
            },
            kestrel: false, pool: false, new CapturingLog());
        await using (app)
        {
            Exception? fault = await Record.ExceptionAsync(() => app.StartAsync(TestApp.Token));
            Assert.Equal(
                fails ? "PoolShutdown:Watchdog is set, but only AddPoolProcessLifetime() starts a watchdog: call it, or remove the setting." : null,
                fault?.Message);
            if (!fails) await app.StopAsync(TestApp.Token);
        }
    }

    [Fact]
    public async Task AddPoolProcessLifetime_in_an_app_without_a_pool_fails_the_start()
    {
        await using WebApplication app = TestApp.Build(
            static _ => { }, null, static builder => builder.Services.AddPoolProcessLifetime(), kestrel: false, pool: false, new CapturingLog());
        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => app.StartAsync(TestApp.Token));
        Assert.Equal("AddPoolProcessLifetime() needs a pool, and the app has none: call services.AddFixedThreadPool().", fault.Message);
    }

    [Fact]
    public async Task Once_a_stop_begins_every_response_has_Connection_close_including_those_in_flight()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(gate, kestrel: true);
        using HttpResponseMessage before = await app.Client.GetAsync(new Uri("/livez", UriKind.Relative), TestApp.Token);
        Assert.Null(before.Headers.ConnectionClose);
        Task<HttpResponseMessage> running = app.Client.GetAsync(Root, TestApp.Token);
        await gate.NextArrivalAsync();
        Task stop = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.State == ShutdownState.Draining, "draining");
        using HttpResponseMessage probe = await app.Client.GetAsync(new Uri("/livez", UriKind.Relative), TestApp.Token);
        Assert.True(probe.Headers.ConnectionClose);
        using HttpResponseMessage refused = await app.Client.GetAsync(Root, TestApp.Token);
        Assert.True(refused.Headers.ConnectionClose);
        gate.Open();
        using HttpResponseMessage response = await running;
        Assert.True(response.Headers.ConnectionClose);
        await stop;
    }

    [Fact]
    public async Task A_request_whose_body_is_still_coming_when_the_stop_begins_is_refused_as_draining()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(app => app.MapPost("/", () => "ran").RunOnPool(), kestrel: true);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
        await Patience.UntilAsync(() => app.PoolContext().Bodies.Used == 5, "the body is being read");
        Task stop = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.State >= ShutdownState.Draining, "draining");
        await client.SendAsync("lo");
        Assert.Contains("urn:poolapi:problem:draining", await client.ReadResponseAsync(), StringComparison.Ordinal);
        await stop;
    }

    [Fact]
    public async Task Concurrent_calls_of_StopAsync_stop_the_app_once()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(gate);
        Task<string> running = app.Client.GetStringAsync("/", TestApp.Token);
        await gate.NextArrivalAsync();
        Task waiting = app.App.WaitForShutdownAsync(TestApp.Token); // also calls StopAsync, once the host is stopping
        Task first = app.App.StopAsync(TestApp.Token);
        Task second = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.State == ShutdownState.Draining, "draining");
        gate.Open();
        await running;
        await Task.WhenAll(waiting, first, second);
        Assert.Single(app.Log.With("Shutdown: Draining"));
        Assert.Single(app.Log.With("Shutdown: Joining"));
        Assert.Single(app.Log.With("Shutting down worker 0"));
        Assert.Contains("accepted 1, completed 1,", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
        Assert.EndsWith("joined 1/1", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stop_completes_although_its_ShutdownTimeout_is_longer_than_a_thread_can_wait()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(
            gate, new() { ["Shutdown:Watchdog"] = "true" },
            configure: static builder => builder.Services.Configure<HostOptions>(static o => o.ShutdownTimeout = TimeSpan.FromDays(30)));
        await app.App.StopAsync(TestApp.Token);
        Assert.StartsWith("Shutdown complete: exit 0, ", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_exporter_that_throws_does_not_prevent_another_from_flushing()
    {
        using var gate = new Gate();
        var exporters = (Throws: new Exporter(static () => throw new InvalidOperationException("no collector")), Sends: new Exporter(static () => Task.FromResult(true)));
        await using TestApp app = await StartAsync(
            gate, configure: builder => builder.Services.AddSingleton<ITelemetryFlush>(exporters.Throws).AddSingleton<ITelemetryFlush>(exporters.Sends));
        await app.App.StopAsync(TestApp.Token);
        Assert.Equal((1, 1), (exporters.Throws.Calls, exporters.Sends.Calls));
        Assert.StartsWith("Shutdown complete: exit 5, ", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
    }

    private sealed class Exporter(Func<Task<bool>> flush) : ITelemetryFlush
    {
        public int Calls { get; private set; }

        public Task<bool> FlushAsync(CancellationToken cancellationToken)
        {
            Calls++;
            return flush();
        }
    }

    [Fact]
    public async Task A_stop_that_begins_without_memory_for_its_records_finishes_what_was_accepted()
    {
        using var gate = new Gate();
        var clock = new FullMemoryClock();
        await using TestApp app = await StartAsync(gate, configure: builder => builder.Services.AddSingleton<TimeProvider>(clock));
        Task<string> running = app.Client.GetStringAsync("/", TestApp.Token);
        await gate.NextArrivalAsync();

        clock.HasDate = false;
        app.Shutdown.Begin("SIGTERM", lameDuck: false);
        clock.HasDate = true;
        Assert.Equal(ShutdownState.Draining, app.Shutdown.State);
        Task stop = app.App.StopAsync(TestApp.Token);
        gate.Open();

        Assert.Equal("passed", await running);
        await stop;
        string last = Assert.Single(app.Log.With("Shutdown complete"));
        Assert.StartsWith("Shutdown complete: exit 0, accepted 1, completed 1,", last, StringComparison.Ordinal);
        Assert.EndsWith("joined 1/1", last, StringComparison.Ordinal);
    }

    [Fact]
    public async Task If_stopping_a_pool_runs_out_of_memory_telemetry_is_flushed_and_the_last_line_logged()
    {
        using var gate = new Gate();
        var clock = new FullMemoryClock();
        var exporter = new Exporter(static () => Task.FromResult(true));
        await using TestApp app = await StartAsync(gate, configure: builder =>
        {
            builder.Services.AddSingleton<TimeProvider>(clock).AddSingleton<ITelemetryFlush>(exporter);
            builder.Services.AddHostedService(_ => new StopsBeforeThePools(FailOnce));
        });

        await app.App.StopAsync(TestApp.Token);

        Assert.True(clock.HasFailed);
        Assert.Equal(1, exporter.Calls);
        Assert.Contains("planted", Assert.Single(app.Log.With("The pools could not be stopped")), StringComparison.Ordinal);
        string last = Assert.Single(app.Log.With("Shutdown complete"));
        Assert.StartsWith("Shutdown complete: exit 4, ", last, StringComparison.Ordinal);
        Assert.EndsWith("joined 0/1", last, StringComparison.Ordinal);

        // The stop runs on the .NET ThreadPool. Workers have their own threads.
        void FailOnce() => clock.FailOnce(static () => Thread.CurrentThread.IsThreadPoolThread);
    }

    [Fact]
    public async Task A_signal_after_the_last_log_line_does_not_change_the_exit_code()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(gate);
        Assert.Null(app.Shutdown.ExitCode);
        await app.App.StopAsync(TestApp.Token);

        app.Shutdown.CutShort("SIGTERM", 143);

        Assert.Equal(0, app.Shutdown.ExitCode);
        Assert.StartsWith("Shutdown complete: exit 0, ", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
        Assert.Empty(app.Log.With("The stop is cut short"));
    }

    [Fact]
    public async Task The_hosts_ShutdownTimeout_covers_all_phases_of_the_stop()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(
            gate, new() { ["Shutdown:LameDuck"] = "00:00:00", ["Shutdown:Drain"] = "00:05:00", ["Shutdown:Cancel"] = "00:00:07" });
        TimeSpan given = app.App.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout;
        // Drain, cancel, join; the last answers, connections and the server's own end; telemetry; slack.
        Assert.Equal(TimeSpan.FromSeconds(300 + 7 + 2 + 0.5 + 1.5 + 0.5 + 2 + 5), given);
    }

    private static Task<TestApp> StartAsync(
        Gate gate, Dictionary<string, string?>? settings = null, bool kestrel = false, Action<WebApplicationBuilder>? configure = null) => TestApp.StartAsync(
        app =>
        {
            app.MapPoolHealth();
            app.MapGet("/", (CancellationToken cancellation) => gate.Pass(cancellation)).RunOnPool();
        },
        settings,
        configure,
        kestrel);

    private static async Task<(int, string)> Probe(TestApp app, string path)
    {
        using HttpResponseMessage response = await app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
        string json = await response.Content.ReadAsStringAsync(TestApp.Token);
        return ((int)response.StatusCode, (string)System.Text.Json.Nodes.JsonNode.Parse(json)!["status"]!);
    }

    private sealed class AsksWhileStarting(IServiceProvider services, TaskCompletionSource<(int, int, int)> answer) : IHostedLifecycleService
    {
        public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async Task StartedAsync(CancellationToken cancellationToken)
        {
            var server = (Microsoft.AspNetCore.TestHost.TestServer)services.GetRequiredService<Microsoft.AspNetCore.Hosting.Server.IServer>();
            using HttpClient client = server.CreateClient();
            async Task<int> Ask(string path)
            {
                using HttpResponseMessage response = await client.GetAsync(new Uri(path, UriKind.Relative), cancellationToken);
                return (int)response.StatusCode;
            }
            if (services.GetRequiredService<ShutdownCoordinator>().State == ShutdownState.Starting)
                answer.SetResult((await Ask("/livez"), await Ask("/readyz"), await Ask("/startupz")));
            else
                answer.SetException(new InvalidOperationException("The app counted as started before every service had."));
        }

        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class StopsBeforeThePools(Action stop) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken)
        {
            stop();
            return Task.CompletedTask;
        }
    }

    private sealed class Written(RequestDelegate write) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => write(httpContext);
    }
}

/// <summary>The exit code belongs to the whole process, so no other test runs in parallel with these.</summary>
[CollectionDefinition(nameof(ExitCodeTests), DisableParallelization = true)]
public class ExitCodeGroup;

/// <summary>The exit code that a stop sets.</summary>
[Collection(nameof(ExitCodeTests))]
public class ExitCodeTests
{
    [Theory]
    [InlineData(true, false, 0, 0)]
    [InlineData(true, true, 0, 3)]
    [InlineData(true, false, 9, 9)]
    [InlineData(true, true, 9, 3)]
    [InlineData(false, true, 0, 0)]
    [InlineData(false, true, 9, 9)]
    public async Task Only_a_stop_that_loses_work_under_AddPoolProcessLifetime_sets_the_exit_code(bool asks, bool loses, int before, int after)
    {
        int code = Environment.ExitCode;
        try
        {
            Environment.ExitCode = before;
            using var gate = new Gate();
            await using (TestApp app = await TestApp.StartAsync(
                app => app.MapGet("/", (CancellationToken cancellation) => gate.Pass(cancellation)).RunOnPool(),
                new() { ["PoolShutdown:Drain"] = loses ? "00:00:00" : "00:00:20" },
                builder =>
                {
                    builder.Services.AddFixedThreadPool();
                    if (asks) builder.Services.AddPoolProcessLifetime();
                },
                pool: false))
            {
                Task<HttpResponseMessage> running = app.Client.GetAsync(new Uri("/", UriKind.Relative), TestApp.Token);
                await gate.NextArrivalAsync();
                if (!loses) gate.Open();
                await app.App.StopAsync(TestApp.Token);
                using HttpResponseMessage response = await running;
                Assert.Equal(loses ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK, response.StatusCode);
            }
            Assert.Equal(after, Environment.ExitCode);
        }
        finally
        {
            Environment.ExitCode = code;
        }
    }
}
