using System.Net;
using System.Net.WebSockets;
using System.Text.Json.Nodes;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Endpoints;

/// <summary>A handler exceeds MaxRunTime: its client receives the timeout response at once, and no client receives what it writes later.</summary>
public sealed class RunTimeoutTests
{
    private static readonly Action<RunOnPoolOptions> Short = static o => o.MaxRunTime = TimeSpan.FromMilliseconds(50);

    [Theory]
    [InlineData("/synchronous")]
    [InlineData("/asynchronous")]
    [InlineData("/delegate")]
    [InlineData("/late/action")]
    public async Task The_client_receives_504_while_the_handler_still_runs_and_nothing_that_the_handler_writes(string path)
    {
        using var late = new LateHandler();
        await using TestApp app = await StartAsync(late);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync($"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");

        string answer = await client.ReadResponseAsync();

        string[] headers = answer[..answer.IndexOf("\r\n\r\n", StringComparison.Ordinal)].Split("\r\n");
        Assert.Equal("HTTP/1.1 504 Gateway Timeout", headers[0]);
        Assert.Contains("Connection: close", headers);
        Assert.Contains("Cache-Control: no-store", headers);
        Assert.Contains("X-Starting: yes", headers); // middleware outside of the pool adds it as the response starts
        Assert.DoesNotContain(headers, static h => h.StartsWith("Retry-After", StringComparison.Ordinal) || h.StartsWith("X-Early", StringComparison.Ordinal));
        string json = answer[answer.IndexOf('{', StringComparison.Ordinal)..(answer.LastIndexOf('}') + 1)];
        Assert.Equal("urn:poolapi:problem:run-timeout", (string?)JsonNode.Parse(json)!["type"]);
        PoolSnapshot snapshot = app.Pool.GetSnapshot();
        Assert.Equal((1, 0), (snapshot.Counts[WorkOutcome.TimedOut], snapshot.InFlight));
        Assert.False(late.HasReturned);
        if (path != "/asynchronous") Assert.Equal(1, snapshot.Workers.Count(static w => w.State == WorkerState.Stuck));
        Assert.Equal("pong", await app.Client.GetStringAsync("/ping", TestApp.Token)); // on the other worker

        late.Gate.Open();
        Exception? wrote = await late.Wrote;
        Assert.IsType<OperationCanceledException>(wrote, exactMatch: false);
        Assert.Equal("", await client.ReadToEndAsync());
        Assert.True(late.SawCancellation);
        Assert.Equal(504, await late.StatusSeenOutside);
    }

