using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests.Telemetry;

/// <summary>A traced request has a span for its time in the queue and one for its time on a worker; without a listener it has none.</summary>
/// <remarks>A listener applies to the whole process. No other test of this program listens to this source.</remarks>
public sealed class SpanTests
{
    private static readonly ActivitySource Own = new("SpanTests");

    private readonly ConcurrentQueue<Activity> _ended = new();
    private readonly ActivityTraceId _trace = ActivityTraceId.CreateRandom();
    private readonly ActivitySpanId _client = ActivitySpanId.CreateRandom();

    [Theory]
    [InlineData("/sync")]
    [InlineData("/async")]
    public async Task A_request_has_a_wait_span_and_a_run_span_that_contains_the_handlers_spans(string path)
    {
        using ActivityListener listener = Listen();
        await using TestApp app = await StartAsync();

        await GetAsync(app, path);

        Activity server = Single("Microsoft.AspNetCore"), own = Single("SpanTests");
        Activity[] spans = Spans();
        Assert.Equal(["wait cpu", "run " + path.Trim('/')], spans.Select(static s => s.OperationName));
        Assert.All(spans, span =>
        {
            Assert.Equal((_trace, server.SpanId), (span.TraceId, span.ParentSpanId));
            Assert.Equal(("cpu", path.Trim('/')), (span.GetTagItem("pool"), span.GetTagItem("kind")));
        });
        Assert.Equal(("cpu-0", "completed"), (spans[1].GetTagItem("worker"), spans[1].GetTagItem("outcome")));
        Assert.Equal(spans[1].StartTimeUtc, spans[0].StartTimeUtc + spans[0].Duration);
        Assert.Equal(spans[1].SpanId, own.ParentSpanId);
        Assert.Equal(ActivityStatusCode.Unset, spans[1].Status);
    }

    [Fact]
    public async Task The_span_of_a_failed_run_has_the_type_of_the_error()
    {
        using ActivityListener listener = Listen();
        await using TestApp app = await StartAsync();

        await Assert.ThrowsAsync<InvalidOperationException>(() => GetAsync(app, "/fails"));

        Activity run = Spans()[1];
        Assert.Equal(("failed", "System.InvalidOperationException", ActivityStatusCode.Error), (run.GetTagItem("outcome"), run.GetTagItem("error.type"), run.Status));
    }

    [Fact]
    public async Task A_request_that_never_runs_has_only_a_wait_span_with_its_outcome()
    {
        using ActivityListener listener = Listen();
        using var leave = new SemaphoreSlim(0);
        await using TestApp app = await StartAsync(leave);
        Task<string> blocks = app.Client.GetStringAsync("/blocks", TestApp.Token);
        await Patience.UntilAsync(() => app.Pool.GetSnapshot().InFlight == 1, "the worker is taken");

        await Assert.ThrowsAsync<HttpRequestException>(() => GetAsync(app, "/expires"));

        Activity wait = Assert.Single(Spans());
        Assert.Equal(("wait cpu", "expired", ActivityStatusCode.Error), (wait.OperationName, wait.GetTagItem("outcome"), wait.Status));
        Assert.InRange(wait.Duration, TimeSpan.FromMilliseconds(20), TimeSpan.MaxValue);
        Assert.Equal(Single("Microsoft.AspNetCore").SpanId, wait.ParentSpanId);
        leave.Release();
        await blocks;
    }

    [Fact]
    public async Task No_span_is_created_without_a_listener_or_for_a_request_that_is_not_sampled()
    {
        Activity? seen = null;
        await using TestApp app = await TestApp.StartAsync(a => a.MapGet("/", () => { seen = Activity.Current; }).RunOnPool());
        Assert.False(PoolSpans.AreWanted);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { { "traceparent", $"00-{_trace}-{_client}-00" } } };
        (await app.Client.SendAsync(request, TestApp.Token)).Dispose();
        // The current activity is the server's own, which exists because logging is on. Its parent is the client's span.
        Assert.Equal(_client, seen!.ParentSpanId);

