using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using System.Net;
using System.Text.Json.Nodes;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Metadata;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Overload;

/// <summary>How much of the pool one client may use, and when a request releases its quota.</summary>
public sealed class QuotaTests : IDisposable
{
    private static readonly Uri Root = new("/", UriKind.Relative);

    /// <summary>One concurrent request for each client.</summary>
    private readonly PartitionedRateLimiter<HttpContext> _oneEach = PartitionedRateLimiter.Create<HttpContext, string>(
        static context => RateLimitPartition.GetConcurrencyLimiter(
            context.Request.Headers["Client"].ToString(), static _ => new ConcurrencyLimiterOptions { PermitLimit = 1 }));

    [Fact]
    public async Task A_client_that_has_used_its_quota_is_refused_while_other_clients_are_served()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(
            app => app.MapMethods("/", ["GET", "POST"], (HttpContext context) =>
                context.Request.Headers["Client"] == "greedy" ? gate.Pass() : "served").RunOnPool(),
            new() { ["Pool:Workers"] = "2" },
            kestrel: true);
        using var refusals = new Refusals(app);
        Task<HttpResponseMessage> running = AskAsync(app, "greedy");
        await gate.NextArrivalAsync();

        using HttpResponseMessage refused = await AskAsync(app, "greedy");
        await AssertQuota(refused);
        Assert.True(refused.Headers.RetryAfter!.Delta >= TimeSpan.FromSeconds(1));
        using (RawConnection announcing = await app.ConnectAsync())
        {
            // The client never sends the body, and the server does not wait for it.
            await announcing.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nClient: greedy\r\nContent-Length: 5\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 429 ", await announcing.ReadResponseAsync(), StringComparison.Ordinal);
        }
        using HttpResponseMessage other = await AskAsync(app, "modest");
        Assert.Equal("served", await other.Content.ReadAsStringAsync(TestApp.Token));
        Assert.Equal(2, refusals.Count);
        Assert.Equal(2, app.Pool.GetSnapshot().Accepted);

