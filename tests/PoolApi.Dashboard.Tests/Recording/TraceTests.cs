using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using PoolApi.Dashboard.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Tests.Recording;

/// <summary>GET trace returns what the workers did, in a form that any viewer of trace events shows.</summary>
public class TraceTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_trace_has_nested_slices_paired_flows_and_the_busy_time_of_each_worker()
    {
        // With a listener each item is measured and has a record of its own. Without one, a short item may share the record of others.
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Meter.Name == FixedThreadPool.MeterName) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.Start();
        await using MonitoredApp app = await StartAsync(workers: 3, fakeClock: false);
        await Task.WhenAll(Enumerable.Range(0, 300).Select(i => (i % 3) switch
        {
            0 => app.Pool.RunAsync(static () => Thread.Sleep(20), options: new WorkOptions(kind: "sleep")).AsTask(),
            1 => app.Pool.RunAsync(static () => Spin(300), options: new WorkOptions(kind: "spin", origin: "/spin")).AsTask(),
            _ => app.Pool.RunAsync(static async () =>
            {
                Spin(100);
                await Task.Delay(1, CancellationToken.None);
                Spin(100);
            }, options: new WorkOptions(kind: "await")).AsTask(),
        }));

        // A worker records an item a moment after it has completed the caller's task.
        DecodedTrace trace = await ReadAsync(app);
        await Patience.UntilAsync(async () => (trace = await ReadAsync(app)).Starts.Count >= 297, "all items are recorded");
        PoolSnapshot pool = app.Pool.GetSnapshot();
        decimal busy = 0;
        foreach (WorkerSnapshot worker in pool.Workers)
        {
            decimal traced = trace.On(worker.Name).Sum(static s => s.To - s.From) / 1_000_000;
            busy += traced;
            // Within 10 % and 0.25 s: the kernel may preempt a thread between two readings of the clock, on a busy machine for long.
            Assert.InRange(traced, ((decimal)worker.BusyTime.TotalSeconds * 0.9m) - 0.25m, ((decimal)worker.BusyTime.TotalSeconds * 1.1m) + 0.25m);
        }
        Assert.True(busy > 0);
        Assert.Equal(100, trace.Slices.Count(static s => s.Name == "sleep" && s.Args.GetValueOrDefault("form") == "Item"));
        Assert.Equal(100, trace.Slices.Count(static s => s.Name == "spin" && s.Args.GetValueOrDefault("route") == "/spin"));
        // If the delay ends before the item awaits it, the item has one piece. By its worker's clock, a continuation may start before its item.
        Assert.InRange(trace.Slices.Count(static s => s.Name == "await" && s.Args.GetValueOrDefault("form") == "LastPiece" && s.Args["outcome"] == "Completed"), 97, 100);
        Assert.InRange(trace.Starts.Count, 297, 303);
    }

    [Fact]
    public async Task A_request_is_shown_with_its_route_its_trace_id_and_its_waiting_time()
    {
        await using MonitoredApp app = await StartAsync(map: static app => app.MapGet("/work/{id}", static (int id) => id).RunOnPool());
        using HttpClient client = app.Client();
        // The server creates an activity for a request only if there is a listener.
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == "Microsoft.AspNetCore",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
        };
        ActivitySource.AddActivityListener(listener);
        ActivityTraceId trace = ActivityTraceId.CreateRandom();
        client.DefaultRequestHeaders.Add("traceparent", $"00-{trace}-{ActivitySpanId.CreateRandom()}-01");
        await client.GetStringAsync("/work/7", Cancel);

        DecodedTrace decoded = await ReadAsync(app);
        DecodedTrace.Slice slice = Assert.Single(decoded.On("cpu-0"));
        Assert.Equal("/work/{id}", slice.Args["route"]);
        Assert.Equal("Completed", slice.Args["outcome"]);
        Assert.Equal(trace.ToString(), slice.Args["traceId"]);
        Assert.Contains("waitedMs", slice.Args.Keys);
    }

    [Fact]
    public async Task A_running_item_is_shown_up_to_the_present()
    {
        await using MonitoredApp app = await StartAsync();
        using var go = new ManualResetEventSlim();
        using var runs = new ManualResetEventSlim();
        ValueTask work = app.Pool.RunAsync(
            () =>
            {
                runs.Set();
                go.Wait(CancellationToken.None);
            }, options: new WorkOptions(kind: "long"));
        runs.Wait(Cancel);
        app.Tick(3);
        DecodedTrace trace = await ReadAsync(app);
        go.Set();
        await work;

        DecodedTrace.Slice slice = Assert.Single(trace.On("cpu-0"));
        Assert.Equal(("long", "Running", 3_000_000m), (slice.Name, slice.Args["form"], slice.To - slice.From));
    }

    [Fact]
    public async Task Counters_have_a_point_for_each_second()
    {
        await using MonitoredApp app = await StartAsync();
        using var go = new ManualResetEventSlim();
        using var runs = new ManualResetEventSlim();
        Task[] work = [.. Enumerable.Range(0, 4).Select(_ => app.Pool.RunAsync(() =>
        {
            runs.Set();
            go.Wait(CancellationToken.None);
        }).AsTask())];
        runs.Wait(Cancel);
        app.Tick(3);
        DecodedTrace trace = await ReadAsync(app);
        go.Set();
        await Task.WhenAll(work);
        Assert.Equal([3, 3, 3], trace.Counters.Where(static c => c.Name == "queue").Select(static c => c.Values["normal"]));
    }

    [Fact]
    public async Task A_trace_of_an_app_that_did_nothing_is_valid()
    {
        await using MonitoredApp app = await StartAsync();
        Assert.Empty((await ReadAsync(app)).On("cpu-0"));
    }

    [Fact]
    public async Task Garbage_collections_have_a_track()
    {
        await using MonitoredApp app = await StartAsync(fakeClock: false);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.NotEmpty((await ReadAsync(app)).On("garbage collections"));
    }

    [Theory]
    [InlineData("seconds=0")]
    [InlineData("seconds=-5")]
    [InlineData("seconds=3601")]
    [InlineData("seconds=x")]
    [InlineData("seconds=NaN")]
    [InlineData("seconds=")]
    [InlineData("seconds=1&seconds=2")]
    [InlineData("format=proto")]
    public async Task A_query_that_is_out_of_its_range_is_refused(string query)
    {
        await using MonitoredApp app = await StartAsync();
        using HttpClient client = app.Client();
        using HttpResponseMessage answer = await client.GetAsync($"/pools/trace?{query}", Cancel);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Matches(" must be | may be given only once, as ", await answer.Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    public async Task Perfetto_s_own_format_has_the_same_events_in_half_the_bytes()
    {
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Meter.Name == FixedThreadPool.MeterName) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.Start();
        await using MonitoredApp app = await StartAsync(workers: 2);
        for (int i = 0; i < 200; i++)
        {
            if (i % 50 == 0) app.Tick();
            await app.Pool.RunAsync(static () => { }, options: new WorkOptions(kind: "sync", origin: "/v1/ä")).AsTask().Patiently();
            await app.Pool.RunAsync(static async () => await Task.Yield(), options: new WorkOptions(kind: "await")).AsTask().Patiently();
        }
        await Assert.ThrowsAsync<InvalidOperationException>(() => app.Pool.RunAsync(static () => throw new InvalidOperationException()).AsTask());
        app.Tick(2);
        // A few short items may share the record of others.
        await Patience.UntilAsync(async () => (await ReadAsync(app)).Starts.Count >= 395, "all items are recorded");

        byte[] json = await ReadBytesAsync(app, "json");
        byte[] proto = await ReadBytesAsync(app, "perfetto");

        DecodedTrace expected = DecodedTrace.Of(json);
        DecodedTrace actual = DecodedTrace.OfPerfetto(proto);
        Assert.Equal(expected.Origin, actual.Origin);
        Assert.Equal(expected.To, actual.To);
        Assert.Equal(Lines(expected), Lines(actual));
        Assert.NotEmpty(expected.Counters);
        Assert.InRange(proto.Length, 1, json.Length / 2);

        static string[] Lines(DecodedTrace trace) =>
        [
            // Garbage collections are on the system clock, which advances between the two responses.
            .. trace.Slices.Where(s => trace.TrackOf(s) != "app/garbage collections").Select(s => $"slice {trace.TrackOf(s)} {s} {string.Join(' ', s.Args.Select(static a => a.Key + '=' + a.Value))}")
                .Concat(trace.Starts.Select(static f => $"from {f}"))
                .Concat(trace.Ends.Select(static f => $"to {f}"))
                .Concat(trace.Instants.Select(static i => $"instant {i}"))
                .Concat(trace.Counters.SelectMany(static c => c.Values.Select(v => $"counter {c.Name} {c.At} {v.Key} {v.Value}")))
                .Order(StringComparer.Ordinal),
        ];
    }

    private static Task<MonitoredApp> StartAsync(int workers = 1, bool fakeClock = true, Action<WebApplication>? map = null) =>
        MonitoredApp.StartAsync(workers, fakeClock, map: app =>
        {
            app.MapPoolDashboard("/pools");
            map?.Invoke(app);
        });

    private static async Task<DecodedTrace> ReadAsync(MonitoredApp app)
    {
        using HttpClient client = app.Client();
        using HttpResponseMessage answer = await client.GetAsync("/pools/trace?seconds=300", Cancel);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        return DecodedTrace.Of(await answer.Content.ReadAsByteArrayAsync(Cancel));
    }

    private static async Task<byte[]> ReadBytesAsync(MonitoredApp app, string format)
    {
        using HttpClient client = app.Client();
        using HttpResponseMessage answer = await client.GetAsync($"/pools/trace?seconds=60&format={format}", Cancel);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.EndsWith(format == "json" ? ".json" : ".perfetto-trace", answer.Content.Headers.ContentDisposition?.FileName, StringComparison.Ordinal);
        return await answer.Content.ReadAsByteArrayAsync(Cancel);
    }

    private static void Spin(int microseconds)
    {
        long until = Stopwatch.GetTimestamp() + (Stopwatch.Frequency * microseconds / 1_000_000);
        while (Stopwatch.GetTimestamp() < until) Thread.SpinWait(1);
    }
}
