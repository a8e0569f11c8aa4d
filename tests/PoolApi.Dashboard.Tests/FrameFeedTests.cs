using System.Net.ServerSentEvents;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Recording;
using PoolApi.Dashboard.Streams;
using PoolApi.Dashboard.Tests.Support;

namespace PoolApi.Dashboard.Tests;

/// <summary>A slow watcher costs only a position in the kept frames. The feed continues after failed frames and clock changes.</summary>
public sealed class FrameFeedTests
{
    [Fact]
    public async Task A_slow_reader_gets_each_frame_of_the_last_minute_and_a_snapshot_beyond_that()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using DashboardApp app = await DashboardApp.StartAsync();
        using var feed = new FrameFeed(PoolMonitor.Of(app.App.Services), new RunningJobs(app.App.Services, PoolMonitor.Of(app.App.Services)), "run", [], time, NullLogger<FrameFeed>.Instance);
        await using IAsyncEnumerator<SseItem<string>> steady = Read(feed), asleep = Read(feed), slow = Read(feed);
        foreach (IAsyncEnumerator<SseItem<string>> one in (IAsyncEnumerator<SseItem<string>>[])[steady, asleep, slow])
            Assert.Equal(FrameFeed.SnapshotEvent, (await NextAsync(one)).EventType);
        Assert.Equal(3, feed.Watchers);

        for (int frame = 2; frame <= 131; frame++)
        {
            ValueTask<bool> next = steady.MoveNextAsync();
            time.Advance(FrameFeed.Period);
            Assert.True(await next);
            Assert.Equal((FrameFeed.FrameEvent, $"run-{frame}"), (steady.Current.EventType, steady.Current.EventId));
            if (frame == 20) Assert.Equal("run-2", (await NextAsync(slow)).EventId);
        }
        // Of 130 frames the last 120 are kept, so the next frame of both slow readers was dropped.
        Assert.Equal((FrameFeed.SnapshotEvent, "run-131"), await NextEventAsync(asleep));
        Assert.Equal((FrameFeed.SnapshotEvent, "run-131"), await NextEventAsync(slow));

        await asleep.DisposeAsync();
        await slow.DisposeAsync();
        Assert.Equal(1, feed.Watchers);

