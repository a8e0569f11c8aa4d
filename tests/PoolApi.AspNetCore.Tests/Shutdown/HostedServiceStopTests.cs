using System.Net;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Shutdown;

/// <summary>At a stop, requests are refused first. The pool closes when the hosted services that use it have stopped, or at the deadline.</summary>
public class HostedServiceStopTests
{
    private static readonly Uri Root = new("/", UriKind.Relative);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_background_service_runs_its_last_batch_and_its_flush_on_the_pool(bool concurrently)
    {
        var seen = new StopOrder();
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static () => "ran").RunOnPool(),
            configure: builder =>
            {
                builder.Services.Configure<HostOptions>(host => host.ServicesStopConcurrently = concurrently);
                builder.Services.AddSingleton(seen);
                // As if registered before the pool: it stops after the pool's own service, or concurrently with it.
                builder.Services.Insert(0, ServiceDescriptor.Singleton<IHostedService, StopsLast>());
                builder.Services.AddHostedService<Batcher>();
                seen.WaitForLast = concurrently;
            });
        Assert.Equal("ran", await app.Client.GetStringAsync(Root, TestApp.Token));

        await app.App.StopAsync(TestApp.Token);

        Assert.Equal(["last batch on the pool", "flush on the pool"], seen.Steps);
        Assert.StartsWith("Shutdown complete: exit 0, accepted 3, completed 3,", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
        AssertPhases(app, "Draining", "Joining", "Flushing");
    }

    [Fact]
    public async Task When_a_stop_begins_requests_are_refused_while_the_pool_still_accepts_other_work()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.MapGet("/", static () => "ran").RunOnPool();
            app.MapGet("/slow", async (FixedThreadPool pool, CancellationToken cancellation) =>
            {
                gate.Pass(cancellation);
                return await pool.RunAsync(static () => "a part of a request that runs");
            }).RunOnPool();
        });
        Task<string> running = app.Client.GetStringAsync("/slow", TestApp.Token);
        await gate.NextArrivalAsync();

        Task stop = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.State == ShutdownState.Draining, "draining");

        using (HttpResponseMessage refused = await app.Client.GetAsync(Root, TestApp.Token))
            await ProblemResponse.AssertProblem(refused, "draining");
        gate.Open();
        Assert.Equal("a part of a request that runs", await running);
        await stop;
        Assert.StartsWith("Shutdown complete: exit 0, accepted 2, completed 2,", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
        await Assert.ThrowsAsync<WorkRejectedException>(() => app.Pool.RunAsync(static () => 1).AsTask());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_service_that_still_runs_after_the_deadline_is_refused_by_the_closed_pool(bool concurrently)
    {
        var late = new LateService();
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static () => "ran").RunOnPool(),
            new() { ["Shutdown:Drain"] = "00:00:00.050" },
            builder =>
            {
                builder.Services.Configure<HostOptions>(host => host.ServicesStopConcurrently = concurrently);
                builder.Services.AddSingleton<IHostedService>(services =>
                {
                    late.Pool = services.GetRequiredService<FixedThreadPool>;
                    return late;
                });
            });

        await app.App.StopAsync(TestApp.Token);

        Assert.IsType<WorkRejectedException>(late.Refusal);
        // The service had no work on the pool at the deadline, so nothing is cancelled.
        AssertPhases(app, "Draining", "Joining", "Flushing");
        Assert.StartsWith("Shutdown complete: exit 0, accepted 0,", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Work_of_a_service_that_misses_the_deadline_is_cancelled_and_counted()
    {
        var endless = new EndlessWork();
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static () => "ran").RunOnPool(),
            new() { ["Shutdown:Drain"] = "00:00:00.050" },
            builder => builder.Services.AddSingleton<IHostedService>(services =>
            {
                endless.Pool = services.GetRequiredService<FixedThreadPool>;
                return endless;
            }));
        await endless.BeginAsync();

        await app.App.StopAsync(TestApp.Token);

        Assert.IsAssignableFrom<OperationCanceledException>(endless.Error);
        AssertPhases(app, "Draining", "Cancelling", "Joining", "Flushing");
        Assert.Matches("^Shutdown: Cancelling, reason application, 1 in flight, 0 queued, ", Assert.Single(app.Log.With("Shutdown: Cancelling")));
        Assert.StartsWith(
            "Shutdown complete: exit 3, accepted 1, completed 0, failed 0, cancelled 1,", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task During_a_stop_each_request_is_answered_or_refused_and_the_last_line_counts_the_answered()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/", static () => "ran").RunOnPool();
                app.MapGet("/held", () => gate.Pass()).RunOnPool();
            },
            new() { ["Pool:Workers"] = "2" });
        int ran = 0;
        int refused = 0;
        var firstRefusal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<string> held = app.Client.GetStringAsync("/held", TestApp.Token);
        await gate.NextArrivalAsync();
        using var enough = new SemaphoreSlim(0);
        Task[] clients = [.. Enumerable.Range(0, 8).Select(_ => AskAsync())];
        for (int i = 0; i < 200; i++) Assert.True(await enough.WaitAsync(Patience.Long, TestApp.Token));

        Task stop = app.App.StopAsync(TestApp.Token);
        // The held request keeps the server from stopping before it has refused a request.
        await firstRefusal.Task.Patiently();
        gate.Open();
        Assert.Equal("passed", await held);
        await Task.WhenAll(clients);
        await stop;

        Assert.InRange(refused, 1, 8);
        int answered = ran + 1; // with the held request
        Assert.StartsWith($"Shutdown complete: exit 0, accepted {answered}, completed {answered}, ", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);

        async Task AskAsync()
        {
            await Task.Yield();
            while (true)
            {
                try
                {
                    using HttpResponseMessage answer = await app.Client.GetAsync(Root, TestApp.Token);
                    if (answer.StatusCode != HttpStatusCode.OK)
                    {
                        await ProblemResponse.AssertProblem(answer, "draining");
                        Interlocked.Increment(ref refused);
                        firstRefusal.TrySetResult();
                        break;
                    }
                    Interlocked.Increment(ref ran);
                    enough.Release();
                }
                catch (ObjectDisposedException)
                {
                    break; // the test server has stopped
                }
            }
        }
    }

    private static void AssertPhases(TestApp app, params string[] states) =>
        Assert.Equal(states, app.Log.With("Shutdown: ").Select(static line => line["Shutdown: ".Length..line.IndexOf(',', StringComparison.Ordinal)]));

    private sealed class StopOrder
    {
        public TaskCompletionSource Last { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool WaitForLast { get; set; }

        public List<string> Steps { get; } = [];

        public void Take(string step) => Steps.Add(step + (Support.Steps.OnPool() ? " on the pool" : " elsewhere"));
    }

    /// <summary>The host calls its StopAsync after all other services have stopped or, if they stop concurrently, as the last one.</summary>
    private sealed class StopsLast(StopOrder seen) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken)
        {
            seen.Last.TrySetResult();
            return Task.CompletedTask;
        }
    }

    /// <summary>Runs its last batch and then its flush on the pool when the app stops.</summary>
    private sealed class Batcher(FixedThreadPool pool, StopOrder seen) : BackgroundService
    {
        public override async Task StopAsync(CancellationToken cancellationToken)
        {
            await base.StopAsync(cancellationToken);
            if (seen.WaitForLast) await seen.Last.Task.WaitAsync(cancellationToken);
            await pool.RunAsync(() => seen.Take("flush"));
        }

        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await pool.RunAsync(() => seen.Take("last batch"));
        }
    }

    /// <summary>Its StopAsync waits until the pool is closed, and then submits work.</summary>
    private sealed class LateService : IHostedService
    {
        public Func<FixedThreadPool>? Pool { get; set; }

        public Exception? Refusal { get; private set; }

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async Task StopAsync(CancellationToken cancellationToken)
        {
            FixedThreadPool pool = Pool!();
            await pool.CloseAsync().WaitAsync(cancellationToken);
            Refusal = await Record.ExceptionAsync(() => pool.RunAsync(static () => 1).AsTask());
        }
    }

    /// <summary>Its work runs until it is cancelled, and its StopAsync waits for the work.</summary>
    private sealed class EndlessWork : IHostedService
    {
        private Task<Exception?>? _work; // not null once the work has begun

        public Func<FixedThreadPool>? Pool { get; set; }

        public Exception? Error { get; private set; }

        /// <summary>Begins the work. Completes when a worker runs it.</summary>
        public Task BeginAsync()
        {
            var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _work = Record.ExceptionAsync(() => Pool!().RunAsync(
                token =>
                {
                    begun.SetResult();
                    return Task.Delay(Timeout.InfiniteTimeSpan, token);
                },
                CancellationToken.None).AsTask()).AsTask();
            return begun.Task.Patiently();
        }

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async Task StopAsync(CancellationToken cancellationToken) => Error = await _work!;
    }
}