        gate.Open();
        using HttpResponseMessage served = await running;
        Assert.Equal(HttpStatusCode.OK, served.StatusCode);
    }

    [Fact]
    public async Task A_queued_request_counts_toward_the_quota_of_its_client()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(app => app.MapGet("/", () => gate.Pass()).RunOnPool());
        Task<HttpResponseMessage> running = AskAsync(app, "first");
        await gate.NextArrivalAsync();
        Task<HttpResponseMessage> waiting = AskAsync(app, "second");
        await app.UntilQueued(1);
        using HttpResponseMessage refused = await AskAsync(app, "second");
        await AssertQuota(refused);
        gate.Open();
        foreach (Task<HttpResponseMessage> task in (Task<HttpResponseMessage>[])[running, waiting])
        {
            using HttpResponseMessage answer = await task;
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }

    [Theory]
    [InlineData("/handler", 200)]
    [InlineData("/delegate", 200)]
    [InlineData("/stream", 200)]
    [InlineData("/fails", 500)]
    [InlineData("/unbound?number=x", 400)]
    [InlineData("/body", 413)]
    public async Task The_quota_of_a_request_is_released_after_every_kind_of_response(string path, int status)
    {
        await using TestApp app = await StartAsync(
            app =>
            {
                app.Use(static async (context, next) =>
                {
                    try
                    {
                        await next(context);
                    }
                    catch (InvalidOperationException)
                    {
                        context.Response.StatusCode = 500;
                    }
                });
                app.UseRouting();
                app.MapGet("/handler", static () => "done").RunOnPool();
                app.MapGet("/delegate", static context => context.Response.WriteAsync("done", TestApp.Token)).RunOnPool();
                app.MapGet("/stream", static () => Numbers()).RunOnPool();
                app.MapGet("/fails", string () => throw new InvalidOperationException()).RunOnPool();
                app.MapGet("/unbound", (int number) => number).RunOnPool();
                app.MapPost("/body", static () => "done").RunOnPool();
            },
            new() { ["Pool:MaxBodyBytes"] = "4" },
            kestrel: true);
        // Each request follows as soon as the client has read the whole response before it, on another connection.
        for (int i = 0; i < 20; i++)
        {
            using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = app.Address };
            using HttpResponseMessage answer = path == "/body"
                ? await http.PostAsync(path, new StringContent("too long"), TestApp.Token)
                : await http.GetAsync(path, TestApp.Token);
            Assert.Equal(status, (int)answer.StatusCode);
            // A RequestDelegate may still run on the worker when its client has read the response.
            if (path == "/delegate") await UntilFree(app);
        }
        await UntilFree(app);

        static async IAsyncEnumerable<int> Numbers()
        {
            yield return 1;
            await Task.Yield();
            yield return 2;
        }
    }

    [Fact]
    public async Task A_streamed_response_that_is_still_being_written_holds_no_quota()
    {
        var write = new TaskCompletionSource();
        await using TestApp app = await StartAsync(app => app.MapGet("/", () => Lines(write.Task)).RunOnPool());
        using HttpResponseMessage slow = await app.Client.GetAsync(Root, HttpCompletionOption.ResponseHeadersRead, TestApp.Token);
        Assert.Equal(HttpStatusCode.OK, slow.StatusCode);
        using HttpResponseMessage next = await app.Client.GetAsync(Root, HttpCompletionOption.ResponseHeadersRead, TestApp.Token);
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
        write.SetResult();

        static async IAsyncEnumerable<int> Lines(Task more)
        {
            yield return 1;
            await more;
        }
    }

    [Fact]
    public async Task Unflushed_response_bytes_of_a_handler_with_MaxRunTime_hold_no_quota()
    {
        const int Length = 24 << 20;
        await using TestApp app = await StartAsync(
            static app => app.MapGet("/", new RequestDelegate(static context =>
            {
                context.Response.BodyWriter.GetSpan(Length);
                context.Response.BodyWriter.Advance(Length);
                return Task.CompletedTask;
            })).RunOnPool(configure: static o => o.MaxRunTime = TimeSpan.FromHours(1)),
            kestrel: true);
        using RawConnection slow = await app.ConnectAsync();
        await slow.SendAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        await Patience.UntilAsync(() => app.Pool.GetSnapshot().Counts[WorkOutcome.Completed] == 1, "the handler has returned");

        await UntilFree(app);

        using HttpResponseMessage next = await app.Client.GetAsync(Root, HttpCompletionOption.ResponseHeadersRead, TestApp.Token);
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
    }

    [Fact]
    public async Task A_request_whose_response_begins_on_the_worker_holds_its_quota_until_the_work_ends()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(
            app => app.MapGet("/", async context =>
            {
                await context.Response.Body.FlushAsync(TestApp.Token);
                gate.Pass();
            }).RunOnPool(),
            kestrel: true);
        using HttpResponseMessage begun = await app.Client.GetAsync(Root, HttpCompletionOption.ResponseHeadersRead, TestApp.Token);
        await gate.NextArrivalAsync();
        using HttpResponseMessage refused = await app.Client.GetAsync(Root, TestApp.Token);
        await AssertQuota(refused);
        gate.Open();
        await UntilFree(app);
    }

    [Fact]
    public async Task The_quota_of_a_client_that_disconnects_is_released_when_its_request_leaves_the_queue()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(
            app => app.MapGet("/", (CancellationToken cancellation) => gate.Pass(cancellation)).RunOnPool(), kestrel: true);
        Task<HttpResponseMessage> running = AskAsync(app, "other");
        await gate.NextArrivalAsync();
        using (RawConnection client = await app.ConnectAsync())
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
            await app.UntilQueued(1);
            using HttpResponseMessage refused = await app.Client.GetAsync(Root, TestApp.Token);
            await AssertQuota(refused);
        }
        await UntilFree(app);
        gate.Open();
        (await running).Dispose();
    }

    [Fact]
    public async Task A_request_that_a_full_queue_refuses_holds_no_quota()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(
            app => app.MapMethods("/", ["GET", "POST"], () => gate.Pass()).RunOnPool(), new() { ["Pool:QueueCapacity"] = "1" });
        Task<HttpResponseMessage> running = AskAsync(app, "first");
        await gate.NextArrivalAsync();
        Task<HttpResponseMessage> waiting = AskAsync(app, "second");
        await app.UntilQueued(1);
        for (int i = 0; i < 3; i++)
        {
            using HttpResponseMessage late = await AskAsync(app, "third");
            await ProblemResponse.AssertProblem(late, "queue-full");
            using HttpResponseMessage early = await AskAsync(app, "third", new StringContent("body"));
            await ProblemResponse.AssertProblem(early, "queue-full");
        }
        gate.Open();
        (await running).Dispose();
        (await waiting).Dispose();
    }

    [Fact]
    public async Task A_client_over_its_quota_is_refused_as_draining_during_a_stop()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(app => app.MapGet("/", () => gate.Pass()).RunOnPool());
        Task<HttpResponseMessage> running = AskAsync(app, "greedy");
        await gate.NextArrivalAsync();
        Task stop = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.IsClosed, "closed");
        using HttpResponseMessage refused = await AskAsync(app, "greedy");
        await ProblemResponse.AssertProblem(refused, "draining");
        gate.Open();
        (await running).Dispose();
        await stop;
    }

    [Fact]
    public async Task A_filter_that_retries_the_handler_uses_the_quota_of_one_request()
    {
        int runs = 0;
        await using TestApp app = await StartAsync(app => app
            .MapGet("/", string () => Interlocked.Increment(ref runs) < 3 ? throw new IOException("not yet") : "third time")
            .AddEndpointFilter(static async (invocation, next) =>
            {
                while (true)
                {
                    try
                    {
                        return await next(invocation);
                    }
                    catch (IOException)
                    {
                    }
                }
            })
            .RunOnPool());
        Assert.Equal("third time", await app.Client.GetStringAsync("/", TestApp.Token));
        await UntilFree(app);
    }

    [Theory]
    [InlineData(90.5, 91)]
    [InlineData(0.0, 1)]
    [InlineData(double.PositiveInfinity, int.MaxValue)]
    public async Task The_refusal_has_the_limiters_Retry_After_in_whole_seconds(double says, int answered)
    {
        using var limiter = new Never(double.IsInfinity(says) ? TimeSpan.MaxValue : TimeSpan.FromSeconds(says));
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", static () => "never").RunOnPool(), configure: b => SetQuota(b, limiter));
        using HttpResponseMessage refused = await app.Client.GetAsync(Root, TestApp.Token);
        await AssertQuota(refused);
        Assert.Equal(TimeSpan.FromSeconds(answered), refused.Headers.RetryAfter!.Delta);
        Assert.Equal(1, limiter.Disposed);
    }

    [Fact]
    public async Task Only_endpoints_on_a_pool_with_a_quota_declare_a_429_response()
    {
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/with", static () => "").RunOnPool();
                app.MapGet("/without", static () => "").RunOnPool("io");
                app.MapGet("/outside", static () => "");
            },
            configure: b =>
            {
                SetQuota(b, _oneEach);
                b.Services.AddFixedThreadPool("io").FromSection("Io");
            });
        var endpoints = app.App.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>();
        Assert.Equal(
            ["/with"],
            endpoints.Where(static e => e.Metadata.GetOrderedMetadata<IProducesResponseTypeMetadata>().Any(static m => m.StatusCode == 429))
                .Select(static e => e.RoutePattern.RawText));
    }

    public void Dispose() => _oneEach.Dispose();

    private static void SetQuota(WebApplicationBuilder builder, PartitionedRateLimiter<HttpContext> quota) =>
        builder.Services.Configure<PoolOptions>("cpu", options => options.Quota = quota);

    private static async Task<HttpResponseMessage> AskAsync(TestApp app, string client, HttpContent? body = null)
    {
        using var request = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, Root) { Content = body };
        request.Headers.Add("Client", client);
        return await app.Client.SendAsync(request, TestApp.Token);
    }

    private static async Task AssertQuota(HttpResponseMessage response)
    {
        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        JsonNode problem = JsonNode.Parse(await response.Content.ReadAsStringAsync(TestApp.Token))!;
        Assert.Equal(("urn:poolapi:problem:quota", 429), ((string?)problem["type"], (int?)problem["status"]));
        ProblemResponse.AssertDetail("quota", (string?)problem["detail"]);
        Assert.NotEmpty((string?)problem["traceId"] ?? "");
    }

    private Task<TestApp> StartAsync(Action<WebApplication> map, Dictionary<string, string?>? settings = null, bool kestrel = false) =>
        TestApp.StartAsync(map, settings, b => SetQuota(b, _oneEach), kestrel);

    /// <summary>Waits until the client without a name holds no quota.</summary>
    private Task UntilFree(TestApp app)
    {
        var nobody = new DefaultHttpContext { RequestServices = app.App.Services };
        return Patience.UntilAsync(() => _oneEach.GetStatistics(nobody) is null or { CurrentAvailablePermits: 1 }, "the quota is released");
    }

    [Theory]
    [InlineData("quota", 429)]
    [InlineData("draining", 503)]
    [InlineData("payload_too_large", 413)]
    public async Task A_metrics_listener_that_throws_changes_no_refusal(string reason, int status)
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(app => app.MapMethods("/", ["GET", "POST"], (int? unused) => gate.Pass()).RunOnPool(), new() { ["Pool:MaxBodyBytes"] = "1000" });
        int thrown = 0;
        using var listener = new MeterListener();
        var own = app.App.Services.GetRequiredService<IMeterFactory>(); // other tests have meters of the same name
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "poolapi.work.rejected" && ReferenceEquals(instrument.Meter.Scope, own)) l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, count, tags, _) =>
        {
            if (count == 0 || !tags.ToArray().Contains(new("reason", reason))) return;
            Interlocked.Increment(ref thrown);
            throw new InvalidOperationException("the listener throws");
        });
        listener.Start();
        Task<HttpResponseMessage> running = AskAsync(app, "one");
        await gate.NextArrivalAsync();
        if (reason == "draining") app.Shutdown.Begin("test", lameDuck: false);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = new ByteArrayContent(new byte[reason == "payload_too_large" ? 2000 : 10]) };
        request.Headers.Add("Client", reason == "quota" ? "one" : "other");

        using HttpResponseMessage refused = await app.Client.SendAsync(request, TestApp.Token);

        Assert.Equal((status, 1), ((int)refused.StatusCode, thrown));
        Assert.Equal(1, app.Pool.GetSnapshot().Accepted);
        gate.Open();
        (await running).Dispose();
    }

    /// <summary>Counts the app's refusals for the quota, by its own meter factory only, because other tests run in parallel.</summary>
    private sealed class Refusals : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _count;

        public Refusals(TestApp app)
        {
            IMeterFactory own = app.App.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "poolapi.work.rejected" && ReferenceEquals(instrument.Meter.Scope, own)) listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((_, count, tags, _) =>
            {
                if (tags.ToArray().Contains(new("reason", "quota"))) Interlocked.Add(ref _count, count);
            });
            _listener.Start();
        }

        public long Count => Interlocked.Read(ref _count);

        public void Dispose() => _listener.Dispose();
    }

    /// <summary>Grants no lease, and states a time for Retry-After.</summary>
    private sealed class Never(TimeSpan retryAfter) : PartitionedRateLimiter<HttpContext>
    {
        private int _disposed;

        public int Disposed => _disposed;

        public override RateLimiterStatistics? GetStatistics(HttpContext resource) => null;

        protected override RateLimitLease AttemptAcquireCore(HttpContext resource, int permitCount) => new Lease(this, retryAfter);

        protected override ValueTask<RateLimitLease> AcquireAsyncCore(HttpContext resource, int permitCount, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        private sealed class Lease(Never limiter, TimeSpan retryAfter) : RateLimitLease
        {
            public override bool IsAcquired => false;

            public override IEnumerable<string> MetadataNames => [MetadataName.RetryAfter.Name];

            public override bool TryGetMetadata(string metadataName, [NotNullWhen(true)] out object? metadata)
            {
                metadata = metadataName == MetadataName.RetryAfter.Name ? retryAfter : null;
                return metadata is not null;
            }

            protected override void Dispose(bool disposing)
            {
                Interlocked.Increment(ref limiter._disposed);
                base.Dispose(disposing);
            }
        }
    }
}