        using ActivityListener listener = Listen();
        using var unsampled = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { { "traceparent", $"00-{_trace}-{_client}-00" } } };
        (await app.Client.SendAsync(unsampled, TestApp.Token)).Dispose();
        Assert.Equal(_client, seen!.ParentSpanId);
        Assert.Empty(Spans());
    }

    [Fact]
    public async Task The_duration_metrics_of_a_traced_request_are_recorded_within_its_trace()
    {
        using ActivityListener spans = Listen();
        var traces = new ConcurrentDictionary<string, ActivityTraceId>();
        await using TestApp app = await StartAsync();
        using var listener = new MeterListener();
        object? scope = app.App.Services.GetRequiredService<IMeterFactory>();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Scope == scope && instrument.Name is "poolapi.work.queue.duration" or "poolapi.work.execution.duration") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<double>((instrument, _, _, _) => traces[instrument.Name] = Activity.Current?.TraceId ?? default);
        listener.Start();

        await GetAsync(app, "/sync");
        await Patience.UntilAsync(() => traces.Count == 2, "both times are measured");

        Assert.All(traces.Values, trace => Assert.Equal(_trace, trace));
    }

    [Theory]
    [InlineData("/sync", HttpStatusCode.OK)]
    [InlineData("/async", HttpStatusCode.OK)]
    [InlineData("/expires", HttpStatusCode.ServiceUnavailable)] // the wait span is created when the wait ends
    public async Task A_listener_that_throws_at_the_end_of_a_span_holds_up_no_response(string path, HttpStatusCode status)
    {
        using ActivityListener listener = Listen(throwsAt: path == "/expires" ? "wait " : "run ");
        using var leave = new SemaphoreSlim(0);
        await using TestApp app = await StartAsync(leave);
        Task<string> blocks = Task.FromResult("");
        if (path == "/expires")
        {
            blocks = app.Client.GetStringAsync("/blocks", TestApp.Token);
            await Patience.UntilAsync(() => app.Pool.GetSnapshot().InFlight == 1, "the worker is taken");
        }
        using HttpRequestMessage request = Traced(path);

        using HttpResponseMessage answer = await app.Client.SendAsync(request, TestApp.Token).Patiently();

        Assert.Equal(status, answer.StatusCode);
        Assert.NotEmpty(Spans());
        leave.Release();
        await blocks;
        await app.App.StopAsync(TestApp.Token).Patiently();
        Assert.Contains("exit 0", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
    }

    private static Task<TestApp> StartAsync(SemaphoreSlim? leave = null) => TestApp.StartAsync(app =>
    {
        app.MapGet("/sync", static () =>
        {
            Own.StartActivity("own")?.Dispose();
            return "done";
        }).RunOnPool(configure: static o => o.Kind = "sync");
        app.MapGet("/async", static async () =>
        {
            await Task.Yield();
            Own.StartActivity("own")?.Dispose();
            return "done";
        }).RunOnPool(configure: static o => o.Kind = "async");
        app.MapGet("/fails", string () => throw new InvalidOperationException("on purpose")).RunOnPool();
        app.MapGet("/blocks", () =>
        {
            leave!.Wait();
            return "done";
        }).RunOnPool();
        app.MapGet("/expires", static () => "done").RunOnPool(configure: static o => o.MaxQueueTime = TimeSpan.FromMilliseconds(30));
    });

    private async Task GetAsync(TestApp app, string path)
    {
        using HttpRequestMessage request = Traced(path);
        using HttpResponseMessage answer = await app.Client.SendAsync(request, TestApp.Token);
        await Patience.UntilAsync(() => _ended.Any(a => a.Source.Name == "Microsoft.AspNetCore" && a.TraceId == _trace), "the request's span has ended");
        answer.EnsureSuccessStatusCode();
    }

    private HttpRequestMessage Traced(string path) => new(HttpMethod.Get, path) { Headers = { { "traceparent", $"00-{_trace}-{_client}-01" } } };

    /// <param name="throwsAt">The listener throws at the end of each span of this test whose name begins with this.</param>
    private ActivityListener Listen(string? throwsAt = null)
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name is PoolTelemetry.ActivitySourceName or "Microsoft.AspNetCore" or "SpanTests",
            Sample = static (ref ActivityCreationOptions<ActivityContext> options) =>
                options.Parent.TraceFlags.HasFlag(ActivityTraceFlags.Recorded) ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.None,
            ActivityStopped = activity =>
            {
                _ended.Enqueue(activity);
                if (throwsAt is not null && activity.TraceId == _trace && activity.OperationName.StartsWith(throwsAt, StringComparison.Ordinal))
                    throw new InvalidOperationException("on purpose");
            },
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }

    private Activity Single(string source) => Assert.Single(_ended, a => a.Source.Name == source && a.TraceId == _trace);

    private Activity[] Spans() => [.. _ended.Where(a => a.Source.Name == PoolTelemetry.ActivitySourceName && a.TraceId == _trace)];
}
