using Microsoft.Extensions.Time.Testing;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Tests.History;

/// <summary>The monitor takes a sample every second while a pool works or somebody watches.</summary>
public class PoolMonitorTests
{
    [Fact]
    public async Task An_idle_pool_that_nobody_watches_sets_no_timer()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync();
        Assert.False(app.Monitor.IsTicking);
        app.Tick(10);
        Assert.Equal(0, app.Monitor.LastTick);
    }

    [Fact]
    public async Task Work_begins_the_sampling_and_an_idle_second_ends_it()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync();
        await app.Pool.RunAsync(static () => { });
        Assert.True(app.Monitor.IsTicking);
        app.Tick();
        Assert.Equal(1, app.Monitor.LastTick);
        Assert.True(app.Monitor.IsTicking);
        app.Tick(5);
        Assert.Equal(2, app.Monitor.LastTick);
        Assert.False(app.Monitor.IsTicking);

        await app.Pool.RunAsync(static () => { });
        Assert.True(app.Monitor.IsTicking);
    }

    [Fact]
    public async Task The_counts_of_the_samples_add_up_to_those_of_the_pool()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync(workers: 2);
        for (int second = 0; second < 20; second++)
        {
            for (int i = 0; i <= second; i++) await app.Pool.RunAsync(static () => { });
            await Assert.ThrowsAsync<InvalidOperationException>(
                async () => await app.Pool.RunAsync(static () => throw new InvalidOperationException("as asked")));
            ((IPoolAdmission)app.Pool).CountRejected("quota");
            app.Tick();
        }
        PoolSnapshot snapshot = app.Pool.GetSnapshot();
        foreach (PoolSample[] samples in new[] { app.History.ByTheSecond(), app.History.ByTenSeconds() })
        {
            Assert.Equal(snapshot.Accepted, samples.Sum(static s => s.Accepted));
            Assert.Equal(snapshot.Counts[WorkOutcome.Completed], samples.Sum(static s => s.Finished.Completed));
            Assert.Equal(20, samples.Sum(static s => s.Finished.Failed));
            Assert.Equal(20, samples.Sum(static s => s.Refused.GetValueOrDefault("quota")));
        }
        Assert.Equal(230, snapshot.Accepted);
    }

    [Fact]
    public async Task An_idle_period_is_filled_with_empty_samples()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync();
        await app.Pool.RunAsync(static () => { });
        app.Tick(2); // the second tick ends the sampling
        app.Tick(60);
        await app.Pool.RunAsync(static () => { });
        app.Tick();

        PoolSample[] samples = app.History.ByTheSecond();
        Assert.Equal(63, samples.Length);
        Assert.Equal([1, .. Enumerable.Repeat(0L, 61), 1], samples.Select(static s => s.Accepted));
        Assert.All(samples.Zip(samples.Skip(1)), static pair => Assert.Equal(1000, pair.Second.At - pair.First.At));
    }

    [Fact]
    public async Task A_caller_that_waits_for_a_tick_gets_the_next_one_and_keeps_the_timer_running()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync();
        ValueTask<long> first = app.Monitor.WaitForTickAsync(0, TestContext.Current.CancellationToken);
        app.Tick();
        Assert.Equal(1, await first);
        ValueTask<long> second = app.Monitor.WaitForTickAsync(1, TestContext.Current.CancellationToken);
        app.Tick();
        Assert.Equal(2, await second);
        Assert.Equal(2, await app.Monitor.WaitForTickAsync(1, TestContext.Current.CancellationToken)); // this tick has passed
    }

    [Fact]
    public async Task The_timer_stops_after_a_watcher_cancels_its_wait()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync();
        using var gone = new CancellationTokenSource();
        ValueTask<long> tick = app.Monitor.WaitForTickAsync(0, gone.Token);
        Assert.True(app.Monitor.IsTicking);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await tick);
        app.Tick();
        Assert.False(app.Monitor.IsTicking);
    }

    [Fact]
    public async Task A_sample_that_fails_is_skipped_and_the_next_tick_samples_again()
    {
        var clock = new MonitorsClock();
        await using MonitoredApp app = await MonitoredApp.StartAsync(clock: clock);
        await app.Pool.RunAsync(static () => { });
        int set = clock.TimesSet;
        clock.FailsNext = true;
        clock.Fire();
        Assert.Equal((0, set + 1, true), (app.Monitor.LastTick, clock.TimesSet, app.Monitor.IsTicking));
        clock.Fire();
        Assert.Equal((1, set + 2), (app.Monitor.LastTick, clock.TimesSet));
        Assert.Equal(1, app.History.Latest!.Accepted);
    }

    [Fact]
    public async Task The_ticks_continue_although_a_handler_and_the_log_throw()
    {
        var clock = new MonitorsClock();
        using var log = new ThrowingLog(typeof(PoolMonitor).FullName!);
        await using MonitoredApp app = await MonitoredApp.StartAsync(clock: clock, log: log);
        app.Monitor.Ticked += static _ => throw new InvalidOperationException("as asked");
        await app.Pool.RunAsync(static () => { });
        clock.Fire();
        clock.Fire();
        Assert.Equal((2, 2), (app.Monitor.LastTick, log.Thrown));
    }

    [Fact]
    public async Task While_a_handler_runs_there_is_no_further_tick()
    {
        var clock = new MonitorsClock();
        await using MonitoredApp app = await MonitoredApp.StartAsync(clock: clock);
        int entered = 0;
        using var inside = new ManualResetEventSlim();
        using var leave = new ManualResetEventSlim();
        app.Monitor.Ticked += _ =>
        {
            Interlocked.Increment(ref entered);
            inside.Set();
            leave.WaitPatiently();
        };
        await app.Pool.RunAsync(static () => { });
        Thread slow = Patience.OnOwnThread(clock.Fire);
        inside.WaitPatiently();
        int set = clock.TimesSet;
        for (int i = 1; i <= 2; i++)
        {
            Thread further = Patience.OnOwnThread(clock.Fire);
            await Patience.UntilAsync(() => !further.IsAlive || Volatile.Read(ref entered) > 1);
            Assert.Equal((1, 1, set + i), (Volatile.Read(ref entered), app.Monitor.LastTick, clock.TimesSet));
        }
        leave.Set();
        slow.JoinPatiently();
        clock.Fire();
        Assert.Equal((2, 2), (entered, app.Monitor.LastTick));
    }

    [Fact]
    public async Task An_item_is_recorded_with_its_worker_its_route_its_times_and_its_outcome()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync(map: static app =>
            app.MapGet("/work/{id}", static (int id) => id).RunOnPool());
        using HttpClient client = app.Client();
        Assert.Equal("7", await client.GetStringAsync("/work/7", TestContext.Current.CancellationToken));
        app.Tick();

        Dashboard.Recording.RecordedItem item = Assert.Single(app.History.LatestItems);
        Assert.Equal(("cpu", 0, 1), (item.Pool, item.Worker, item.Count));
        Assert.Equal("/work/{id}", item.Origin);
        Assert.Equal(WorkOutcome.Completed, item.Outcome);
        Assert.True(item.EnqueuedAt <= item.StartedAt && item.StartedAt <= item.EndedAt);
        Assert.Equal(app.Clock!.GetUtcNow().ToUnixTimeMilliseconds() - 1000, app.History.Records.Time.ToUnixMilliseconds(item.EndedAt), 3.0);
    }

    /// <summary>A clock that stands still. The test fires the monitor's timer, on its own thread.</summary>
    private sealed class MonitorsClock() : FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000))
    {
        private readonly ManualTimer _timer = new();

        public bool FailsNext { get; set; }

        /// <summary>How many times the monitor's timer was set.</summary>
        public int TimesSet => _timer.TimesSet;

        public void Fire() => _timer.Fire();

        public override DateTimeOffset GetUtcNow()
        {
            if (!FailsNext) return base.GetUtcNow();
            FailsNext = false;
            throw new InvalidOperationException("as asked");
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            state is PoolMonitor ? _timer.CreateTimer(callback, state, dueTime, period) : base.CreateTimer(callback, state, dueTime, period);
    }
}
