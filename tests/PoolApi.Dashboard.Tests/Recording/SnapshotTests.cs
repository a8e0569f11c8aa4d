using System.Diagnostics;
using System.Globalization;
using System.Net;
using PoolApi.Dashboard.Tests.Support;
using PoolApi.Dashboard.Traces;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Tests.Recording;

/// <summary>A fault, such as a stuck worker or an unclean stop, leaves a trace of the seconds before it.</summary>
public sealed class SnapshotTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _directory;

    public SnapshotTests() => _directory = _folder.File("snapshots");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_stuck_worker_triggers_a_snapshot_that_shows_its_item()
    {
        await using MonitoredApp app = await StartAsync(pool: static o => o.StuckAfter = TimeSpan.FromSeconds(5));
        using var item = new Held(app, "hang", "/hang");
        app.Tick(5);
        Assert.Empty(await ListAsync(app));
        app.Tick(2);

        (string trigger, string detail, DecodedTrace trace) = Assert.Single(await ListAsync(app));
        Assert.Equal("stuck", trigger);
        Assert.Contains("cpu-0 has been running hang (/hang) for", detail, StringComparison.Ordinal);
        DecodedTrace.Slice slice = Assert.Single(trace.On("cpu-0"));
        Assert.Equal(("hang", "Stuck", "/hang"), (slice.Name, slice.Args["state"], slice.Args["route"]));
        Assert.Equal(trace.End, slice.To); // the item still runs at the end of the trace

        app.Tick(10);
        Assert.Single(await ListAsync(app)); // one snapshot for each time that a worker is stuck
    }

    [Fact]
    public async Task An_expired_item_triggers_a_snapshot_that_shows_the_item_that_held_the_worker()
    {
        await using MonitoredApp app = await StartAsync();
        using var item = new Held(app, "hog", "/hog");
        Task late = app.Pool.RunAsync(static () => { }, options: new WorkOptions(kind: "late", origin: "/late", maxQueueTime: TimeSpan.FromSeconds(2))).AsTask();
        app.Tick(3);
        await Assert.ThrowsAsync<WorkRejectedException>(() => late);

        (string trigger, string detail, DecodedTrace trace) = Assert.Single(await ListAsync(app));
        Assert.Equal(("expiry", "cpu: 1 expired in the queue"), (trigger, detail));
        DecodedTrace.Slice expired = Assert.Single(trace.On("ended without a worker"));
        Assert.Equal(("Expired late", "/late"), (expired.Name, expired.Args["route"]));
        Assert.InRange(trace.End - expired.To, 0, 1_500_000);
        DecodedTrace.Slice hog = Assert.Single(trace.On("cpu-0"));
        Assert.True(hog.Name == "hog" && hog.From <= expired.From && expired.To <= hog.To);
        Assert.Equal(2, trace.Starts.Count(s => s.At <= expired.From) + trace.On("cpu-0").Count(static s => s.Args["form"] == "Running"));
    }

    [Fact]
    public async Task An_unclean_stop_triggers_a_snapshot_that_shows_its_phases_and_the_abandoned_item()
    {
        await using MonitoredApp app = await StartAsync(fakeClock: false, settings: new()
        {
            ["PoolShutdown:Drain"] = "00:00:00.1",
            ["PoolShutdown:Cancel"] = "00:00:00.1",
        }, directory: _directory);
        using var item = new Held(app, "deaf", "/deaf");
        int before = Environment.ExitCode;
        try
        {
            await app.StopAsync();
        }
        finally
        {
            Environment.ExitCode = before; // the exit code is that of the test run
        }

        Assert.Contains(", cpu-0 has been running deaf (/deaf) for ", Assert.Single(SnapshotsOf(app).All).Detail, StringComparison.Ordinal);
        await SnapshotsOf(app).Written.Patiently();
        string file = Assert.Single(Directory.GetFiles(_directory));
        Assert.EndsWith(".json.gz", file, StringComparison.Ordinal);
        Assert.Contains("unclean-stop", file, StringComparison.Ordinal);
        var trace = DecodedTrace.OfGzip(await File.ReadAllBytesAsync(file, Cancel));
        Assert.Equal(["draining", "cancelling", "joining", "flushing"], trace.Instants.Select(static i => i.Name));
        DecodedTrace.Slice slice = Assert.Single(trace.On("cpu-0"));
        Assert.Equal(("deaf", "Running"), (slice.Name, slice.Args["form"]));
        Assert.True(trace.Instants[^1].At < slice.To);
        DecodedTrace.Slice end = Assert.Single(trace.On("ended without a worker"));
        Assert.Equal("Abandoned deaf", end.Name);
    }

    [Fact]
    public async Task A_clean_stop_triggers_no_snapshot()
    {
        await using MonitoredApp app = await StartAsync(fakeClock: false, directory: _directory);
        await app.Pool.RunAsync(static () => { });
        await app.StopAsync();
        Assert.Empty(SnapshotsOf(app).All);
        await SnapshotsOf(app).Written.Patiently();
        Assert.Empty(Directory.GetFiles(_directory));
    }

    [Fact]
    public async Task Overload_triggers_one_snapshot_per_cooldown()
    {
        await using MonitoredApp app = await StartAsync(pool: static o => (o.QueueCapacity, o.MaxQueueTime) = (1, Timeout.InfiniteTimeSpan));
        using var item = new Held(app, "hog", "/hog");
        Task waits = app.Pool.RunAsync(static () => { }).AsTask();
        for (int second = 0; second < 60; second++)
        {
            await Assert.ThrowsAsync<WorkRejectedException>(async () => await app.Pool.RunAsync(static () => { }));
            app.Tick();
        }
        Assert.Equal("overload", Assert.Single(await ListAsync(app)).Trigger);
        await Assert.ThrowsAsync<WorkRejectedException>(async () => await app.Pool.RunAsync(static () => { }));
        app.Tick();
        Assert.Equal(2, (await ListAsync(app)).Count(static s => s.Trigger == "overload")); // besides that of the worker, which is stuck by now
        item.Dispose();
        await waits;
    }

    [Fact]
    public async Task An_item_slower_than_the_limit_triggers_a_snapshot_and_a_faster_one_does_not()
    {
        await using MonitoredApp app = await StartAsync(slow: TimeSpan.FromSeconds(3));
        using (var item = new Held(app, "quick", null)) app.Tick(2);
        await app.Pool.RunAsync(static () => { });
        app.Tick();
        Assert.Empty(await ListAsync(app));
        using (var item = new Held(app, "slow", "/slow")) app.Tick(4);
        await app.Pool.RunAsync(static () => { }); // then the item before is recorded
        app.Tick();
        (string trigger, string detail, DecodedTrace trace) = Assert.Single(await ListAsync(app));
        Assert.Equal("slow-item", trigger);
        Assert.Contains("slow (/slow) took 4 s", detail, StringComparison.Ordinal);
        Assert.Equal(4_000_000m, trace.On("cpu-0").Where(static s => s.Name == "slow").Select(static s => s.To - s.From).Single());
    }

    [Fact]
    public async Task Ten_snapshots_are_kept_in_memory_and_on_disk_and_rare_triggers_longest()
    {
        await using MonitoredApp app = await StartAsync(
            pool: static o =>
            {
                o.QueueCapacity = 1;
                o.StuckAfter = TimeSpan.FromSeconds(1);
            }, cooldown: TimeSpan.FromSeconds(1), directory: _directory);
        using var item = new Held(app, "hog", "/hog");
        Task waits = app.Pool.RunAsync(static () => { }).AsTask();
        for (int second = 0; second < 15; second++)
        {
            await Assert.ThrowsAsync<WorkRejectedException>(async () => await app.Pool.RunAsync(static () => { }));
            app.Tick();
        }
        string[] triggers = [.. (await ListAsync(app)).Select(static s => s.Trigger)];
        Assert.Equal(10, triggers.Length);
        Assert.Single(triggers, "stuck"); // taken in the first seconds
        await SnapshotsOf(app).Written.Patiently();
        Assert.Equal(10, Directory.GetFiles(_directory, "*.json.gz").Length);
        item.Dispose();
        await waits;
    }

    [Theory]
    // The oldest files of the most frequent trigger are deleted, so that the only file of an unclean stop stays.
    [InlineData(1, 12, "20260101T000001Z-overload-1 20260101T000002Z-overload-2 20260101T000003Z-overload-3 20260101T000004Z-overload-4")]
    // The new file counts too, which makes its trigger the most frequent.
    [InlineData(5, 5, "20260101T000001Z-overload-1")]
    public async Task Snapshot_files_of_earlier_processes_count_towards_the_limit_and_other_files_stay(int stops, int overloads, string deleted)
    {
        Directory.CreateDirectory(_directory);
        string[] names =
        [
            .. Enumerable.Range(1, stops).Select(static i => $"20250101T0000{i:D2}Z-unclean-stop-{i}.json.gz"),
            .. Enumerable.Range(1, overloads).Select(static i => $"20260101T0000{i:D2}Z-overload-{i}.json.gz"),
            "mine.json.gz", "mine.json.gz.tmp", "notes.txt",
        ];
        string unfinished = Path.Combine(_directory, "20260101T000100Z-overload-20.json.gz.tmp"); // of a process that ended during the write
        await File.WriteAllTextAsync(unfinished, "", Cancel);
        foreach (string name in names) await File.WriteAllTextAsync(Path.Combine(_directory, name), "", Cancel);
        await using MonitoredApp app = await StartAsync(pool: static o => (o.QueueCapacity, o.MaxQueueTime) = (1, Timeout.InfiniteTimeSpan), directory: _directory);
        using var item = new Held(app, "hog", "/hog");
        Task waits = app.Pool.RunAsync(static () => { }).AsTask();
        await Assert.ThrowsAsync<WorkRejectedException>(async () => await app.Pool.RunAsync(static () => { }));
        app.Tick();
        Assert.Equal("overload", Assert.Single(await ListAsync(app)).Trigger);

        await SnapshotsOf(app).Written.Patiently();
        Assert.False(File.Exists(unfinished));
        string[] kept = [.. Directory.GetFiles(_directory).Select(static path => Path.GetFileName(path))];
        Assert.Equal(deleted.Split(' '), names.Except(kept).Select(static name => name.Replace(".json.gz", "", StringComparison.Ordinal)));
        Assert.EndsWith("-overload-1.json.gz", Assert.Single(kept.Except(names)), StringComparison.Ordinal); // although this app's clock is behind
        item.Dispose();
        await waits;
    }

    [Fact]
    public async Task A_hanging_disk_blocks_no_tick_and_the_snapshots_stay_in_memory()
    {
        using var log = new CapturingLog();
        await using MonitoredApp app = await StartAsync(cooldown: TimeSpan.FromSeconds(1), directory: _directory, log: log);
        string[] pipes = await HangAsync(app.Clock!.GetUtcNow(), 2, "overload");
        using var item = new Held(app, "hog", "/hog");
        try
        {
            Thread ticks = Patience.OnOwnThread(() =>
            {
                for (int second = 0; second < 12; second++)
                {
                    ((IPoolAdmission)app.Pool).CountRejected("queue_full");
                    app.Tick();
                }
            });
            ticks.JoinPatiently();
            Assert.Equal(12, app.Monitor.LastTick);
            Assert.Equal(10, (await ListAsync(app)).Count);
            Assert.False(SnapshotsOf(app).Written.IsCompleted);
            // Ten snapshots wait for the disk. The log reports that each further one is not written.
            string[] lost = log.With("The snapshot could not be written to ");
            Assert.Equal(2, lost.Length);
            Assert.All(lost, static line => Assert.EndsWith("10 earlier snapshots are not written yet", line, StringComparison.Ordinal));
        }
        finally
        {
            Release(pipes);
        }
        await SnapshotsOf(app).Written.Patiently();
        Assert.InRange(Directory.GetFiles(_directory, "*.json.gz").Length, 9, 10); // the write of the first may have failed
    }

    [Fact]
    public async Task An_unclean_stop_ends_even_if_the_disk_hangs()
    {
        await using MonitoredApp app = await StartAsync(fakeClock: false, settings: new()
        {
            ["PoolShutdown:Drain"] = "00:00:00.1",
            ["PoolShutdown:Cancel"] = "00:00:00.1",
        }, directory: _directory);
        using var item = new Held(app, "deaf", "/deaf");
        string[] pipes = await HangAsync(DateTimeOffset.UtcNow, 600, "unclean-stop");
        int before = Environment.ExitCode;
        try
        {
            await app.StopAsync().Patiently();
            Assert.Equal("unclean-stop", Snapshots.Word(Assert.Single(SnapshotsOf(app).All).Trigger));
            Assert.False(SnapshotsOf(app).Written.IsCompleted);
        }
        finally
        {
            Environment.ExitCode = before; // the exit code is that of the test run
            Release(pipes);
        }
        await SnapshotsOf(app).Written.Patiently();
    }

    [Theory]
    [InlineData("gzip, deflate, br", true)]
    [InlineData("br, GZIP;q=0.5", true)]
    [InlineData("gzip;q=0, identity", false)]
    [InlineData("deflate", false)]
    public async Task A_snapshot_is_compressed_for_a_client_that_accepts_gzip(string accepted, bool isCompressed)
    {
        await using MonitoredApp app = await StartAsync();
        using var item = new Held(app, "hog", "/hog");
        ((IPoolAdmission)app.Pool).CountRejected("queue_full");
        app.Tick();
        using HttpClient client = app.Client();
        string id = Assert.Single(SnapshotsOf(app).All).Id;
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/pools/snapshots/{id}") { Headers = { { "Accept-Encoding", accepted } } };
        using HttpResponseMessage answer = await client.SendAsync(request, Cancel);
        byte[] body = await answer.Content.ReadAsByteArrayAsync(Cancel);
        string[] coding = isCompressed ? ["gzip"] : [];
        Assert.Equal(coding, answer.Content.Headers.ContentEncoding);
        DecodedTrace trace = isCompressed ? DecodedTrace.OfGzip(body) : DecodedTrace.Of(body);
        Assert.Equal("hog", Assert.Single(trace.On("cpu-0")).Name);
    }

    [Fact]
    public async Task A_snapshot_that_is_not_there_is_not_found()
    {
        await using MonitoredApp app = await StartAsync();
        using HttpClient client = app.Client();
        using HttpResponseMessage answer = await client.GetAsync("/pools/snapshots/none", Cancel);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    [Theory]
    [InlineData("slow")]
    [InlineData("cooldown")]
    [InlineData("directory")]
    public async Task An_option_out_of_its_range_fails_the_start(string option)
    {
        string file = _folder.File("file");
        await File.WriteAllTextAsync(file, "", Cancel);
        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => option switch
        {
            "slow" => StartAsync(slow: TimeSpan.Zero),
            "cooldown" => StartAsync(cooldown: TimeSpan.Zero),
            _ => StartAsync(directory: Path.Combine(file, "below")), // below a file
        });
        Assert.Contains("PoolDashboardOptions.", fault.Message, StringComparison.Ordinal);
    }

    private static Task<MonitoredApp> StartAsync(
        bool fakeClock = true, Action<AspNetCore.PoolOptions>? pool = null, TimeSpan? slow = null, TimeSpan? cooldown = null, string? directory = null,
        Dictionary<string, string?>? settings = null, ILoggerProvider? log = null) =>
        MonitoredApp.StartAsync(fakeClock: fakeClock, pool: pool, settings: settings, log: log, map: app => app.MapPoolDashboard("/pools", o =>
        {
            o.SlowItem = slow;
            o.SnapshotDirectory = directory;
            if (cooldown is { } time) o.SnapshotCooldown = time;
        }));

    /// <summary>The snapshots of the app, which a later mapping shares.</summary>
    private static Snapshots SnapshotsOf(MonitoredApp app) => TraceSetup.Start(app.Services, app.Monitor, new PoolDashboardOptions());

    /// <summary>
    /// Makes the write of the first snapshot hang, if it is taken within the given seconds: in the place of its file there is a pipe without
    /// a reader.
    /// </summary>
    /// <returns>The pipes, for <see cref="Release"/>.</returns>
    private async Task<string[]> HangAsync(DateTimeOffset since, int seconds, string trigger)
    {
        string[] pipes = [.. Enumerable.Range(0, seconds).Select(second => Path.Combine(
            _directory, since.AddSeconds(second).ToString(Snapshots.TimeFormat, CultureInfo.InvariantCulture) + $"-{trigger}-1.json.gz.tmp"))];
        (await ProgramRun.ToEndAsync(new ProcessStartInfo("mkfifo", pipes), Patience.Long)).MustSucceed();
        return pipes;
    }

    private static void Release(string[] pipes)
    {
        foreach (string pipe in pipes)
        {
            try
            {
                // An open for reading and writing does not wait for the other side.
                new FileStream(pipe, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite).Dispose();
            }
            catch (FileNotFoundException)
            {
                // The first writer that continues deletes the remaining pipes.
            }
        }
    }

    /// <summary>The snapshots as a client reads them, oldest first.</summary>
    private static async Task<List<(string Trigger, string Detail, DecodedTrace Trace)>> ListAsync(MonitoredApp app)
    {
        using HttpClient client = app.Client();
        using var list = System.Text.Json.JsonDocument.Parse(await client.GetStringAsync("/pools/snapshots", Cancel));
        var all = new List<(string, string, DecodedTrace)>();
        foreach (System.Text.Json.JsonElement one in list.RootElement.GetProperty("snapshots").EnumerateArray().Reverse())
        {
            byte[] plain = await client.GetByteArrayAsync($"/pools/snapshots/{one.GetProperty("id").GetString()}", Cancel);
            all.Add((one.GetProperty("trigger").GetString()!, one.GetProperty("detail").GetString()!, DecodedTrace.Of(plain)));
        }
        return all;
    }

    /// <summary>An item that holds the worker until it is disposed of, and ignores its cancellation.</summary>
    private sealed class Held : IDisposable
    {
        private readonly ManualResetEventSlim _go = new();

        public Held(MonitoredApp app, string kind, string? origin)
        {
            using var runs = new ManualResetEventSlim();
            app.Pool.Post(
                () =>
                {
                    runs.Set();
                    _go.Wait(CancellationToken.None);
                }, options: new WorkOptions(kind: kind, origin: origin));
            runs.Wait(Cancel);
        }

        public void Dispose() => _go.Set();
    }
}
