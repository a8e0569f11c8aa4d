using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Mvc;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests.Overload;

/// <summary>The response to a refused request is not cacheable, is readable for every client, and states the true reason.</summary>
public sealed class RefusalTests
{
    private static readonly string[] CacheHeaders = ["Cache-Control", "ETag", "Expires", "Last-Modified", "CDN-Cache-Control", "Surrogate-Control"];

    [Theory]
    [InlineData("/filter")]
    [InlineData("/delegate")]
    [InlineData("/starting")]
    [InlineData("/refusals/cached")]
    [InlineData("/refusals/api/cached")]
    public async Task A_refusal_is_sent_with_no_store_although_the_app_made_the_response_cacheable(string path)
    {
        await using FullApp full = await FullApp.StartAsync();
        using HttpResponseMessage refused = await full.App.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal(["Cache-Control: no-store"], Caching(refused));
    }

    public static TheoryData<string, int> Problems { get; } = new()
    {
        { "queue-full", 503 },
        { "expired", 503 },
        { "draining", 503 },
        { "not-started", 503 },
        { "state-unknown", 503 },
        { "run-timeout", 504 },
        { "quota", 429 },
    };

    [Theory]
    [MemberData(nameof(Problems))]
    public async Task A_redirect_in_place_of_a_problem_is_sent_with_no_store_although_the_app_made_the_response_cacheable(string problem, int status)
    {
        await using ProblemApp app = await ProblemApp.StartAsync(problem, static pool => pool.OnRejected(static (context, _) =>
        {
            context.Response.Redirect("/busy");
            return new ValueTask<bool>(true);
        }));
        using HttpResponseMessage response = await app.SendAsync();
        Assert.Equal(HttpStatusCode.Found, response.StatusCode);
        Assert.NotEqual(status, (int)response.StatusCode);
        Assert.Equal(["Cache-Control: no-store"], Caching(response));
    }

    [Theory]
    [MemberData(nameof(Problems))]
    public async Task The_problem_is_sent_with_no_store_although_the_app_made_the_response_cacheable(string problem, int status)
    {
        await using ProblemApp app = await ProblemApp.StartAsync(problem, static pool => { });
        using HttpResponseMessage response = await app.SendAsync();
        Assert.Equal(status, (int)response.StatusCode);
        JsonNode body = JsonNode.Parse(await response.Content.ReadAsStringAsync(TestApp.Token))!;
        Assert.Equal("urn:poolapi:problem:" + problem, (string?)body["type"]);
        ProblemResponse.AssertDetail(problem, (string?)body["detail"]);
        Assert.Equal(["Cache-Control: no-store"], Caching(response));
    }

    [Theory]
    [MemberData(nameof(Problems))]
    public async Task OnRejected_runs_once_for_each_problem(string problem, int status)
    {
        var rejections = new ConcurrentQueue<(string Pool, string Problem, int Status, int OfResponse, string? Caching)>();
        await using ProblemApp app = await ProblemApp.StartAsync(problem, pool => pool.OnRejected((context, rejection) =>
        {
            if (context.Request.Path == ProblemApp.Subject)
                rejections.Enqueue((rejection.Pool, rejection.Problem, rejection.Status, context.Response.StatusCode, context.Response.Headers.CacheControl));
            return new ValueTask<bool>(false);
        }));
        using HttpResponseMessage response = await app.SendAsync();
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal([("cpu", problem, status, status, "no-store")], rejections);
    }

