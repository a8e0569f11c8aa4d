using System.Net.ServerSentEvents;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Recording;
using PoolApi.Dashboard.Streams;
using PoolApi.Dashboard.Tests.Support;

namespace PoolApi.Dashboard.Tests;

/// <summary>A page that does not read costs a place in the last frames, and nothing else.</summary>
public sealed class FrameFeedTests
{
    [Fact]
    public async Task Who_reads_slowly_gets_each_frame_within_a_minute_and_after_that_a_snapshot()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using DashboardApp app = await DashboardApp.StartAsync();
        using var feed = new FrameFeed(PoolMonitor.Of(app.App.Services), new RunningJobs(app.App.Services, PoolMonitor.Of(app.App.Services)), "run", [], time);
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
        // 130 frames have come, and 120 are kept: the next of one that slept was dropped.
        Assert.Equal((FrameFeed.SnapshotEvent, "run-131"), await Told(asleep));
        Assert.Equal((FrameFeed.SnapshotEvent, "run-131"), await Told(slow));

        await asleep.DisposeAsync();
        await slow.DisposeAsync();
        Assert.Equal(1, feed.Watchers);

        static async Task<(string, string?)> Told(IAsyncEnumerator<SseItem<string>> of) => await NextAsync(of) is var item ? (item.EventType, item.EventId) : default;
    }

    [Fact]
    public async Task Who_comes_again_after_a_time_without_watchers_gets_each_second_and_each_piece_of_it()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync();
        using var feed = new FrameFeed(app.Monitor, new RunningJobs(app.Services, app.Monitor), "run", [], app.Clock!);
        await using (IAsyncEnumerator<SseItem<string>> first = Read(feed)) Assert.Equal("run-1", (await NextAsync(first)).EventId);
        app.Clock!.Advance(FrameFeed.Period);
        await Patience.UntilAsync(() => !feed.IsTicking, "That the timer rests");

        for (int second = 1; second <= 7; second++)
        {
            for (int item = 0; item < second; item++) await app.Pool.RunAsync(static () => { });
            app.Tick();
        }

        // A worker writes an item down a moment after it has told the caller.
        await Patience.UntilAsync(
            () =>
            {
                var items = new List<RecordedItem>();
                app.History.Recorder.Read(new RecordCursor(), items);
                return items.Sum(static item => item.Count) == 28;
            },
            "That all items are written down");
        await using IAsyncEnumerator<SseItem<string>> again = feed.ReadAsync("run-1", CancellationToken.None, DashboardApp.Token).GetAsyncEnumerator(DashboardApp.Token);
        SseItem<string> frame = await NextAsync(again);
        Assert.Equal((FrameFeed.FrameEvent, "run-2"), (frame.EventType, frame.EventId));
        JsonElement pool = Assert.Single(JsonDocument.Parse(frame.Data).RootElement.GetProperty("pools").EnumerateArray());
        Assert.Equal([1, 2, 3, 4, 5, 6, 7], pool.GetProperty("samples").EnumerateArray().Select(static s => s.GetProperty("accepted").GetDouble()).Where(static rate => rate > 0));
        Assert.Equal(28, pool.GetProperty("pieces").EnumerateArray().Sum(static p => p.TryGetProperty("count", out JsonElement count) ? count.GetInt32() : 1));
    }

    private static IAsyncEnumerator<SseItem<string>> Read(FrameFeed feed) =>
        feed.ReadAsync(null, CancellationToken.None, DashboardApp.Token).GetAsyncEnumerator(DashboardApp.Token);

    private static async Task<SseItem<string>> NextAsync(IAsyncEnumerator<SseItem<string>> of)
    {
        Assert.True(await of.MoveNextAsync());
        return of.Current;
    }
}
