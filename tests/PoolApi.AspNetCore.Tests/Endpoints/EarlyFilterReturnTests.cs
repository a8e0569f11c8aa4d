using System.Globalization;
using System.Net;
using System.Text;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Filters;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Endpoints;

/// <summary>
/// A filter around the pool stops waiting for its handler, which it gives up. The client receives the filter's response, and the request stays open
/// until the handler has returned.
/// </summary>
public sealed class EarlyFilterReturnTests
{
    [Theory]
    [InlineData("/given-up/synchronous")]
    [InlineData("/given-up/asynchronous")]
    [InlineData("/given-up/limited")]
    [InlineData("/given-up-action")]
    [InlineData("/given-up/lazy", "[\"passed\"]")] // its result is read into memory
    public async Task The_client_receives_the_filters_response_before_the_handler_returns_and_the_request_ends_afterwards(string path, string passed = "passed")
    {
        using var late = new Late();
        await using TestApp app = await StartAsync(late);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync($"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        await late.Gate.NextArrivalAsync();
        late.GiveUp.SetResult();

        string answer = await client.ReadResponseAsync();

        Assert.StartsWith("HTTP/1.1 504 ", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close", answer, StringComparison.Ordinal); // the connection's next request would wait for the handler
        Assert.False(late.HasReturned);
        Assert.Equal("plain", await app.Client.GetStringAsync("/given-up/plain", TestApp.Token)); // on the other worker
        Assert.Equal("plain", await app.Client.GetStringAsync("/plain", TestApp.Token));

        late.Gate.Open();
        Assert.Equal((path, false), await late.Seen.Task.Patiently());
        Assert.Equal("", await client.ReadToEndAsync());
        Assert.True(late.HasReturnedAtEnd);
        for (int i = 0; i < 3; i++)
        {
            using HttpResponseMessage next = await app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
            Assert.Equal((HttpStatusCode.OK, passed), (next.StatusCode, await next.Content.ReadAsStringAsync(TestApp.Token)));
        }
        Assert.DoesNotContain(app.Log.Lines, static line => line.Level >= LogLevel.Warning);
    }

    [Theory]
    [InlineData("/given-up/synchronous")]
    [InlineData("/given-up/lazy")]
    public async Task The_client_reads_the_whole_body_of_the_filters_response_while_the_handler_runs(string path)
    {
        using var late = new Late();
        await using TestApp app = await StartAsync(late);
        Task<HttpResponseMessage> sent = app.Client.GetAsync(new Uri(path + "?body", UriKind.Relative), TestApp.Token);
        await late.Gate.NextArrivalAsync();
        late.GiveUp.SetResult();
        using HttpResponseMessage answer = await sent;
        Assert.Equal("given up", await answer.Content.ReadAsStringAsync(TestApp.Token));
        Assert.False(late.HasReturned);
        late.Gate.Open();
        Assert.Equal((path, false), await late.Seen.Task.Patiently());
    }

    [Fact]
    public async Task A_request_object_whose_handler_still_runs_is_not_reused()
    {
        using var late = new Late();
        await using TestApp app = await StartAsync(late);
        Task<HttpResponseMessage> first = app.Client.GetAsync(new Uri("/given-up/synchronous", UriKind.Relative), TestApp.Token);
        await late.Gate.NextArrivalAsync();
        late.GiveUp.SetResult();
        using HttpResponseMessage givenUp = await first;
        Assert.Equal(HttpStatusCode.GatewayTimeout, givenUp.StatusCode);
        Task<HttpResponseMessage> second = app.Client.GetAsync(new Uri("/given-up/synchronous", UriKind.Relative), TestApp.Token);
        await late.Gate.NextArrivalAsync();
        late.Gate.Open();
        using HttpResponseMessage served = await second;
        Assert.NotEqual(HttpStatusCode.InternalServerError, served.StatusCode);
        Assert.Equal(2, late.Requests.Distinct().Count());
    }

    [Fact]
    public async Task A_request_that_is_given_up_in_the_queue_leaves_it_and_never_runs()
    {
        using var late = new Late();
        await using TestApp app = await StartAsync(late, workers: 1);
        Task<HttpResponseMessage> running = app.Client.GetAsync(new Uri("/blocks", UriKind.Relative), TestApp.Token);
        await late.Gate.NextArrivalAsync();
        Task<HttpResponseMessage> queued = app.Client.GetAsync(new Uri("/given-up/synchronous", UriKind.Relative), TestApp.Token);
        await app.UntilQueued(1);
        late.GiveUp.SetResult();

        using HttpResponseMessage answer = await queued;

        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
        Assert.Equal((0, 1L), (app.Pool.GetSnapshot().QueueLength, app.Pool.GetSnapshot().Counts[WorkOutcome.Cancelled]));
        late.Gate.Open();
        (await running).Dispose();
        Assert.Equal("plain", await app.Client.GetStringAsync("/plain", TestApp.Token));
        Assert.Empty(late.Requests);
    }

    [Fact]
    public async Task The_token_of_a_handler_that_its_filter_gives_up_is_cancelled()
    {
        using var late = new Late();
        await using TestApp app = await StartAsync(late, workers: 1);
        Task<HttpResponseMessage> sent = app.Client.GetAsync(new Uri("/given-up/listening", UriKind.Relative), TestApp.Token);
        await late.Gate.NextArrivalAsync();
        late.GiveUp.SetResult();
        using HttpResponseMessage answer = await sent;
        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
        Assert.Equal("plain", await app.Client.GetStringAsync("/plain", TestApp.Token)); // on the only worker
        Assert.Equal(1, app.Pool.GetSnapshot().Counts[WorkOutcome.Cancelled]);
    }

    [Fact]
    public async Task An_exception_of_a_filter_that_gives_up_reaches_the_middleware_after_the_handler_returns()
    {
        using var late = new Late();
        await using TestApp app = await StartAsync(late);
        Task<HttpResponseMessage> sent = app.Client.GetAsync(new Uri("/throws", UriKind.Relative), TestApp.Token);
        await late.Gate.NextArrivalAsync();
        late.GiveUp.SetResult();
        await late.Cancelled.Task.Patiently(); // the filter has given the request up
        late.Gate.Open();
        using HttpResponseMessage answer = await sent;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode); // the middleware sets it
        Assert.True(late.HasReturnedAtEnd);
    }

    [Fact]
    public async Task The_quota_of_a_request_that_was_given_up_is_free_when_its_handler_has_returned()
    {
        using var late = new Late();
        using PartitionedRateLimiter<HttpContext> oneAtATime = PartitionedRateLimiter.Create<HttpContext, int>(
            static _ => RateLimitPartition.GetConcurrencyLimiter(0, static _ => new ConcurrencyLimiterOptions { PermitLimit = 1 }));
        await using TestApp app = await StartAsync(late, quota: oneAtATime);
        Task<HttpResponseMessage> sent = app.Client.GetAsync(new Uri("/given-up/synchronous", UriKind.Relative), TestApp.Token);
        await late.Gate.NextArrivalAsync();
        late.GiveUp.SetResult();
        (await sent).Dispose();
        using (HttpResponseMessage refused = await app.Client.GetAsync(new Uri("/plain", UriKind.Relative), TestApp.Token))
            Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        late.Gate.Open();
        await Patience.UntilAsync(
            async () =>
            {
                using HttpResponseMessage next = await app.Client.GetAsync(new Uri("/plain", UriKind.Relative), TestApp.Token);
                return next.StatusCode == HttpStatusCode.OK;
            },
            "the quota is free");
    }

    [Fact]
    public async Task A_request_that_is_given_up_while_its_store_awaits_stays_open_until_it_is_stored()
    {
        var (giveUp, store) = (new TaskCompletionSource(), new TaskCompletionSource());
        var stored = new TaskCompletionSource<string>();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapPost("/", static (int? unused) => "ran")
                .AddEndpointFilter(async (invocation, next) => await Task.WhenAny(next(invocation).AsTask(), giveUp.Task) == giveUp.Task ? Results.StatusCode(504) : "stored")
                .RunOnPool()
                .WithMetadata(new Intake(async context =>
                {
                    giveUp.SetResult();
                    await store.Task;
                    stored.SetResult(Encoding.UTF8.GetString(context.Features.GetRequiredFeature<IBufferedBodyFeature>().Body.Span));
                })),
            kestrel: true);
        using var content = new StringContent("the body");
        using HttpResponseMessage answer = await app.Client.PostAsync(new Uri("/", UriKind.Relative), content, TestApp.Token);
        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
        store.SetResult();
        Assert.Equal("the body", await stored.Task.Patiently());
    }

