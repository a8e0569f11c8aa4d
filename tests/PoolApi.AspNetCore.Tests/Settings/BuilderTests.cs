using System.Collections.Concurrent;
using System.Reflection;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Settings;

/// <summary>The options of a pool that an app sets in code, in addition to its settings.</summary>
public sealed class BuilderTests
{
    [Fact]
    public void The_builder_knows_its_pool_and_the_services()
    {
        var services = new ServiceCollection();
        FixedThreadPoolBuilder builder = services.AddFixedThreadPool("io", static o => o.Workers = 2);
        Assert.Equal("io", builder.Name);
        Assert.Same(services, builder.Services);
    }

    [Fact]
    public async Task ConfigureThreads_sets_options_of_the_threads_and_can_use_the_services()
    {
        await using TestApp app = await StartAsync(
            static pool => pool
                .ConfigureThreads(static o => o.MaxStandIns = 3)
                .ConfigureThreads(static (services, o) => o.CreateWorkerState = id => $"{services.GetRequiredService<Greeting>().Text} {id}"),
            static app => app.MapGet("/", static () => (string?)FixedThreadPool.CurrentWorkerState).RunOnPool());
        Assert.Equal("hello 0", await app.Client.GetStringAsync("/", TestApp.Token));
        Assert.Equal(3, app.App.Services.GetRequiredKeyedService<FixedThreadPoolOptions>("cpu").MaxStandIns);
    }

    [Fact]
    public async Task Each_observer_and_the_log_are_notified_although_one_observer_throws()
    {
        var one = new Observer(throws: true);
        var other = new Observer();
        await using TestApp app = await StartAsync(
            pool => pool.ConfigureThreads(o => o.Observer = one).ConfigureThreads(o =>
            {
                Assert.Null(o.Observer);
                o.Observer = other;
            }));
        Assert.Equal("ran", await app.Client.GetStringAsync("/", TestApp.Token));
        await app.App.StopAsync(TestApp.Token);
        Assert.Equal(["started 0", "finished Completed", "joined 0"], one.Calls);
        Assert.Equal(["started 0", "finished Completed", "joined 0"], other.Calls);
        Assert.Equal(["Shutting down worker 0"], app.Log.With("Shutting down worker"));
    }

    [Fact]
    public void PoolObservers_implements_every_method_of_the_observer_interface()
    {
        System.Reflection.InterfaceMapping map = typeof(PoolObservers).GetInterfaceMap(typeof(IFixedThreadPoolObserver));
        Assert.All(map.TargetMethods, static method => Assert.Equal(typeof(PoolObservers), method.DeclaringType));
    }