        static async Task<(string, string?)> NextEventAsync(IAsyncEnumerator<SseItem<string>> of) => await NextAsync(of) is var item ? (item.EventType, item.EventId) : default;
    }

    [Fact]
    public async Task A_page_that_reconnects_gets_every_sample_and_piece_from_the_time_without_watchers()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync();
        using var feed = new FrameFeed(app.Monitor, new RunningJobs(app.Services, app.Monitor), "run", [], app.Clock!, NullLogger<FrameFeed>.Instance);
        await using (IAsyncEnumerator<SseItem<string>> first = Read(feed)) Assert.Equal("run-1", (await NextAsync(first)).EventId);
        app.Clock!.Advance(FrameFeed.Period);
        await Patience.UntilAsync(() => !feed.IsTicking, "the timer stops");

        for (int second = 1; second <= 7; second++)
        {
            for (int item = 0; item < second; item++) await app.Pool.RunAsync(static () => { });
            app.Tick();
        }

        await AreWrittenDownAsync(app, 28);
        await using IAsyncEnumerator<SseItem<string>> again = feed.ReadAsync("run-1", CancellationToken.None, DashboardApp.Token).GetAsyncEnumerator(DashboardApp.Token);
        SseItem<string> frame = await NextAsync(again);
        Assert.Equal((FrameFeed.FrameEvent, "run-2"), (frame.EventType, frame.EventId));
        JsonElement pool = Assert.Single(JsonDocument.Parse(frame.Data).RootElement.GetProperty("pools").EnumerateArray());
        Assert.Equal([1, 2, 3, 4, 5, 6, 7], pool.GetProperty("samples").EnumerateArray().Select(static s => s.GetProperty("accepted").GetDouble()).Where(static rate => rate > 0));
        Assert.Equal(28, pool.GetProperty("pieces").EnumerateArray().Sum(static p => p.TryGetProperty("count", out JsonElement count) ? count.GetInt32() : 1));
    }

    [Fact]
    public async Task After_failed_frames_a_watcher_gets_a_snapshot_and_the_failure_is_logged_once()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using DashboardApp app = await DashboardApp.StartAsync();
        var part = new FailingPart();
        using var log = new CapturingLog();
        PoolMonitor monitor = PoolMonitor.Of(app.App.Services);
        using var feed = new FrameFeed(monitor, new RunningJobs(app.App.Services, monitor), "run", [part], time, log.For<FrameFeed>());
        await using IAsyncEnumerator<SseItem<string>> steady = Read(feed);
        Assert.Equal("run-1", (await NextAsync(steady)).EventId);

        Task<bool> next = steady.MoveNextAsync().AsTask();
        part.Fails = 2;
        for (int left = 1; left >= 0; left--)
        {
            time.Advance(FrameFeed.Period);
            await Patience.UntilAsync(() => part.Fails == left);
        }
        time.Advance(FrameFeed.Period);
        Assert.True(await next.Patiently());
        Assert.Equal(FrameFeed.SnapshotEvent, steady.Current.EventType);
        Assert.Contains("\"part\":", steady.Current.Data, StringComparison.Ordinal);
        Assert.Single(log.With("A frame of the pools' page could not be made")); // logged once until a frame succeeds

        next = steady.MoveNextAsync().AsTask();
        time.Advance(FrameFeed.Period);
        Assert.True(await next.Patiently());
        Assert.Equal(FrameFeed.FrameEvent, steady.Current.EventType);
    }

    [Fact]
    public async Task The_feed_continues_after_a_failed_frame_even_if_the_log_throws()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using DashboardApp app = await DashboardApp.StartAsync();
        var part = new FailingPart();
        using var log = new ThrowingLog();
        PoolMonitor monitor = PoolMonitor.Of(app.App.Services);
        using var feed = new FrameFeed(monitor, new RunningJobs(app.App.Services, monitor), "run", [part], time, log.For<FrameFeed>());
        await using IAsyncEnumerator<SseItem<string>> steady = Read(feed);
        Assert.Equal("run-1", (await NextAsync(steady)).EventId);

        Task<bool> next = steady.MoveNextAsync().AsTask();
        part.Fails = 1;
        time.Advance(FrameFeed.Period);
        await Patience.UntilAsync(() => log.Thrown == 1, "the frame fails");
        time.Advance(FrameFeed.Period);
        Assert.True(await next.Patiently());
        Assert.Equal(FrameFeed.SnapshotEvent, steady.Current.EventType);
    }

    [Fact]
    public async Task A_client_that_connects_while_frames_fail_is_not_registered_and_a_later_one_is_served()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using DashboardApp app = await DashboardApp.StartAsync();
        var part = new FailingPart { Fails = 2 }; // the frame and the snapshot
        using var log = new CapturingLog();
        PoolMonitor monitor = PoolMonitor.Of(app.App.Services);
        using var feed = new FrameFeed(monitor, new RunningJobs(app.App.Services, monitor), "run", [part], time, log.For<FrameFeed>());
        await using (IAsyncEnumerator<SseItem<string>> early = Read(feed))
            await Assert.ThrowsAsync<InvalidOperationException>(async () => await early.MoveNextAsync());
        Assert.Equal(0, feed.Watchers);

        await using IAsyncEnumerator<SseItem<string>> later = Read(feed);
        Assert.Equal(FrameFeed.SnapshotEvent, (await NextAsync(later)).EventType);
        Task<bool> next = later.MoveNextAsync().AsTask();
        time.Advance(FrameFeed.Period);
        Assert.True(await next.Patiently());
        // It is a snapshot if the first frame is made only now.
        Assert.Contains(later.Current.EventType, (string[])[FrameFeed.FrameEvent, FrameFeed.SnapshotEvent]);
    }

    [Theory]
    [InlineData(-10)]
    [InlineData(10)]
    public async Task The_page_loses_no_sample_and_no_piece_when_the_system_clock_is_set(int minutes)
    {
        var clock = new SettableClock();
        await using MonitoredApp app = await MonitoredApp.StartAsync(clock: clock);
        using var feed = new FrameFeed(app.Monitor, new RunningJobs(app.Services, app.Monitor), "run", [], clock, NullLogger<FrameFeed>.Instance);
        await using IAsyncEnumerator<SseItem<string>> steady = Read(feed);
        await NextAsync(steady);
        await DoAsync(1);
        await SeeAsync();

        clock.SetBy = TimeSpan.FromMinutes(minutes);
        await using (IAsyncEnumerator<SseItem<string>> fresh = Read(feed))
            Assert.Equal(1, Pool((await NextAsync(fresh)).Data).GetProperty("pieces").GetArrayLength());
        await DoAsync(2);
        await SeeAsync();

        static JsonElement Pool(string frame) => Assert.Single(JsonDocument.Parse(frame).RootElement.GetProperty("pools").EnumerateArray());

        async Task DoAsync(int all)
        {
            await app.Pool.RunAsync(static () => { });
            await AreWrittenDownAsync(app, all);
            app.Tick();
        }

        // The ended item must be in a piece and in the sample of its second.
        async Task SeeAsync()
        {
            double accepted = 0;
            int pieces = 0;
            for (int frame = 0; frame < 20 && (accepted == 0 || pieces == 0); frame++)
            {
                Task<bool> next = steady.MoveNextAsync().AsTask();
                clock.Advance(FrameFeed.Period);
                Assert.True(await next.Patiently());
                JsonElement pool = Pool(steady.Current.Data);
                if (pool.TryGetProperty("samples", out JsonElement samples)) accepted += samples.EnumerateArray().Sum(static sample => sample.GetProperty("accepted").GetDouble());
                if (pool.TryGetProperty("pieces", out JsonElement newPieces)) pieces += newPieces.GetArrayLength();
            }
            Assert.Equal(1, pieces);
            Assert.True(accepted > 0);
        }
    }

    /// <summary>A worker records an item a moment after it has completed the caller's task.</summary>
    private static Task AreWrittenDownAsync(MonitoredApp app, int all) => Patience.UntilAsync(
        () =>
        {
            var items = new List<RecordedItem>();
            app.History.Records.Read(new RecordCursor(), items);
            return items.Sum(static item => item.Count) == all;
        },
        "all items are recorded");

    private static IAsyncEnumerator<SseItem<string>> Read(FrameFeed feed) =>
        feed.ReadAsync(null, CancellationToken.None, DashboardApp.Token).GetAsyncEnumerator(DashboardApp.Token);

    private static async Task<SseItem<string>> NextAsync(IAsyncEnumerator<SseItem<string>> of)
    {
        Assert.True(await of.MoveNextAsync());
        return of.Current;
    }

    /// <summary>A clock whose time of day the test sets. Its timestamps ignore that, as a machine's do.</summary>
    private sealed class SettableClock() : FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000))
    {
        public TimeSpan SetBy { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + SetBy;

        public override long GetTimestamp() => base.GetUtcNow().Ticks;
    }

    private sealed class FailingPart : IFeedPart
    {
        private int _fails;
        private long _version;

        /// <summary>How many of the next writes fail.</summary>
        public int Fails
        {
            get => Volatile.Read(ref _fails);
            set
            {
                Volatile.Write(ref _fails, value);
                Interlocked.Increment(ref _version);
            }
        }

        public long Version => Volatile.Read(ref _version);

        public void Write(Utf8JsonWriter json)
        {
            if (Fails > 0)
            {
                Interlocked.Decrement(ref _fails);
                throw new InvalidOperationException("as asked");
            }
            json.WriteNumber("part", Version);
        }
    }
}
