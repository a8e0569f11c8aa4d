using System.Net;
using System.Net.ServerSentEvents;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace PoolApi.Consumers.Tests;

/// <summary>The framework's own middleware around endpoints on a pool.</summary>
public sealed class MiddlewareTests
{
    [Fact]
    public async Task A_request_timeout_is_answered_by_its_policy_and_causes_no_refusal_of_other_requests()
    {
        using var gate = new Gate();
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b => b.Services.AddRequestTimeouts(static o => o.AddPolicy("short", new RequestTimeoutPolicy
            {
                Timeout = TimeSpan.FromMilliseconds(100),
                TimeoutStatusCode = StatusCodes.Status504GatewayTimeout,
                WriteTimeoutResponse = static context => context.Response.WriteAsync("too slow"),
            })),
            app =>
            {
                app.UseRouting();
                app.UseRequestTimeouts();
                app.MapGet("/short", static () => "in time").WithRequestTimeout("short").RunOnPool();
                app.MapGet("/patient", () => Held(gate)).RunOnPool();
            });
        Task<Reply>[] blocking = [app.GetAsync("/patient"), app.GetAsync("/patient")];
        await gate.NextArrivalAsync();
        await gate.NextArrivalAsync();

        // All workers are busy, so each of these requests waits until its timeout.
        Reply[] timeouts = await Task.WhenAll(Enumerable.Range(0, 47).Select(_ => app.GetAsync("/short")));
        Assert.All(timeouts, static reply => Assert.Equal((HttpStatusCode.GatewayTimeout, "too slow"), (reply.Status, reply.Body)));
        Task<Reply>[] patient = [.. Enumerable.Range(0, 60).Select(_ => app.GetAsync("/patient"))];
        await Patience.UntilAsync(() => app.Pool().GetSnapshot().QueueLength == 60);
        gate.Open();