    [Theory]
    [InlineData("/queued")]
    [InlineData("/running")]
    public async Task OnRejected_does_not_run_for_a_client_that_has_disconnected(string path)
    {
        var rejections = new ConcurrentQueue<string>();
        var ended = new TaskCompletionSource<(bool IsAborted, int Status)>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var gate = new Gate();
        using var leave = new CancellationTokenSource();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    await next(context);
                    if (context.Request.Path == path) ended.SetResult((context.RequestAborted.IsCancellationRequested, context.Response.StatusCode));
                });
                app.UseRouting();
                app.MapGet("/held", () => gate.Pass()).RunOnPool();
                app.MapGet("/queued", static () => "ran").RunOnPool();
                app.MapGet("/running", (CancellationToken cancellation) => gate.Pass(cancellation)).RunOnPool();
            },
            new() { ["Pools:cpu:Workers"] = "1" },
            b => b.Services.AddFixedThreadPool().OnRejected((_, rejection) =>
            {
                rejections.Enqueue(rejection.Problem);
                return new ValueTask<bool>(false);
            }),
            pool: false);
        Task<string>? held = path == "/queued" ? app.Client.GetStringAsync("/held", TestApp.Token) : null;
        if (held is not null) await gate.NextArrivalAsync();
        Task<string> leaving = app.Client.GetStringAsync(path, leave.Token);
        if (held is null) await gate.NextArrivalAsync();
        else await app.UntilQueued(1);

        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving.Patiently());
        Assert.Equal((true, StatusCodes.Status499ClientClosedRequest), await ended.Task.Patiently());
        Assert.Empty(rejections);
        gate.Open();
        if (held is not null) Assert.Equal("passed", await held);
    }

    [Fact]
    public async Task An_answer_keeps_the_headers_that_the_app_gave_it()
    {
        await using FullApp full = await FullApp.StartAsync();
        await full.EmptyAsync();
        using HttpResponseMessage answer = await full.App.Client.GetAsync(new Uri("/filter", UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("public, max-age=60", answer.Headers.CacheControl?.ToString());
        Assert.NotNull(answer.Headers.ETag);
    }

    public static TheoryData<string, string> ClientsOfAllKinds() => new(
        from path in (string[])["/filter", "/delegate", "/refusals/cached", "/refusals/api/cached"]
        from accept in (string[])["text/html", "image/avif,image/webp", "application/xml", "*/*", "application/json", "text/html;q=0.9, nonsense"]
        select (path, accept));

    [Theory]
    [MemberData(nameof(ClientsOfAllKinds))]
    public async Task Every_client_gets_the_problem_whatever_it_accepts(string path, string accept)
    {
        await using FullApp full = await FullApp.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using HttpResponseMessage refused = await full.App.Client.SendAsync(request, TestApp.Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType?.MediaType);
        JsonNode problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync(TestApp.Token))!;
        Assert.Equal("urn:poolapi:problem:queue-full", (string?)problem["type"]);
        Assert.Equal(503, (int?)problem["status"]);
        Assert.Equal("cpu", (string?)problem["pool"]);
        Assert.NotNull((string?)problem["traceId"]);
        Assert.StartsWith("The queue", (string?)problem["title"], StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(ClientsOfAllKinds))]
    public async Task The_app_customizes_the_problem_for_every_client(string path, string accept)
    {
        await using FullApp full = await FullApp.StartAsync(static pool => pool.Services.AddProblemDetails(static o => o.CustomizeProblemDetails = static context =>
        {
            context.ProblemDetails.Title = $"Shop: {context.ProblemDetails.Title}";
            context.ProblemDetails.Extensions["attempts"] = 3;
        }));
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using HttpResponseMessage refused = await full.App.Client.SendAsync(request, TestApp.Token);
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType?.MediaType);
        JsonNode problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync(TestApp.Token))!;
        Assert.Equal(
            ("urn:poolapi:problem:queue-full", "Shop: The queue is full", 503, 3, "cpu"),
            ((string?)problem["type"], (string?)problem["title"], (int?)problem["status"], (int?)problem["attempts"], (string?)problem["pool"]));
    }

    [Theory]
    [InlineData("/filter", "application/json")]
    [InlineData("/filter", "text/html")]
    [InlineData("/delegate", "image/png")]
    [InlineData("/refusals/cached", "text/html")]
    public async Task A_problem_that_the_app_substitutes_is_written_with_its_own_members(string path, string accept)
    {
        await using FullApp full = await FullApp.StartAsync(static pool => pool.Services.AddProblemDetails(static o => o.CustomizeProblemDetails = static context =>
            context.ProblemDetails = new HttpValidationProblemDetails(new Dictionary<string, string[]> { ["size"] = ["too large"] }) { Status = 503 }));
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using HttpResponseMessage refused = await full.App.Client.SendAsync(request, TestApp.Token);
        JsonNode problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync(TestApp.Token))!;
        Assert.Equal("too large", (string?)problem["errors"]?["size"]?[0]);
    }

    [Fact]
    public async Task The_detail_of_an_overloaded_problem_distinguishes_the_body_budget_the_queue_and_memory()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapPost("/", static (HttpRequest _) => "ran").RunOnPool(), new() { ["Pool:QueueBytes"] = "100" });
        Assert.True(app.PoolContext().Bodies.TryTake(90));
        using HttpResponseMessage refused = await app.Client.PostAsync(new Uri("/", UriKind.Relative), new ByteArrayContent(new byte[50]), TestApp.Token);
        app.PoolContext().Bodies.Return(90);
        JsonNode problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync(TestApp.Token))!;
        Assert.Equal("urn:poolapi:problem:overloaded", (string?)problem["type"]);
        Assert.Equal(
            "The bodies of waiting requests leave no room for this one. Nothing has run. Try again after the time in Retry-After.",
            (string?)problem["detail"]);
        string[] others = [.. new[] { Rejection.Overloaded(app.PoolContext()), Rejection.OutOfMemory(app.PoolContext()) }.Select(static r => r.Info.Detail)];
        Assert.Equal(2, others.Distinct().Count());
        Assert.All(others, static detail => Assert.DoesNotContain("bod", detail, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_overloaded_problem_explains_the_disconnected_clients_and_the_predicted_wait()
    {
        await using TestApp app = await TestApp.StartAsync(static _ => { });
        Assert.Equal(
            "Clients of this endpoint have disconnected after a long time in the queue. This request would wait for more than a quarter of the time that "
            + "its clients are estimated to wait. Nothing has run. Try again after the time in Retry-After.",
            Rejection.Overloaded(app.PoolContext()).Info.Detail);
    }

    [Fact]
    public async Task A_closed_pool_of_a_running_app_is_reported_as_closed_and_not_as_a_stop()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static () => "ran").RunOnPool("io"), configure: static b => b.Services.AddFixedThreadPool("io").FromSection("Io"));
        _ = app.App.Services.GetRequiredKeyedService<Threading.FixedThreadPool>("io").CloseAsync();
        using HttpResponseMessage refused = await app.Client.GetAsync(new Uri("/", UriKind.Relative), TestApp.Token);
        await ProblemResponse.AssertProblem(refused, "draining");
        JsonNode problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync(TestApp.Token))!;
        Assert.Equal(
            ("The pool is closed", "The pool of this endpoint is closed and refuses new requests. Nothing has run. Another instance may accept the request."),
            ((string?)problem["title"], (string?)problem["detail"]));
        Assert.NotNull(refused.Headers.RetryAfter);
    }

    [Theory]
    [InlineData("/cpu", "cpu")]
    [InlineData("/io", "io")]
    public async Task A_problem_names_the_pool_that_refused(string path, string pool)
    {
        using PartitionedRateLimiter<HttpContext> nothing = NoPermits();
        await using TestApp app = await TestApp.StartAsync(
            static app =>
            {
                app.MapGet("/cpu", static () => "").RunOnPool();
                app.MapGet("/io", static () => "").RunOnPool("io");
            },
            configure: b =>
            {
                b.Services.AddFixedThreadPool("cpu").WithQuota(nothing);
                b.Services.AddFixedThreadPool("io").WithQuota(nothing);
            },
            pool: false);
        using HttpResponseMessage refused = await app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(pool, (string?)JsonNode.Parse(await refused.Content.ReadAsStringAsync(TestApp.Token))!["pool"]);
    }

    [Theory]
    [InlineData("/filter")]
    [InlineData("/delegate")]
    [InlineData("/refusals/cached")]
    public async Task The_app_may_write_the_response_to_a_refused_request_itself(string path)
    {
        await using FullApp full = await FullApp.StartAsync(static pool => pool.OnRejected(static async (context, rejection) =>
        {
            context.Response.ContentType = "text/html";
            await context.Response.WriteAsync($"<p>{rejection.Pool}: {rejection.Problem}, {rejection.Title}, {rejection.RetryAfter?.TotalSeconds}</p>");
            return true;
        }));
        using HttpResponseMessage refused = await full.App.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
        Assert.Equal($"<p>cpu: queue-full, The queue is full, {refused.Headers.RetryAfter?.Delta?.TotalSeconds}</p>", await refused.Content.ReadAsStringAsync(TestApp.Token));
        Assert.Equal("text/html", refused.Content.Headers.ContentType?.MediaType);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("no-store", refused.Headers.CacheControl?.ToString());
        Assert.NotNull(refused.Headers.RetryAfter);
    }

    [Fact]
    public async Task The_app_may_redirect_a_refused_client()
    {
        await using FullApp full = await FullApp.StartAsync(static pool => pool.OnRejected(static (context, _) =>
        {
            context.Response.Redirect("/busy");
            return new ValueTask<bool>(true);
        }));
        // Each endpoint would be cacheable without the refusal.
        foreach (string path in (string[])["/filter", "/delegate", "/starting"])
        {
            using HttpResponseMessage refused = await full.App.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
            Assert.Equal((path, HttpStatusCode.Found, "/busy"), (path, refused.StatusCode, refused.Headers.Location?.OriginalString));
            Assert.Equal((path, "no-store"), (path, refused.Headers.CacheControl?.ToString()));
            Assert.Equal("", await refused.Content.ReadAsStringAsync(TestApp.Token));
        }
    }

    [Fact]
    public async Task OnRejected_hooks_run_until_one_writes_the_response_and_if_none_does_the_problem_is_written()
    {
        var asked = new List<string>();
        await using FullApp full = await FullApp.StartAsync(pool => pool
            .OnRejected((_, rejection) =>
            {
                asked.Add("first " + rejection.Status);
                return new ValueTask<bool>(false);
            })
            .OnRejected((context, _) =>
            {
                asked.Add("second");
                return new ValueTask<bool>(context.Request.Path == "/delegate");
            })
            .OnRejected((_, _) =>
            {
                asked.Add("third");
                return new ValueTask<bool>(false);
            }));
        Assert.Contains("queue-full", await ReadAsync("/filter"), StringComparison.Ordinal);
        Assert.Equal("", await ReadAsync("/delegate"));
        Assert.Equal(["first 503", "second", "third", "first 503", "second"], asked);

        async Task<string> ReadAsync(string path)
        {
            using HttpResponseMessage refused = await full.App.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
            return await refused.Content.ReadAsStringAsync(TestApp.Token);
        }
    }

    private static IEnumerable<string> Caching(HttpResponseMessage response) =>
        response.Headers.Concat(response.Content.Headers).Where(static h => CacheHeaders.Contains(h.Key, StringComparer.OrdinalIgnoreCase))
            .Select(static h => $"{h.Key}: {string.Join(", ", h.Value)}");

    private static PartitionedRateLimiter<HttpContext> NoPermits() => PartitionedRateLimiter.Create<HttpContext, string>(static _ =>
        RateLimitPartition.GetConcurrencyLimiter("all", static _ => new ConcurrencyLimiterOptions { PermitLimit = 1, QueueLimit = 0 })) is { } one
        && one.AttemptAcquire(new DefaultHttpContext()).IsAcquired ? one : throw new InvalidOperationException();

    /// <summary>An app whose one worker is busy and whose queue is full. It refuses a GET request only after filters and attributes have run.</summary>
    private sealed class FullApp(TestApp app, Gate gate, Task<string>[] held) : IAsyncDisposable
    {
        public TestApp App => app;

        public static async Task<FullApp> StartAsync(Action<FixedThreadPoolBuilder>? configure = null)
        {
            var gate = new Gate();
            TestApp app = await TestApp.StartAsync(
                app =>
                {
                    app.MapGet("/held", () => gate.Pass()).RunOnPool();
                    app.MapGet("/filter", static () => "ran").AddEndpointFilter(static (invocation, next) =>
                    {
                        MakeCacheable(invocation.HttpContext.Response.Headers);
                        return next(invocation);
                    }).RunOnPool();
                    app.Use(static (context, next) =>
                    {
                        if (context.Request.Path == "/delegate") MakeCacheable(context.Response.Headers);
                        if (context.Request.Path != "/starting") return next(context);
                        context.Response.OnStarting(() =>
                        {
                            MakeCacheable(context.Response.Headers);
                            return Task.CompletedTask;
                        });
                        return next(context);
                    });
                    app.UseRouting();
                    app.MapGet("/delegate", static context => context.Response.WriteAsync("ran")).RunOnPool();
                    app.MapGet("/starting", static () => "ran").RunOnPool();
                    app.MapControllers().RunOnPool();
                },
                new() { ["Pools:cpu:Workers"] = "1", ["Pools:cpu:QueueCapacity"] = "1" },
                b =>
                {
                    configure?.Invoke(b.Services.AddFixedThreadPool());
                    if (configure is null) b.Services.AddFixedThreadPool();
                    b.Services.AddControllersWithViews().AddApplicationPart(typeof(RefusalTests).Assembly);
                },
                pool: false);
            var held = new Task<string>[2];
            held[0] = app.Client.GetStringAsync("/held", TestApp.Token);
            await gate.NextArrivalAsync();
            held[1] = app.Client.GetStringAsync("/held", TestApp.Token);
            await app.UntilQueued(1);
            return new FullApp(app, gate, held);
        }

        public async Task EmptyAsync()
        {
            gate.Open();
            await Task.WhenAll(held);
        }

        public async ValueTask DisposeAsync()
        {
            await EmptyAsync();
            await app.DisposeAsync();
            gate.Dispose();
        }
    }

    /// <summary>
    /// An app with one worker, in which a request to <see cref="Subject"/> gets the given problem. Middleware makes every response cacheable,
    /// before the request is admitted and as the response starts.
    /// </summary>
    private sealed class ProblemApp(TestApp app, string problem, Gate gate, PartitionedRateLimiter<HttpContext> quota) : IAsyncDisposable
    {
        public const string Subject = "/subject";

        private readonly List<Task<string>> _held = [];
        private Task? _stop;

        public static async Task<ProblemApp> StartAsync(string problem, Action<FixedThreadPoolBuilder> configure)
        {
            var gate = new Gate();
            PartitionedRateLimiter<HttpContext> quota = NoPermits();
            TestApp app = await TestApp.StartAsync(
                app =>
                {
                    app.Use(static (context, next) =>
                    {
                        MakeCacheable(context.Response.Headers);
                        context.Response.OnStarting(() =>
                        {
                            MakeCacheable(context.Response.Headers);
                            return Task.CompletedTask;
                        });
                        return next(context);
                    });
                    app.UseRouting();
                    app.MapGet("/held", (CancellationToken cancellation) => gate.Pass(cancellation)).RunOnPool();
                    app.MapGet(Subject, (CancellationToken cancellation) => gate.Pass(cancellation)).RunOnPool(configure: o =>
                    {
                        if (problem == "expired") o.MaxQueueTime = TimeSpan.FromMilliseconds(20);
                        if (problem == "run-timeout") o.MaxRunTime = TimeSpan.FromMilliseconds(20);
                    });
                },
                new()
                {
                    ["Pools:cpu:Workers"] = "1",
                    ["Pools:cpu:QueueCapacity"] = "1",
                    ["Shutdown:Drain"] = problem is "not-started" or "state-unknown" ? "00:00:00.010" : null,
                },
                b =>
                {
                    FixedThreadPoolBuilder pool = b.Services.AddPoolProcessLifetime().ConfigurePoolShutdown("Shutdown").AddFixedThreadPool();
                    if (problem == "quota") pool.WithQuota(quota);
                    configure(pool);
                },
                pool: false);
            return new ProblemApp(app, problem, gate, quota);
        }

        /// <summary>Sends the request under the conditions of the problem.</summary>
        public async Task<HttpResponseMessage> SendAsync()
        {
            if (problem is "queue-full" or "expired" or "draining" or "not-started") await HoldAsync();
            if (problem == "queue-full") await FillQueueAsync();
            if (problem == "draining")
            {
                _stop = app.App.StopAsync(TestApp.Token);
                await Patience.UntilAsync(() => app.Shutdown.State == ShutdownState.Draining, "draining");
            }
            Task<HttpResponseMessage> response = app.Client.GetAsync(new Uri(Subject, UriKind.Relative), TestApp.Token);
            if (problem == "not-started") await app.UntilQueued(1);
            if (problem == "state-unknown") await gate.NextArrivalAsync();
            if (problem is "not-started" or "state-unknown") _stop = app.App.StopAsync(TestApp.Token);
            return await response.Patiently();
        }

        private async Task HoldAsync()
        {
            _held.Add(app.Client.GetStringAsync("/held", TestApp.Token));
            await gate.NextArrivalAsync();
        }

        private async Task FillQueueAsync()
        {
            _held.Add(app.Client.GetStringAsync("/held", TestApp.Token));
            await app.UntilQueued(1);
        }

        public async ValueTask DisposeAsync()
        {
            gate.Open();
            foreach (Task<string> held in _held) await Record.ExceptionAsync(() => held); // the stop may have cancelled it
            if (_stop is not null) await _stop;
            await app.DisposeAsync();
            gate.Dispose();
            await quota.DisposeAsync();
        }
    }

    internal static void MakeCacheable(IHeaderDictionary headers)
    {
        headers.CacheControl = "public, max-age=60";
        headers.ETag = "\"7\"";
        headers.Expires = "Fri, 01 Jan 2100 00:00:00 GMT";
        headers.LastModified = "Thu, 01 Jan 2026 00:00:00 GMT";
        headers["CDN-Cache-Control"] = "max-age=60";
        headers["Surrogate-Control"] = "max-age=60";
    }
}

[Route("refusals")]
public sealed class RefusedController : Controller
{
    [HttpGet("cached")]
    [ResponseCache(Duration = 60)]
    [Produces("text/html")]
    public string Cached() => "ran";
}

[ApiController]
[Route("refusals/api")]
public sealed class RefusedApiController : ControllerBase
{
    [HttpGet("cached")]
    [ResponseCache(Duration = 60)]
    public string Cached() => "ran";
}
