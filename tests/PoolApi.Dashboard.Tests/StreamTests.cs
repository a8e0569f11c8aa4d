using System.Text.Json;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Tests;

/// <summary>The stream of the pools' page sends a snapshot, then changes. A client that reconnects misses nothing.</summary>
public sealed class StreamTests
{
    [Fact]
    public async Task The_stream_sends_a_snapshot_and_then_frames_with_busy_workers_and_ended_items()
    {
        await using DashboardApp app = await DashboardApp.StartAsync();
        await using EventReader events = await EventReader.OpenAsync(app.Client, "stream");
        JsonElement snapshot = (await events.NextAsync("snapshot")).Data;
        JsonElement pool = Assert.Single(snapshot.GetProperty("pools").EnumerateArray());
        Assert.Equal("cpu", pool.GetProperty("name").GetString());
        Assert.Equal(2, pool.GetProperty("workers").GetArrayLength());

        using var go = new ManualResetEventSlim();
        Task done = app.App.Services.GetRequiredService<FixedThreadPool>().RunAsync(() => go.Wait(DashboardApp.Token), options: new(kind: "held")).AsTask();
        JsonElement busy = (await events.NextAsync("frame", static f => Workers(f).Any(static w => w.GetProperty("state").GetString() == "busy"))).Data;
        Assert.Equal("held", Workers(busy).Single().GetProperty("kind").GetString());
        go.Set();
        await done;
        JsonElement ended = (await events.NextAsync("frame", static f => Pieces(f).Any())).Data;
        JsonElement piece = Pieces(ended).Single();
        Assert.Equal(("held", "completed"), (piece.GetProperty("kind").GetString(), piece.GetProperty("outcome").GetString()));
    }

    [Fact]
    public async Task A_client_that_reconnects_gets_the_missed_frames_or_a_snapshot_if_its_last_id_is_unknown()
    {
        await using DashboardApp app = await DashboardApp.StartAsync();
        string first;
        await using (EventReader events = await EventReader.OpenAsync(app.Client, "stream")) first = (await events.NextAsync("snapshot")).Id!;
        // Another client stays connected, so that the feed makes frames.
        await using EventReader other = await EventReader.OpenAsync(app.Client, "stream");
        await app.App.Services.GetRequiredService<FixedThreadPool>().RunAsync(static () => { }, options: new(kind: "between"));
        string last = (await other.NextAsync("frame", static f => Pieces(f).Any())).Id!;

        foreach (bool byQuery in (bool[])[false, true])
        {
            await using EventReader again = await EventReader.OpenAsync(app.Client, byQuery ? $"stream?after={first}" : "stream", byQuery ? null : first);
            var seen = new List<string>();
            bool found = false;
            while (!found && await again.NextAsync() is { } item)
            {
                if (item.Type == "status") continue;
                Assert.Equal("frame", item.Type); // no snapshot, so nothing is sent twice
                seen.Add(item.Id!);
                found = Pieces(item.Data).Any(static p => p.GetProperty("kind").GetString() == "between");
            }
            Assert.True(found);
            Assert.Contains(last, seen);
            Assert.Equal(seen.Select(Number), Enumerable.Range(0, seen.Count).Select(i => Number(first) + 1 + i));
        }
        foreach (string unknown in (string[])["0123456789ab-1", "x", $"{first[..^1]}999999"])
        {
            await using EventReader again = await EventReader.OpenAsync(app.Client, "stream", unknown);
            Assert.Equal("status", (await again.NextAsync())!.Value.Type);
            Assert.Equal("snapshot", (await again.NextAsync())!.Value.Type);
        }
    }

    [Fact]
    public async Task The_stream_ends_with_the_shutdown_status_when_the_app_stops()
    {
        await using DashboardApp app = await DashboardApp.StartAsync();
        await using EventReader events = await EventReader.OpenAsync(app.Client, "stream");
        await events.NextAsync("snapshot");
        Task stop = app.App.StopAsync(DashboardApp.Token);
        JsonElement status = (await events.NextAsync("shutdown")).Data;
        Assert.NotEqual("running", status.GetProperty("state").GetString());
        Assert.Equal("application", status.GetProperty("reason").GetString());
        Assert.Null(await events.NextAsync());
        await stop;
    }

    [Fact]
    public async Task At_most_256_streams_are_open_and_a_further_one_gets_503()
    {
        await using DashboardApp app = await DashboardApp.StartAsync();
        var open = new List<EventReader>();
        for (int i = 0; i < 256; i++) open.Add(await EventReader.OpenAsync(app.Client, "stream"));
        using HttpResponseMessage refused = await app.Client.GetAsync("stream", DashboardApp.Token);
        Assert.Equal(503, (int)refused.StatusCode);
        Assert.Equal("5", refused.Headers.RetryAfter?.ToString());
        foreach (EventReader one in open) await one.DisposeAsync();
    }

    [Fact]
    public async Task The_history_is_returned_as_JSON_and_a_wrong_query_is_refused()
    {
        await using DashboardApp app = await DashboardApp.StartAsync();
        Assert.Equal("cpu", (await app.ReadAsync("history?pool=cpu&seconds=60")).GetProperty("pools")[0].GetProperty("name").GetString());
        Assert.Equal(10, (await app.ReadAsync("history?seconds=3600")).GetProperty("stepSeconds").GetInt32());
        foreach ((string query, int status) in ((string, int)[])[("?seconds=0", 400), ("?seconds=3601", 400), ("?seconds=x", 400), ("?pool=gpu", 404)])
        {
            using HttpResponseMessage answer = await app.Client.GetAsync("history" + query, DashboardApp.Token);
            Assert.Equal((query, status), (query, (int)answer.StatusCode));
        }
        Assert.False((await app.ReadAsync("status")).GetProperty("jobs").GetBoolean());
        using HttpResponseMessage jobs = await app.Client.GetAsync("jobs/list", DashboardApp.Token);
        Assert.Equal(404, (int)jobs.StatusCode);
    }

    private static int Number(string id) => int.Parse(id[(id.IndexOf('-', StringComparison.Ordinal) + 1)..], System.Globalization.CultureInfo.InvariantCulture);

    private static IEnumerable<JsonElement> Workers(JsonElement frame) => All(frame, "workers");

    private static IEnumerable<JsonElement> Pieces(JsonElement frame) => All(frame, "pieces");

    private static IEnumerable<JsonElement> All(JsonElement frame, string name) => frame.GetProperty("pools").EnumerateArray()
        .SelectMany(pool => pool.TryGetProperty(name, out JsonElement all) ? all.EnumerateArray().ToArray() : []);
}