    [Theory]
    [InlineData("MaxStandIns")]
    [InlineData("Nice")]
    [InlineData("Name")]
    public async Task An_invalid_option_of_the_threads_fails_the_start_and_the_error_names_the_pool(string option)
    {
        var fault = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(pool => pool.ConfigureThreads(o =>
        {
            if (option == "Name") o.Name = "other";
            if (option == "Nice") o.Nice = 20;
            if (option == "MaxStandIns") o.MaxStandIns = -1;
        })));
        Assert.StartsWith($"The pool 'cpu': {option} ", Assert.Single(fault.Failures), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("setting")]
    [InlineData("code")]
    [InlineData("threads")]
    public async Task The_pool_may_have_no_limit_on_queue_time_while_an_endpoint_sets_its_own(string how)
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/held", () => gate.Pass()).RunOnPool();
                app.MapGet("/own", static () => "ran").RunOnPool(configure: static o => o.MaxQueueTime = TimeSpan.FromMilliseconds(20));
            },
            new() { ["Pools:cpu:Workers"] = "1", ["Pools:cpu:MaxQueueTime"] = how == "setting" ? "-00:00:00.0010000" : null },
            b =>
            {
                FixedThreadPoolBuilder pool = b.Services.AddFixedThreadPool("cpu", o => o.MaxQueueTime = how == "code" ? Timeout.InfiniteTimeSpan : o.MaxQueueTime);
                if (how == "threads") pool.ConfigureThreads(static o => o.MaxQueueTime = Timeout.InfiniteTimeSpan);
            },
            pool: false);
        Assert.Equal(Timeout.InfiniteTimeSpan, app.PoolContext().MaxQueueTime);
        Task<string> held = app.Client.GetStringAsync("/held", TestApp.Token);
        await gate.NextArrivalAsync();
        using HttpResponseMessage expired = await app.Client.GetAsync(new Uri("/own", UriKind.Relative), TestApp.Token);
        Assert.Contains("waited for 0.02 s", await expired.Content.ReadAsStringAsync(TestApp.Token), StringComparison.Ordinal);
        gate.Open();
        await held;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_app_disposes_of_a_quota_from_a_factory_but_not_of_a_given_instance(bool byApp)
    {
        var made = new List<Limiter>();
        Limiter Make()
        {
            var limiter = new Limiter();
            made.Add(limiter);
            return limiter;
        }

        await using (TestApp app = await StartAsync(pool => _ = byApp ? pool.WithQuota(_ => Make()) : pool.WithQuota(Make())))
        {
            using HttpResponseMessage refused = await app.Client.GetAsync(new Uri("/", UriKind.Relative), TestApp.Token);
            Assert.Equal(429, (int)refused.StatusCode);
        }
        Assert.Equal(byApp, Assert.Single(made).IsDisposed);
    }

    [Fact]
    public async Task Overload_control_can_be_switched_off()
    {
        await using TestApp with = await StartAsync(static _ => { });
        await using TestApp without = await StartAsync(static pool => pool.WithoutOverloadControl());
        Assert.NotNull(with.PoolContext().NewOverloadControl());
        Assert.Null(without.PoolContext().NewOverloadControl());
    }

    [Fact]
    public async Task In_an_app_with_several_pools_each_line_of_the_log_names_its_pool()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static () => "ran").RunOnPool("io"),
            configure: static b =>
            {
                b.Services.AddFixedThreadPool("cpu", static o => o.Workers = 1);
                b.Services.AddFixedThreadPool("io", static o => o.Workers = 1);
            },
            pool: false);
        await app.Client.GetStringAsync("/", TestApp.Token);
        await app.App.StopAsync(TestApp.Token);
        Assert.Equal(["Worker 0 got a job; executing (pool io)"], app.Log.With("Worker 0 got a job"));
        Assert.Equal(
            ["Shutting down worker 0 (pool cpu)", "Shutting down worker 0 (pool io)"],
            app.Log.With("Shutting down worker").Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("io")]
    [InlineData(null)]
    public async Task Each_kind_of_log_line_ends_with_the_name_of_its_pool_if_the_app_has_several(string? pool)
    {
        var clock = new FakeTimeProvider();
        using var gate = new Gate();
        await using var threads = new FixedThreadPool(new FixedThreadPoolOptions { Workers = 2, TimeProvider = clock, StuckAfter = TimeSpan.FromMinutes(1) });
        ValueTask<string> held = threads.RunAsync(() => gate.Pass());
        await gate.NextArrivalAsync();
        clock.Advance(TimeSpan.FromMinutes(2));
        IReadOnlyList<WorkerSnapshot> workers = threads.GetSnapshot().Workers;
        WorkerSnapshot stuck = Assert.Single(workers, static worker => worker.State == WorkerState.Stuck);
        WorkerSnapshot idle = Assert.Single(workers, static worker => worker.State != WorkerState.Stuck);
        var fault = new InvalidOperationException("on purpose");
        var item = new Item();
        var lines = new CapturingLog();
        var log = new PoolLog(lines.For<FixedThreadPool>(), pool);

        log.WorkStarted(0, item);
        log.UnhandledException(fault, item, workerId: 0);
        log.UnhandledException(fault, item: null, workerId: 0);
        log.WorkerHealthChanged(stuck);
        log.WorkerHealthChanged(idle);
        log.WorkerBlocked(stuck, hasStandIn: true);
        log.WorkerBlocked(stuck, hasStandIn: false);
        log.WorkerDied(0, fault, isReplaced: true);
        log.WorkerDied(0, fault, isReplaced: false);
        log.WorkerJoined(idle, inTime: true);
        log.WorkerJoined(stuck, inTime: false);
        log.WorkerJoined(idle, inTime: false);
        gate.Open();
        Assert.Equal("passed", await held);

        // Without the text of the exception, which follows on lines of its own.
        string[] firstLines = [.. lines.Texts.Select(static text => text.Split('\n')[0])];
        int messages = typeof(PoolLog).GetMethods(BindingFlags.Instance | BindingFlags.NonPublic).Count(static method => method.IsDefined(typeof(LoggerMessageAttribute)));
        Assert.Equal(messages, firstLines.Distinct().Count());
        Assert.All(firstLines, line => Assert.EndsWith(pool is null ? "" : $" (pool {pool})", line, StringComparison.Ordinal));
        if (pool is null) Assert.All(firstLines, static line => Assert.DoesNotContain("(pool", line, StringComparison.Ordinal));
    }

    private static Task<TestApp> StartAsync(Action<FixedThreadPoolBuilder> configure, Action<WebApplication>? map = null) => TestApp.StartAsync(
        map ?? (static app => app.MapGet("/", static () => "ran").RunOnPool()),
        new() { ["Pools:cpu:Workers"] = "1" },
        b =>
        {
            b.Services.AddSingleton(new Greeting("hello"));
            configure(b.Services.AddFixedThreadPool());
        },
        pool: false);

    private sealed record Greeting(string Text);

    private sealed class Observer(bool throws = false) : IFixedThreadPoolObserver
    {
        public ConcurrentQueue<string> Calls { get; } = new();

        public void WorkStarted(int workerId, PoolWorkItem item) => Record($"started {workerId}");

        public void WorkFinished(PoolWorkItem item, WorkOutcome outcome, Exception? exception) => Record($"finished {outcome}");

        public void WorkerJoined(WorkerSnapshot worker, bool inTime) => Record($"joined {worker.Id}");

        private void Record(string call)
        {
            Calls.Enqueue(call);
            if (throws) throw new InvalidOperationException("on purpose");
        }
    }

    private sealed class Item : PoolWorkItem
    {
        protected override void Execute() => throw new InvalidOperationException("It is not submitted.");
    }

    /// <summary>Refuses every request.</summary>
    private sealed class Limiter : PartitionedRateLimiter<HttpContext>
    {
        public bool IsDisposed { get; private set; }

        public override RateLimiterStatistics? GetStatistics(HttpContext resource) => null;

        protected override RateLimitLease AttemptAcquireCore(HttpContext resource, int permitCount) => new Refused();

        protected override ValueTask<RateLimitLease> AcquireAsyncCore(HttpContext resource, int permitCount, CancellationToken cancellationToken) =>
            new(new Refused());

        protected override void Dispose(bool disposing)
        {
            IsDisposed = true;
            base.Dispose(disposing);
        }

        private sealed class Refused : RateLimitLease
        {
            public override bool IsAcquired => false;

            public override IEnumerable<string> MetadataNames => [];

            public override bool TryGetMetadata(string metadataName, out object? metadata)
            {
                metadata = null;
                return false;
            }
        }
    }
}