    [Fact]
    public async Task Over_HTTP_2_what_a_late_handler_writes_reaches_no_other_request_of_the_connection()
    {
        using var late = new LateHandler();
        await using TestApp app = await StartAsync(late, HttpProtocols.Http2);
        using HttpResponseMessage timedOut = await SendAsync("/delegate");
        Assert.Equal(HttpStatusCode.GatewayTimeout, timedOut.StatusCode);
        Assert.Contains("run-timeout", await timedOut.Content.ReadAsStringAsync(TestApp.Token), StringComparison.Ordinal);
        for (int i = 0; i < 40; i++)
        {
            if (i == 20)
            {
                late.Gate.Open();
                await late.Wrote;
            }
            using HttpResponseMessage next = await SendAsync("/ping");
            Assert.Equal((HttpStatusCode.OK, "pong"), (next.StatusCode, await next.Content.ReadAsStringAsync(TestApp.Token)));
            Assert.DoesNotContain(next.Headers, static h => h.Key.StartsWith("X-Late", StringComparison.Ordinal));
        }

        Task<HttpResponseMessage> SendAsync(string path) => app.Client.SendAsync(
            new HttpRequestMessage(HttpMethod.Get, path) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact }, TestApp.Token);
    }

    [Fact]
    public async Task The_client_receives_the_timeout_response_although_the_handler_has_replaced_the_response_body()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", (HttpContext context) =>
            {
                context.Response.Body = new MemoryStream();
                return gate.Pass();
            }).RunOnPool(configure: static o =>
            {
                Short(o);
                o.ExecuteResult = true;
            }),
            kestrel: true);
        using HttpResponseMessage answer = await app.Client.GetAsync(new Uri("/", UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
        Assert.Contains("run-timeout", await answer.Content.ReadAsStringAsync(TestApp.Token), StringComparison.Ordinal);
        gate.Open();
    }

    [Theory]
    [InlineData("setting")]
    [InlineData("code")]
    public async Task The_MaxRunTime_of_the_pool_limits_its_endpoints_and_the_detail_has_its_seconds(string how)
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", (CancellationToken cancellation) => gate.Pass(cancellation)).RunOnPool(),
            new() { ["Pools:cpu:Workers"] = "1", ["Pools:cpu:MaxRunTime"] = how == "setting" ? "00:00:00.050" : null },
            b => b.Services.AddFixedThreadPool(configure: o => o.MaxRunTime = how == "code" ? TimeSpan.FromMilliseconds(50) : o.MaxRunTime),
            pool: false);

        using HttpResponseMessage answer = await app.Client.GetAsync(new Uri("/", UriKind.Relative), TestApp.Token).Patiently();

        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
        JsonNode problem = JsonNode.Parse(await answer.Content.ReadAsStringAsync(TestApp.Token))!;
        Assert.Equal("urn:poolapi:problem:run-timeout", (string?)problem["type"]);
        Assert.Equal(
            "The work ran for 0.05 s, the longest time it may run, and its cancellation was requested. It may have taken effect: find out before you try again.",
            (string?)problem["detail"]);
        Assert.Equal(1, app.Pool.GetSnapshot().Counts[WorkOutcome.TimedOut]);
    }

    [Fact]
    public async Task Without_a_MaxRunTime_a_handler_may_run_for_days()
    {
        var clock = new FakeTimeProvider();
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", (CancellationToken cancellation) => gate.Pass(cancellation)).RunOnPool(),
            new() { ["Pools:cpu:Workers"] = "1" },
            b =>
            {
                b.Services.AddSingleton<TimeProvider>(clock);
                b.Services.AddFixedThreadPool();
            },
            pool: false);
        Task<string> running = app.Client.GetStringAsync("/", TestApp.Token);
        await gate.NextArrivalAsync();
        clock.Advance(TimeSpan.FromDays(2)); // longer than any limit that a pool may have
        gate.Open();
        Assert.Equal("passed", await running.Patiently());
        Assert.Equal(Timeout.InfiniteTimeSpan, app.PoolContext().MaxRunTime);
    }

    [Fact]
    public async Task A_response_that_the_handler_has_begun_is_cut_off_at_MaxRunTime()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", new RequestDelegate(async context =>
            {
                await context.Response.WriteAsync("the beginning");
                await context.Response.Body.FlushAsync();
                gate.Pass();
            })).RunOnPool(configure: static o => o.MaxRunTime = MachineLoad.Stretch(TimeSpan.FromSeconds(1))), // the response must begin within it
            kestrel: true);
        await Assert.ThrowsAsync<HttpRequestException>(async () =>
        {
            // The server may cut the response off before the client has read its beginning.
            using HttpResponseMessage answer = await app.Client.GetAsync(new Uri("/", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, TestApp.Token);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            await answer.Content.ReadAsStringAsync(TestApp.Token);
        });
        gate.Open();
    }

    [Fact]
    public async Task Requests_that_time_out_cause_no_refusal_of_later_requests()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/{slow}", (bool slow, CancellationToken cancellation) => slow ? gate.Pass(cancellation) : "done")
                // Long enough for the fast handler on a busy machine.
                .RunOnPool(configure: static o => o.MaxRunTime = MachineLoad.Stretch(TimeSpan.FromMilliseconds(100))),
            new() { ["Pool:Workers"] = "1", ["Pool:Nice"] = "0" });
        for (int i = 0; i < 20; i++)
        {
            using HttpResponseMessage timedOut = await app.Client.GetAsync(new Uri("/true", UriKind.Relative), TestApp.Token);
            Assert.Equal(HttpStatusCode.GatewayTimeout, timedOut.StatusCode);
        }
        Task<string[]> patient = Task.WhenAll(Enumerable.Range(0, 50).Select(_ => app.Client.GetStringAsync("/false", TestApp.Token)));
        Assert.All(await patient, static answer => Assert.Equal("done", answer));
        Assert.Equal(20, app.Pool.GetSnapshot().Counts[WorkOutcome.TimedOut]);
    }

    [Theory]
    [InlineData("value", 200)]
    [InlineData("written", 201)]
    [InlineData("unflushed", 200)]
    [InlineData("started", 200)]
    [InlineData("throws", 500)]
    [InlineData("stream", 200)]
    [InlineData("wrapped", 200)]
    [InlineData("file", 200)]
    [InlineData("mixed", 200)]
    [InlineData("mixed-synchronous", 200)]
    public async Task A_handler_within_its_MaxRunTime_is_answered_like_a_handler_without_one(string what, int status)
    {
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.UseExceptionHandler(static error => error.Run(static context => context.Response.WriteAsync("it failed")));
                app.Use(async (context, next) =>
                {
                    context.Response.Headers["X-Before"] = "1";
                    context.Response.Headers["X-Removed"] = "1";
                    context.Response.OnStarting(() =>
                    {
                        context.Response.Headers["X-Starting"] = $"{context.Response.StatusCode}";
                        return Task.CompletedTask;
                    });
                    await next(context);
                });
                Map(app.MapGroup("/limited"), true);
                Map(app.MapGroup("/free"), false);
            },
            new() { ["Pool:ServerTiming"] = "false" },
            static b => b.Services.AddProblemDetails(),
            kestrel: true);

        (string limited, string free) = (await Seen("/limited/"), await Seen("/free/"));
        Assert.Equal(free, limited);

        async Task<string> Seen(string prefix)
        {
            using HttpResponseMessage answer = await app.Client.GetAsync(new Uri(prefix + what, UriKind.Relative), TestApp.Token);
            Assert.Equal(status, (int)answer.StatusCode);
            IEnumerable<string> headers = answer.Headers.Concat(answer.Content.Headers).Where(static h => h.Key != "Date")
                .Select(static h => $"{h.Key}: {string.Join(", ", h.Value)}").Order(StringComparer.Ordinal);
            return $"{string.Join('\n', headers)}\n\n{await answer.Content.ReadAsStringAsync(TestApp.Token)}";
        }

        static void Map(RouteGroupBuilder group, bool limited)
        {
            Action<RunOnPoolOptions> options = o => o.MaxRunTime = limited ? TimeSpan.FromHours(1) : null;
            group.MapGet("/value", static (HttpResponse response) =>
            {
                response.Headers["X-Own"] = "1";
                response.Headers.Remove("X-Removed");
                return "value";
            }).RunOnPool(configure: options);
            group.MapGet("/written", new RequestDelegate(static async context =>
            {
                context.Response.StatusCode = 201;
                context.Response.Headers["X-Own"] = "1";
                await context.Response.WriteAsync("written ");
                await context.Response.Body.WriteAsync("twice"u8.ToArray());
                await context.Response.CompleteAsync();
            })).RunOnPool(configure: options);
            group.MapGet("/unflushed", new RequestDelegate(static context =>
            {
                context.Response.ContentLength = 2;
                "ok"u8.CopyTo(context.Response.BodyWriter.GetSpan(2));
                context.Response.BodyWriter.Advance(2);
                return Task.CompletedTask;
            })).RunOnPool(configure: options);
            group.MapGet("/mixed", new RequestDelegate(static async context =>
            {
                HttpResponse response = context.Response;
                Write(response, "1 ");
                await response.Body.WriteAsync("2 "u8.ToArray());
                Write(response, "3 ");
                await response.Body.FlushAsync();
                Write(response, "4 ");
                await response.WriteAsync("5 ");
                Stream body = response.Body;
                Write(response, "6 ");
                await body.WriteAsync("7 "u8.ToArray());
                Write(response, "8");
            })).RunOnPool(configure: options);
            group.MapGet("/mixed-synchronous", new RequestDelegate(static context =>
            {
                context.Features.Get<IHttpBodyControlFeature>()!.AllowSynchronousIO = true;
                Write(context.Response, "1 ");
                context.Response.Body.Write("2 "u8);
                Write(context.Response, "3 ");
                context.Response.Body.Flush();
                context.Response.Body.Write("4"u8);
                return Task.CompletedTask;
            })).RunOnPool(configure: options);
            group.MapGet("/started", static async (HttpResponse response) =>
            {
                await response.StartAsync();
                await response.WriteAsync(response.HasStarted ? "started" : "not started");
            }).RunOnPool(configure: options);
            group.MapGet("/throws", static string (HttpResponse response) =>
            {
                response.Headers["X-Own"] = "1";
                throw new InvalidOperationException("on purpose");
            }).RunOnPool(configure: options);
            group.MapGet("/wrapped", static (HttpContext context) =>
            {
                context.Response.Body = new System.IO.BufferedStream(context.Response.Body);
                context.Response.OnStarting(() => Task.CompletedTask);
                return TypedResults.Text("wrapped");
            }).AddEndpointFilter(static async (invocation, next) =>
            {
                await ((IResult)(await next(invocation))!).ExecuteAsync(invocation.HttpContext);
                await invocation.HttpContext.Response.Body.FlushAsync();
                return Results.Empty;
            }).RunOnPool(configure: options);
            group.MapGet("/stream", static () => Numbers()).RunOnPool(configure: options);
            group.MapGet("/file", static () => TypedResults.File("bytes"u8.ToArray(), "text/plain", "a.txt")).RunOnPool(configure: options);
        }

        // Without a flush.
        static void Write(HttpResponse response, string text)
        {
            Span<byte> space = response.BodyWriter.GetSpan(text.Length);
            response.BodyWriter.Advance(System.Text.Encoding.ASCII.GetBytes(text, space));
        }

        static async IAsyncEnumerable<int> Numbers()
        {
            for (int i = 0; i < 3; i++)
            {
                await Task.Yield();
                yield return i;
            }
        }
    }

    /// <summary>The framework's cookies keep the header dictionary of their first use, also inside the wrapper of a cookie policy.</summary>
    [Theory]
    [InlineData("value", false, false)]
    [InlineData("value", true, false)]
    [InlineData("written", false, false)]
    [InlineData("written", true, false)]
    [InlineData("value", false, true)]
    [InlineData("value", true, true)]
    [InlineData("written", false, true)]
    [InlineData("written", true, true)]
    public async Task Cookies_of_a_handler_and_of_middleware_are_the_same_with_MaxRunTime_as_without(string what, bool isUsedBefore, bool hasPolicy)
    {
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                UseCookies(app, isUsedBefore, hasPolicy);
                foreach (bool limited in (bool[])[true, false])
                {
                    RouteGroupBuilder group = app.MapGroup(limited ? "/limited" : "/free");
                    Action<RunOnPoolOptions> options = o => o.MaxRunTime = limited ? TimeSpan.FromHours(1) : null;
                    group.MapGet("/value", static (HttpResponse response) =>
                    {
                        response.Cookies.Append("own", "2");
                        return "value";
                    }).RunOnPool(configure: options);
                    group.MapGet("/written", new RequestDelegate(static context =>
                    {
                        context.Response.Cookies.Append("own", "2");
                        return context.Response.WriteAsync("written");
                    })).RunOnPool(configure: options);
                }
            },
            kestrel: true);

        (string[] limited, string[] free) = (await CookiesOfAsync(app, "/limited/" + what), await CookiesOfAsync(app, "/free/" + what));

        Assert.Equal(free, limited);
        Assert.Equal(isUsedBefore ? ["before=1", "own=2", "starting=3"] : ["own=2", "starting=3"], free.Select(static c => c.Split(';')[0]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_timeout_response_has_the_cookies_of_middleware_and_none_of_the_handler(bool hasPolicy)
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                UseCookies(app, isUsedBefore: true, hasPolicy);
                app.MapGet("/", (HttpResponse response) =>
                {
                    response.Cookies.Append("own", "2");
                    return gate.Pass();
                }).RunOnPool(configure: static o => o.MaxRunTime = MachineLoad.Stretch(TimeSpan.FromSeconds(1))); // the handler must begin within it
            },
            kestrel: true);

        string[] cookies = await CookiesOfAsync(app, "/", HttpStatusCode.GatewayTimeout);

        Assert.Equal(1, gate.Arrived);
        Assert.Equal(["before=1", "starting=3"], cookies.Select(static c => c.Split(';')[0]));
        gate.Open();
    }

    private static void UseCookies(WebApplication app, bool isUsedBefore, bool hasPolicy)
    {
        if (hasPolicy) app.UseCookiePolicy(new CookiePolicyOptions());
        app.Use(async (context, next) =>
        {
            if (isUsedBefore) context.Response.Cookies.Append("before", "1");
            context.Response.OnStarting(() =>
            {
                context.Response.Cookies.Append("starting", "3");
                return Task.CompletedTask;
            });
            await next(context);
        });
    }

    private static async Task<string[]> CookiesOfAsync(TestApp app, string path, HttpStatusCode status = HttpStatusCode.OK)
    {
        using HttpResponseMessage answer = await app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
        Assert.Equal(status, answer.StatusCode);
        return [.. answer.Headers.GetValues("Set-Cookie")];
    }

    /// <summary>The caches wrap the body of the response. Their wrapper passes on every byte, but not the completion.</summary>
    [Theory]
    [InlineData("output")]
    [InlineData("response")]
    [InlineData("both")]
    public async Task Under_output_or_response_caching_the_client_reads_the_whole_timeout_response_while_the_handler_runs(string cache)
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                if (cache != "output") app.UseResponseCaching();
                if (cache != "response") app.UseOutputCache();
                app.MapGet("/", () => gate.Pass()).CacheOutput().RunOnPool(configure: Short);
            },
            configure: static b => b.Services.AddOutputCache().AddResponseCaching(),
            kestrel: true);

        string problem = await (await app.Client.GetAsync(new Uri("/", UriKind.Relative), TestApp.Token)).Content.ReadAsStringAsync(TestApp.Token);

        Assert.Contains("run-timeout", problem, StringComparison.Ordinal);
        gate.Open();
    }

    [Fact]
    public async Task A_handler_that_runs_past_its_limit_holds_the_quota_of_its_client_until_it_returns()
    {
        using var gate = new Gate();
        using var limiter = PartitionedRateLimiter.Create<HttpContext, string>(static _ => RateLimitPartition.GetConcurrencyLimiter(
            "one", static _ => new ConcurrencyLimiterOptions { PermitLimit = 1 }));
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/late", () => gate.Pass()).RunOnPool("limited", Short);
                app.MapGet("/ping", static () => "pong").RunOnPool("limited");
            },
            configure: b => b.Services.AddFixedThreadPool("limited", static o => o.Workers = 2).WithQuota(limiter),
            kestrel: true);
        using HttpResponseMessage timedOut = await app.Client.GetAsync(new Uri("/late", UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.GatewayTimeout, timedOut.StatusCode);
        using HttpResponseMessage refused = await app.Client.GetAsync(new Uri("/ping", UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        gate.Open();
        await Patience.UntilAsync(() => limiter.GetStatistics(new DefaultHttpContext())!.CurrentAvailablePermits == 1, "the quota is released");
        Assert.Equal("pong", await app.Client.GetStringAsync("/ping", TestApp.Token));
    }

    [Fact]
    public async Task A_WebSocket_works_on_an_endpoint_with_MaxRunTime()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app =>
            {
                app.UseWebSockets();
                app.MapGet("/echo", async context =>
                {
                    using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync("echo");
                    byte[] bytes = new byte[10];
                    WebSocketReceiveResult received = await socket.ReceiveAsync(bytes, TestApp.Token);
                    await socket.SendAsync(bytes.AsMemory(0, received.Count), WebSocketMessageType.Text, endOfMessage: true, TestApp.Token);
                    await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, TestApp.Token);
                }).RunOnPool(configure: static o => o.MaxRunTime = TimeSpan.FromMinutes(5));
            },
            kestrel: true);
        using var client = new ClientWebSocket();
        client.Options.AddSubProtocol("echo");
        await client.ConnectAsync(new UriBuilder(app.Client.BaseAddress!) { Scheme = "ws", Path = "/echo" }.Uri, TestApp.Token);
        await client.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, true, TestApp.Token);
        byte[] answer = new byte[10];
        WebSocketReceiveResult echoed = await client.ReceiveAsync(answer, TestApp.Token);
        Assert.Equal("hello"u8.ToArray(), answer[..echoed.Count]);
    }

    [Fact]
    public async Task A_stop_waits_for_a_handler_that_timed_out_and_counts_it_once()
    {
        using var late = new LateHandler();
        await using TestApp app = await StartAsync(late);
        using HttpResponseMessage timedOut = await app.Client.GetAsync(new Uri("/synchronous", UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.GatewayTimeout, timedOut.StatusCode);
        Task stop = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.IsClosed, "the stop has begun");
        Assert.False(stop.IsCompleted);
        late.Gate.Open();
        await stop;
        Assert.Contains(app.Log.Lines, static l => l.Text.Contains("exit 0, accepted 1, completed 0", StringComparison.Ordinal)
            && l.Text.Contains("timed out 1, joined 2/2", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("disposable")]
    [InlineData("asynchronously disposable")]
    [InlineData("file")]
    [InlineData("file of an action")]
    [InlineData("asynchronous handler")]
    public async Task A_result_that_a_handler_returns_after_its_time_limit_is_disposed_of(string what)
    {
        using var gate = new Gate();
        var disposed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/", object () =>
                {
                    gate.Pass();
                    return what switch
                    {
                        "disposable" => new Disposable(disposed),
                        "file" => TypedResults.File(new ObservedStream(disposed)),
                        "file of an action" => new FileStreamResult(new ObservedStream(disposed), "text/plain"),
                        _ => new AsynchronouslyDisposable(disposed),
                    };
                }).RunOnPool(configure: Short);
                app.MapGet("/asynchronous", async Task<object> () =>
                {
                    await Task.Yield();
                    gate.Pass();
                    return new Disposable(disposed);
                }).RunOnPool(configure: Short);
            },
            kestrel: true);
        using HttpResponseMessage answer = await app.Client.GetAsync(new Uri(what == "asynchronous handler" ? "/asynchronous" : "/", UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
        Assert.False(disposed.Task.IsCompleted);
        gate.Open();
        await disposed.Task.Patiently();
    }

    [Fact]
    public async Task A_late_result_whose_disposal_throws_is_logged_and_its_request_ends()
    {
        using var gate = new Gate();
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    await next(context);
                    over.SetResult();
                });
                app.MapGet("/", object () =>
                {
                    gate.Pass();
                    return new Undisposable();
                }).RunOnPool(configure: Short);
            },
            kestrel: true);
        using HttpResponseMessage answer = await app.Client.GetAsync(new Uri("/", UriKind.Relative), TestApp.Token);
        gate.Open();
        await over.Task.Patiently();
        Assert.Contains(app.Log.Lines, static l => l.Level == LogLevel.Error && l.Text.Contains("could not be disposed of", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)] // the handler has exceeded MaxRunTime
    [InlineData(false)] // the stop has given the handler up
    public async Task A_stop_ends_at_its_deadline_while_a_request_stays_open_until_its_handler_returns(bool isLimited)
    {
        using var gate = new Gate();
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    await next(context);
                    over.SetResult();
                });
                app.MapGet("/", () => gate.Pass()).RunOnPool(configure: o =>
                {
                    if (isLimited) Short(o);
                });
            },
            new() { ["Shutdown:Drain"] = "00:00:00.050", ["Shutdown:Cancel"] = "00:00:00.050" },
            kestrel: true);
        Task<HttpResponseMessage> request = app.Client.GetAsync(new Uri("/", UriKind.Relative), TestApp.Token);
        await gate.NextArrivalAsync();
        if (isLimited) await request;

        await app.App.StopAsync(TestApp.Token);

        using HttpResponseMessage answer = await request;
        Assert.Equal(isLimited ? HttpStatusCode.GatewayTimeout : HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.False(over.Task.IsCompleted);
        gate.Open();
        await over.Task.Patiently();
    }

    private static Task<TestApp> StartAsync(LateHandler late, HttpProtocols protocols = HttpProtocols.Http1) => TestApp.StartAsync(
        app =>
        {
            app.Use(next => context => late.Watch(context, next));
            app.MapGet("/synchronous", string (HttpContext context) => late.Run(context).GetAwaiter().GetResult()).RunOnPool(configure: Short);
            app.MapGet("/asynchronous", Task<string> (HttpContext context, CancellationToken _) => late.RunAsync(context)).RunOnPool(configure: Short);
            app.MapGet("/delegate", new RequestDelegate(async context => await late.Run(context))).RunOnPool(configure: Short);
            app.MapControllers().RunOnPool(configure: Short);
            app.MapGet("/ping", static () => "pong").RunOnPool();
        },
        new() { ["Pool:Workers"] = "2" },
        b =>
        {
            b.WebHost.ConfigureKestrel(o => o.ConfigureEndpointDefaults(l => l.Protocols = protocols));
            b.Services.AddSingleton(late).AddControllers().AddApplicationPart(typeof(RunTimeoutTests).Assembly);
        },
        kestrel: true);

    private sealed class Disposable(TaskCompletionSource disposed) : IDisposable
    {
        public void Dispose() => disposed.SetResult();
    }

    private sealed class AsynchronouslyDisposable(TaskCompletionSource disposed) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            disposed.SetResult();
            return default;
        }
    }

    private sealed class Undisposable : IDisposable
    {
        public void Dispose() => throw new InvalidOperationException("on purpose");
    }

    private sealed class ObservedStream(TaskCompletionSource disposed) : MemoryStream
    {
        protected override void Dispose(bool disposing)
        {
            base.Dispose(disposing);
            disposed.TrySetResult();
        }
    }

    /// <summary>A handler that sets a header, ignores cancellation, and writes a response when the gate opens.</summary>
    internal sealed class LateHandler : IDisposable
    {
        private readonly TaskCompletionSource<Exception?> _wrote = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource<int> _statusSeen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Gate Gate { get; } = new();

        public bool SawCancellation { get; private set; }

        public bool HasReturned => _wrote.Task.IsCompleted;

        /// <summary>The exception of the attempt to write; null if it succeeded.</summary>
        public Task<Exception?> Wrote => _wrote.Task.Patiently();

        public Task<int> StatusSeenOutside => _statusSeen.Task.Patiently();

        public async Task Watch(HttpContext context, RequestDelegate next)
        {
            context.Response.OnStarting(() =>
            {
                context.Response.Headers["X-Starting"] = "yes";
                return Task.CompletedTask;
            });
            await next(context);
            if (context.Request.Path != "/ping") _statusSeen.TrySetResult(context.Response.StatusCode);
        }

        public async Task<string> Run(HttpContext context)
        {
            context.Response.Headers["X-Early"] = "yes";
            Gate.Pass();
            return await WriteAsync(context);
        }

        public async Task<string> RunAsync(HttpContext context)
        {
            context.Response.Headers["X-Early"] = "yes";
            await Task.Run(() => Gate.Pass());
            return await WriteAsync(context);
        }

        public void Dispose() => Gate.Dispose();

        private async Task<string> WriteAsync(HttpContext context)
        {
            SawCancellation = context.RequestAborted.IsCancellationRequested;
            Exception? fault = null;
            try
            {
                context.Response.StatusCode = 200;
                context.Response.Headers["X-Late"] = "yes";
                await context.Response.WriteAsync("late");
                await context.Response.Body.FlushAsync();
            }
            catch (Exception e)
            {
                fault = e;
            }
            _wrote.TrySetResult(fault);
            return "late";
        }
    }
}

/// <summary>A controller whose action ignores cancellation.</summary>
[Route("late")]
public sealed class LateController : ControllerBase
{
    /// <summary>Runs past its limit.</summary>
    [HttpGet("action")]
    public string Action() => HttpContext.RequestServices.GetRequiredService<RunTimeoutTests.LateHandler>().Run(HttpContext).GetAwaiter().GetResult();
}