    [Fact]
    public async Task A_request_that_is_given_up_before_its_store_awaits_stays_open_until_it_is_stored()
    {
        using var gate = new Gate();
        var stored = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapPost("/", static (int? unused) => "ran")
                .AddEndpointFilter(async (invocation, next) =>
                {
                    // On another thread, as if a filter between the two had awaited.
                    _ = Task.Run(() => next(invocation).AsTask(), TestApp.Token);
                    await gate.NextArrivalAsync();
                    return Results.StatusCode(504);
                })
                .RunOnPool()
                .WithMetadata(new Intake(context =>
                {
                    gate.Pass(CancellationToken.None); // before the store's first await
                    try
                    {
                        stored.SetResult(Encoding.UTF8.GetString(context.Features.GetRequiredFeature<IBufferedBodyFeature>().Body.Span));
                    }
                    catch (Exception e)
                    {
                        stored.SetException(e);
                    }
                    return Task.CompletedTask;
                })),
            kestrel: true);
        using var content = new StringContent("the body");
        using HttpResponseMessage answer = await app.Client.PostAsync(new Uri("/", UriKind.Relative), content, TestApp.Token);
        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
        gate.Open();
        Assert.Equal("the body", await stored.Task.Patiently());
    }

    [Theory]
    [InlineData("/unlimited")]
    [InlineData("/limited")]
    public async Task Under_the_output_cache_the_client_reads_the_filters_whole_response_while_the_handler_runs(string path)
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.UseOutputCache();
                RouteGroupBuilder givenUp = app.MapGroup("").CacheOutput().AddEndpointFilter(async (invocation, next) =>
                {
                    _ = next(invocation).AsTask();
                    await gate.NextArrivalAsync();
                    return Results.Json("given up", statusCode: 504); // no Content-Length
                });
                givenUp.MapGet("/unlimited", () => gate.Pass()).RunOnPool();
                givenUp.MapGet("/limited", () => gate.Pass()).RunOnPool(configure: static o => o.MaxRunTime = TimeSpan.FromHours(1));
            },
            configure: static b => b.Services.AddOutputCache(),
            kestrel: true);
        Assert.Equal("\"given up\"", await (await app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token)).Content.ReadAsStringAsync(TestApp.Token));
        gate.Open();
    }

    [Fact]
    public async Task A_filter_that_calls_the_handler_after_the_response_receives_an_InvalidOperationException()
    {
        Func<Task<object?>>? call = null;
        var exceptions = new List<Exception?>();
        int runs = 0;
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.Use(async (context, next) =>
            {
                await next(context);
                exceptions.Add(await Record.ExceptionAsync(call!)); // while the context is still valid
            });
            app.MapGet("/", () => Interlocked.Increment(ref runs))
                .AddEndpointFilter((invocation, next) =>
                {
                    call = () => next(invocation).AsTask();
                    return invocation.HttpContext.Request.Query.ContainsKey("now") ? next(invocation) : ValueTask.FromResult<object?>("early");
                })
                .RunOnPool();
        });
        foreach (string path in (string[])["/", "/?now"]) await app.Client.GetStringAsync(new Uri(path, UriKind.Relative), TestApp.Token);
        Assert.All(exceptions, static e => Assert.IsType<InvalidOperationException>(e));
        Assert.Equal((2, 1), (exceptions.Count, runs));
    }

    [Theory]
    [InlineData("/synchronous")]
    [InlineData("/asynchronous")]
    [InlineData("/expires")]
    public async Task A_handler_that_a_filter_runs_again_sees_its_client_disconnect(string path)
    {
        using var gate = new Gate();
        int calls = 0;
        var isSecond = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                RouteGroupBuilder retried = app.MapGroup("").AddEndpointFilter(async (invocation, next) =>
                {
                    object? result;
                    try
                    {
                        result = await next(invocation);
                    }
                    catch (IOException)
                    {
                        return await next(invocation);
                    }
                    while (result is Rejection { Info.Problem: "expired" }) result = await next(invocation);
                    return result;
                });
                retried.MapGet("/synchronous", (CancellationToken token) => Run(token)).RunOnPool();
                retried.MapGet("/asynchronous", async (CancellationToken token) =>
                {
                    await Task.Yield();
                    return Run(token);
                }).RunOnPool();
                retried.MapGet("/expires", (CancellationToken token) => Wait(token)).RunOnPool(configure: static o => o.MaxQueueTime = TimeSpan.FromMilliseconds(50));
                app.MapGet("/blocks", () => gate.Pass()).RunOnPool();
            },
            new() { ["Pool:OverloadControl"] = "false" }, kestrel: true);
        Task<string> blocks = Task.FromResult("");
        if (path == "/expires")
        {
            blocks = app.Client.GetStringAsync("/blocks", TestApp.Token);
            await gate.NextArrivalAsync();
        }
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync($"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        if (path == "/expires") await Patience.UntilAsync(() => app.Pool.GetSnapshot().Counts[WorkOutcome.Expired] >= 1, "a run has expired");
        gate.Open();
        await blocks;
        await isSecond.Task.Patiently();

        client.Reset();

        await Patience.UntilAsync(() => app.Pool.GetSnapshot().Counts[WorkOutcome.Cancelled] == 1, "the second run is cancelled");

        string Run(CancellationToken token) => Interlocked.Increment(ref calls) == 1 ? throw new IOException() : Wait(token);

        string Wait(CancellationToken token)
        {
            isSecond.TrySetResult();
            token.WaitHandle.WaitOne(Patience.Long);
            token.ThrowIfCancellationRequested();
            return "never";
        }
    }

    private static Task<TestApp> StartAsync(Late late, int workers = 2, PartitionedRateLimiter<HttpContext>? quota = null) => TestApp.StartAsync(
        app =>
        {
            app.Use(async (context, next) =>
            {
                try
                {
                    await next(context);
                }
                catch (TimeoutException)
                {
                    context.Response.StatusCode = 503;
                }
                finally
                {
                    // Never resets the flag: another request may end later, with an older value of HasReturned.
                    if (late.HasReturned) late.HasReturnedAtEnd = true;
                }
            });
            RouteGroupBuilder givenUp = app.MapGroup("/given-up").AddEndpointFilter(async (invocation, next) =>
            {
                Task<object?> work = next(invocation).AsTask();
                return await Task.WhenAny(work, late.GiveUpOnce) == work ? await work
                    : invocation.HttpContext.Request.Query.ContainsKey("body") ? Results.Text("given up", statusCode: 504)
                    : Results.StatusCode(504);
            });
            givenUp.MapGet("/synchronous", (HttpContext context) => late.Run(context)).RunOnPool();
            givenUp.MapGet("/asynchronous", async (HttpContext context) =>
            {
                await Task.Yield();
                return late.Run(context);
            }).RunOnPool();
            givenUp.MapGet("/limited", (HttpContext context) => late.Run(context)).RunOnPool(configure: static o => o.MaxRunTime = TimeSpan.FromHours(1));
            givenUp.MapGet("/lazy", (HttpContext context) => late.RunLazily(context)).RunOnPool();
            givenUp.MapGet("/plain", static () => "plain").RunOnPool();
            givenUp.MapGet("/listening", string (CancellationToken token) =>
            {
                late.Gate.Pass(token);
                return "passed";
            }).RunOnPool();
            app.MapGet("/throws", (HttpContext context, CancellationToken token) => late.Run(context, token))
                .AddEndpointFilter(async (invocation, next) => await Task.WhenAny(next(invocation).AsTask(), late.GiveUpOnce) is Task<object?> work ? await work : throw new TimeoutException())
                .RunOnPool();
            app.MapGet("/plain", static () => "plain").RunOnPool();
            app.MapGet("/blocks", () => late.Gate.Pass()).RunOnPool();
            app.MapControllers();
        },
        new() { ["Pool:Workers"] = workers.ToString(CultureInfo.InvariantCulture), ["Pool:OverloadControl"] = "false" },
        builder =>
        {
            builder.Services.AddSingleton(late);
            builder.Services.AddControllers().AddApplicationPart(typeof(EarlyFilterReturnTests).Assembly);
            if (quota is not null) builder.Services.Configure<PoolOptions>("cpu", o => o.Quota = quota);
        },
        kestrel: true);

    /// <summary>Stores every request.</summary>
    private sealed class Intake(Func<HttpContext, Task> store) : IRequestIntake
    {
        public Task? TryTake(HttpContext context, StoredRequestDelegates stored)
        {
            context.Features.Set<IRequestStoreFeature>(new Store(context, store));
            return stored.Store(context);
        }

        private sealed class Store(HttpContext context, Func<HttpContext, Task> store) : IRequestStoreFeature
        {
            public async ValueTask<object?> StoreAsync()
            {
                await store(context);
                return "stored";
            }
        }
    }

    /// <summary>A handler that ignores cancellation, and the signal on which its filter gives it up.</summary>
    internal sealed class Late : IDisposable
    {
        public Gate Gate { get; } = new();

        public TaskCompletionSource GiveUp { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Completes for the first request only: the filter never gives up a later one.</summary>
        public Task GiveUpOnce => Interlocked.Exchange(ref _isGivenUp, true) ? Task.Delay(Timeout.Infinite, TestApp.Token) : GiveUp.Task;

        public TaskCompletionSource<(string Path, bool IsScopeDisposed)> Seen { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Cancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<PoolRequest> Requests { get; } = [];

        public bool HasReturned { get; private set; }

        public bool HasReturnedAtEnd { get; set; }

        private bool _isGivenUp;

        public string Run(HttpContext context, CancellationToken token = default)
        {
            lock (Requests) Requests.Add(context.Features.GetRequiredFeature<PoolRequest>());
            using CancellationTokenRegistration registration = token.Register(() => Cancelled.TrySetResult());
            string passed = Gate.Pass(CancellationToken.None);
            Seen.TrySetResult((context.Request.Path, IsDisposed(context.RequestServices)));
            HasReturned = true;
            return passed;
        }

        public IEnumerable<string> RunLazily(HttpContext context)
        {
            yield return Run(context);
        }

        private static bool IsDisposed(IServiceProvider services)
        {
            try
            {
                services.GetRequiredService<Late>();
                return false;
            }
            catch (Exception)
            {
                return true;
            }
        }

        public void Dispose() => Gate.Dispose();
    }
}

[Route("given-up-action")]
public sealed class GivenUpController : ControllerBase
{
    [HttpGet]
    [RunOnPool]
    [GiveUp]
    public string Get() => HttpContext.RequestServices.GetRequiredService<EarlyFilterReturnTests.Late>().Run(HttpContext);

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class GiveUpAttribute : Attribute, IAsyncActionFilter
    {
        public async Task OnActionExecutionAsync(ActionExecutingContext context, ActionExecutionDelegate next)
        {
            Task<ActionExecutedContext> work = next();
            if (await Task.WhenAny(work, context.HttpContext.RequestServices.GetRequiredService<EarlyFilterReturnTests.Late>().GiveUpOnce) == work) await work;
            else context.Result = new StatusCodeResult(504);
        }
    }
}