        Assert.All(await Task.WhenAll(blocking.Concat(patient)), static reply => Assert.Equal("cpu", reply.Ok()));
    }

    /// <summary>The only worker is busy, so the request times out in the queue; or it is free, and the handler awaits until its token is cancelled.</summary>
    [Theory]
    [InlineData("/delegate", true)]
    [InlineData("/delegate", false)]
    [InlineData("/action", true)]
    [InlineData("/action", false)]
    [InlineData("/OnPool?handler=Endless", true)]
    [InlineData("/OnPool?handler=Endless", false)]
    [InlineData("/branch", true)]
    [InlineData("/branch", false)]
    public async Task A_request_timeout_is_answered_by_its_policy_whatever_kind_of_endpoint_it_ends(string path, bool isQueued)
    {
        using var gate = new Gate();
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b =>
            {
                b.Services.AddFixedThreadPool("io", static o => o.Workers = 1);
                b.Services.AddRequestTimeouts(static o => o.AddPolicy("short", new RequestTimeoutPolicy
                {
                    Timeout = TimeSpan.FromMilliseconds(100),
                    TimeoutStatusCode = 418,
                    WriteTimeoutResponse = static context => context.Response.WriteAsync("too slow"),
                }));
                b.Services.AddControllers().Only(typeof(EndlessController));
                b.Services.AddRazorPages();
            },
            app =>
            {
                app.UseRouting();
                app.UseRequestTimeouts();
                app.UseFixedThreadPool("/branch", "io");
                app.MapGet("/branch", EndlessAsync).WithRequestTimeout("short");
                app.MapGet("/delegate", EndlessAsync).WithRequestTimeout("short").RunOnPool("io");
                app.MapControllers().WithRequestTimeout("short");
                app.MapRazorPages().WithRequestTimeout("short");
                app.MapGet("/patient", () => Held(gate)).RunOnPool("io");
            });
        Task<Reply>? busy = null;
        if (isQueued)
        {
            busy = app.GetAsync("/patient");
            await gate.NextArrivalAsync();
        }
        Reply reply = await app.GetAsync(path);
        Assert.Equal(((HttpStatusCode)418, "too slow"), (reply.Status, reply.Body));
        gate.Open();
        if (busy is not null) Assert.Equal("io", (await busy).Ok());
        Assert.Equal("io", (await app.GetAsync("/patient")).Ok());
        await Patience.UntilAsync(() => app.Pool("io").GetSnapshot() is { InFlight: 0, QueueLength: 0 });

        static Task EndlessAsync(HttpContext context) => Task.Delay(Timeout.Infinite, context.RequestAborted);
    }

    public sealed class EndlessController : ControllerBase
    {
        [HttpGet("/action")]
        [RunOnPool("io")]
        public Task Endless(CancellationToken cancellation) => Task.Delay(Timeout.Infinite, cancellation);
    }

    [Fact]
    public async Task A_rate_limiter_refuses_before_the_pool_is_asked()
    {
        using var gate = new Gate();
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b => b.Services.AddRateLimiter(static o =>
            {
                o.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
                o.AddConcurrencyLimiter("one", static limit => limit.PermitLimit = 1);
            }),
            app =>
            {
                app.UseRateLimiter();
                app.MapGet("/", () => Held(gate)).RequireRateLimiting("one").RunOnPool();
            });
        Task<Reply> first = app.GetAsync("/");
        await gate.NextArrivalAsync();
        Assert.Equal(HttpStatusCode.TooManyRequests, (await app.GetAsync("/")).Status);
        gate.Open();
        Assert.Equal("cpu", (await first).Ok());
        Assert.Equal(1, app.Pool().GetSnapshot().Accepted);
    }

    [Fact]
    public async Task An_output_cache_keeps_answers_and_no_refusals()
    {
        using var gate = new Gate();
        int runs = 0;
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b =>
            {
                b.Services.AddOutputCache(static o => o.AddBasePolicy(static policy => policy.Expire(TimeSpan.FromMinutes(5))));
                b.Services.AddFixedThreadPool("tiny", static o => (o.Workers, o.QueueCapacity) = (1, 1));
            },
            app =>
            {
                app.UseOutputCache();
                app.MapGet("/cached", () => $"{Trail.Here} {Interlocked.Increment(ref runs)}").RunOnPool("tiny");
                app.MapGet("/blocks/{n}", (int n) => Held(gate)).RunOnPool("tiny");
            });
        Task<Reply> running = app.GetAsync("/blocks/1");
        await gate.NextArrivalAsync();
        Task<Reply> waiting = app.GetAsync("/blocks/2");
        await Patience.UntilAsync(() => app.Pool("tiny").GetSnapshot().QueueLength == 1);
        Reply refused = await app.GetAsync("/cached");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.Contains("Cache-Control: no-store", refused.Headers, StringComparison.Ordinal);
        gate.Open();
        await Task.WhenAll(running, waiting);

        Reply first = await app.GetAsync("/cached"), again = await app.GetAsync("/cached");
        Assert.Equal("tiny 1", first.Ok());
        Assert.Equal("tiny 1", again.Ok());
        Assert.True(first.IsFromPool);
        Assert.False(again.IsFromPool);
    }

    /// <summary>Stores responses of every status, unlike the framework's default policy, which stores none but 200.</summary>
    private sealed class StoreAll : IOutputCachePolicy
    {
        public ValueTask CacheRequestAsync(OutputCacheContext context, CancellationToken cancellation)
        {
            (context.EnableOutputCaching, context.AllowCacheLookup, context.AllowCacheStorage) = (true, true, true);
            context.ResponseExpirationTimeSpan = TimeSpan.FromMinutes(5);
            return ValueTask.CompletedTask;
        }

        public ValueTask ServeFromCacheAsync(OutputCacheContext context, CancellationToken cancellation) => ValueTask.CompletedTask;

        public ValueTask ServeResponseAsync(OutputCacheContext context, CancellationToken cancellation) => ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(false, 503)]
    [InlineData(true, 200)] // OnRejected answers instead
    public async Task A_refusal_is_not_stored_by_an_output_cache_that_would_store_its_status(bool isAnsweredByTheApp, int status)
    {
        using var gate = new Gate();
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            b =>
            {
                b.Services.AddOutputCache(static o => o.AddPolicy("all", static policy => policy.AddPolicy<StoreAll>(), excludeDefaultPolicy: true));
                FixedThreadPoolBuilder pool = b.Services.AddFixedThreadPool("tiny", static o => (o.Workers, o.QueueCapacity) = (1, 1));
                if (isAnsweredByTheApp)
                {
                    pool.OnRejected(static async (context, _) =>
                    {
                        context.Response.StatusCode = StatusCodes.Status200OK;
                        await context.Response.WriteAsync("busy", ConsumerApp.Token);
                        return true;
                    });
                }
            },
            app =>
            {
                app.UseOutputCache();
                app.MapGet("/cached", static () => Trail.Here).CacheOutput("all").RunOnPool("tiny");
                app.MapGet("/missing", static () => TypedResults.NotFound()).CacheOutput("all").RunOnPool("tiny");
                app.MapGet("/blocks/{n}", (int n) => Held(gate)).RunOnPool("tiny");
            });
        Assert.True((await app.GetAsync("/missing")).IsFromPool);
        Assert.False((await app.GetAsync("/missing")).IsFromPool); // the policy stores an error's status
        Task<Reply> running = app.GetAsync("/blocks/1");
        await gate.NextArrivalAsync();
        Task<Reply> waiting = app.GetAsync("/blocks/2");
        await Patience.UntilAsync(() => app.Pool("tiny").GetSnapshot().QueueLength == 1);
        Reply refused = await app.GetAsync("/cached");
        Assert.Equal(((HttpStatusCode)status, isAnsweredByTheApp), (refused.Status, refused.Body == "busy"));
        gate.Open();
        await Task.WhenAll(running, waiting);

        Assert.Equal("tiny", (await app.GetAsync("/cached")).Ok());
    }

    [Fact]
    public async Task Events_are_sent_one_by_one_off_the_pool_by_a_handler_on_it()
    {
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, app =>
            app.MapGet("/", (Trail trail) =>
            {
                trail.Add("handler");
                return TypedResults.ServerSentEvents(EventsAsync(trail, second.Task), "tick");
            }).RunOnPool());
        using HttpResponseMessage response = await app.Client.GetAsync(
            new Uri("/", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, ConsumerApp.Token);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        await using Stream body = await response.Content.ReadAsStreamAsync(ConsumerApp.Token);
        var seen = new List<string>();
        await foreach (SseItem<string> item in SseParser.Create(body).EnumerateAsync(ConsumerApp.Token))
        {
            seen.Add($"{item.EventType} {item.Data}");
            second.TrySetResult(); // the client has the first event before the second exists
        }
        Assert.Equal(["tick one", "tick two"], seen);
        Assert.Equal(["handler: cpu", "first event: server", "second event: server"], app.Trail.Take());

        static async IAsyncEnumerable<string> EventsAsync(Trail trail, Task second)
        {
            trail.Add("first event");
            yield return "one";
            await second;
            trail.Add("second event");
            yield return "two";
        }
    }

    private sealed class KeyScheme(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (!Request.Headers.TryGetValue("X-Key", out var key)) return Task.FromResult(AuthenticateResult.NoResult());
            var user = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, key.ToString())], Scheme.Name));
            return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(user, Scheme.Name)));
        }
    }

    [Fact]
    public async Task Authorization_and_CORS_decide_before_the_pool_and_the_user_is_known_on_it()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b =>
            {
                b.Services.AddAuthentication("key").AddScheme<AuthenticationSchemeOptions, KeyScheme>("key", null);
                b.Services.AddAuthorization();
                b.Services.AddHttpContextAccessor();
                b.Services.AddCors(static o => o.AddDefaultPolicy(static policy => policy.WithOrigins("https://shop.test").WithHeaders("X-Key")));
            },
            static app =>
            {
                app.UseCors();
                app.UseAuthentication();
                app.UseAuthorization();
                app.MapGet("/", static (ClaimsPrincipal user, IHttpContextAccessor accessor) =>
                    $"{Trail.Here} {user.Identity!.Name} {accessor.HttpContext?.User.Identity!.Name}").RequireAuthorization().RunOnPool();
            });
        (string, string) origin = ("Origin", "https://shop.test");
        Reply preflight = await app.SendAsync(
            HttpMethod.Options, "/", null, origin, ("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "X-Key"));
        Assert.Equal(HttpStatusCode.NoContent, preflight.Status);
        Reply stranger = await app.GetAsync("/", origin);
        Assert.Equal(HttpStatusCode.Unauthorized, stranger.Status);
        Assert.Contains("Access-Control-Allow-Origin: https://shop.test", stranger.Headers, StringComparison.Ordinal);
        Assert.Equal(0, app.Pool().GetSnapshot().Accepted);
        Reply friend = await app.GetAsync("/", origin, ("X-Key", "ada"));
        Assert.Equal("cpu ada ada", friend.Ok());
        Assert.Contains("Access-Control-Allow-Origin: https://shop.test", friend.Headers, StringComparison.Ordinal);
    }

    private sealed class ToStatus(Trail trail) : Microsoft.AspNetCore.Diagnostics.IExceptionHandler
    {
        public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
        {
            trail.Add(exception.Message);
            httpContext.Response.StatusCode = 418;
            await httpContext.Response.WriteAsync("handled", cancellationToken);
            return true;
        }
    }

    [Fact]
    public async Task An_exception_handler_receives_an_exception_that_is_thrown_on_the_pool()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b => b.Services.AddExceptionHandler<ToStatus>(),
            static app =>
            {
                app.UseExceptionHandler();
                app.MapGet("/now", string () => throw new InvalidOperationException("now")).RunOnPool();
                app.MapGet("/later", async Task<string> () =>
                {
                    await Task.Yield();
                    throw new InvalidOperationException("later");
                }).RunOnPool();
                app.MapGet("/lazy", static () => Enumerable.Range(0, 3).Select(static int (n) => throw new InvalidOperationException("lazy"))).RunOnPool();
            });
        foreach (string path in (string[])["now", "later", "lazy"])
        {
            Reply reply = await app.GetAsync("/" + path);
            Assert.Equal(((HttpStatusCode)418, "handled"), (reply.Status, reply.Body));
            Assert.Equal([path + ": server"], app.Trail.Take());
        }
        Assert.Equal(3, app.Pool().GetSnapshot().Counts[WorkOutcome.Failed]);
    }

    /// <summary>The error page is an endpoint on the pool too. It receives the context of the failed request.</summary>
    [Fact]
    public async Task A_request_that_failed_on_the_pool_may_be_executed_again_on_the_pool()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            app.UseExceptionHandler("/error");
            app.MapGet("/", string () => throw new InvalidOperationException("thrown on purpose")).RunOnPool();
            app.UseStatusCodePagesWithReExecute("/status/{0}");
            app.Map("/error", static () => Trail.Here).RunOnPool();
            app.Map("/status/{code:int}", static (int code) => TypedResults.Text($"{Trail.Here} {code}")).RunOnPool();
            app.Map("/status/410", static () => TypedResults.Ok(Trail.Here)).RunOnPool();
            app.MapGet("/{code:int}", static (int code) => TypedResults.StatusCode(code)).RunOnPool();
        });
        foreach (var (path, status, body) in ((string, int, string)[])
            [("/", 500, "cpu"), ("/missing", 404, "cpu 404"), ("/403", 403, "cpu 403"), ("/410", 200, "\"cpu\"")])
        {
            Reply reply = await app.GetAsync(path);
            Assert.Equal((path, (HttpStatusCode)status, body), (path, reply.Status, reply.Body));
        }
    }

    private static string Held(Gate gate)
    {
        gate.Pass();
        return Trail.Here;
    }
}
