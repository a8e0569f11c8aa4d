using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Filters;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Endpoints;

/// <summary>The <see cref="PoolRequest"/> of a request is reused for later requests, unless other code may still hold it.</summary>
public sealed class ReuseTests
{
    [Fact]
    public async Task The_next_request_reuses_the_object_of_a_completed_request()
    {
        await using TestApp app = await StartAsync();
        Assert.Same(await SeenAsync(app, "/plain"), await SeenAsync(app, "/plain"));
        Assert.Same(await SeenAsync(app, "/filtered"), await SeenAsync(app, "/filtered")); // with a filter around the pool
        PoolRequest failed = await SeenAsync(app, "/fails");
        Assert.Same(failed, await SeenAsync(app, "/fails"));
    }

    [Theory]
    [InlineData("/token")] // the handler may have kept the work's token
    [InlineData("/aborted")] // the same, read from the context
    [InlineData("/asynchronous")] // continuations may run later
    [InlineData("/limited")] // the handler may continue after its limit
    [InlineData("/stream")] // the response is written after the work
    [InlineData("/cached")] // a callback of the response holds the object
    public async Task A_request_object_that_other_code_may_still_hold_is_not_reused(string path)
    {
        await using TestApp app = await StartAsync();
        Assert.NotSame(await SeenAsync(app, path), await SeenAsync(app, path));
    }

    [Fact]
    public async Task Middleware_still_reads_HasStarted_of_a_completed_request_whose_object_is_released()
    {
        var started = new ConcurrentQueue<bool>();
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.Use(async (context, next) =>
            {
                await next(context);
                Assert.Null(context.Features.Get<PoolRequest>()?.Context);
                started.Enqueue(PoolWork.HasStarted(context));
            });
            app.MapGet("/", static () => "ok").RunOnPool();
        });
        for (int i = 0; i < 3; i++) await app.Client.GetStringAsync("/", TestApp.Token);
        Assert.Equal([true, true, true], started);
    }

    [Fact]
    public async Task A_client_that_disconnects_does_not_cancel_the_request_of_another_client()
    {
        const int Clients = 8, Rounds = 60;
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/{id}", static (string id) => id).RunOnPool(),
            new() { ["Pool:Workers"] = "2", ["Pool:OverloadControl"] = "false" }, kestrel: true);
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async client =>
        {
            for (int round = 0; round < Rounds; round++)
            {
                string id = string.Create(CultureInfo.InvariantCulture, $"{client}-{round}");
                if (client % 2 == 0)
                {
                    Assert.Equal(id, await app.Client.GetStringAsync("/" + id, TestApp.Token));
                    continue;
                }
                // The client disconnects at an arbitrary point of its request.
                using RawConnection leaver = await app.ConnectAsync();
                await leaver.SendAsync($"GET /{id} HTTP/1.1\r\nHost: x\r\n\r\n");
            }
        }));
    }

    [Theory]
    [InlineData("/reading/bound")]
    [InlineData("/reading/filter")]
    [InlineData("/reading/action")]
    public async Task A_token_read_before_a_reused_request_object_runs_is_cancelled_when_the_client_disconnects(string path)
    {
        await using TestApp app = await StartAsync(kestrel: true);
        var seen = app.App.Services.GetRequiredService<Seen>();
        Assert.Same(await SeenAsync(app, path), await SeenAsync(app, path));
        PoolRequest reused = await SeenAsync(app, path);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync($"GET {path}?read HTTP/1.1\r\nHost: x\r\n\r\n");
        await seen.Waits.Task.Patiently();
        Assert.Same(reused, seen.Request);

        client.Reset();

        await Patience.UntilAsync(() => app.Pool.GetSnapshot().Counts[WorkOutcome.Cancelled] == 1, "the run is cancelled");
        Assert.Equal(0, app.Pool.GetSnapshot().Counts[WorkOutcome.Failed]);
        await seen.Over.WaitAsync(TestApp.Token);
        Assert.NotSame(reused, await SeenAsync(app, path)); // the token's callbacks may refer to the object
    }

    private static async Task<PoolRequest> SeenAsync(TestApp app, string path)
    {
        var seen = app.App.Services.GetRequiredService<Seen>();
        using HttpResponseMessage answer = await app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
        await answer.Content.ReadAsStringAsync(TestApp.Token);
        await seen.Over.WaitAsync(TestApp.Token);
        return Assert.IsType<PoolRequest>(seen.Request);
    }

    private static Task<TestApp> StartAsync(bool kestrel = false) => TestApp.StartAsync(
        static app =>
        {
            var seen = app.Services.GetRequiredService<Seen>();
            app.Use(async (context, next) =>
            {
                try
                {
                    await next(context);
                }
                catch (InvalidOperationException)
                {
                    context.Response.StatusCode = 500;
                }
                finally
                {
                    seen.Over.Release();
                }
            });
            app.UseOutputCache();
            app.MapGet("/plain", static (HttpContext context) => See(context)).RunOnPool();
            app.MapGet("/filtered", static (HttpContext context) => See(context)).AddEndpointFilter(static (context, next) => next(context)).RunOnPool();
            app.MapGet("/fails", static string (HttpContext context) => throw new InvalidOperationException(See(context))).RunOnPool();
            app.MapGet("/token", static (HttpContext context, CancellationToken token) => See(context) + token.CanBeCanceled).RunOnPool();
            app.MapGet("/aborted", static (HttpContext context) => See(context) + context.RequestAborted.CanBeCanceled).RunOnPool();
            app.MapGet("/asynchronous", static Task<string> (HttpContext context, [FromQuery] string? _) => Task.FromResult(See(context))).RunOnPool();
            app.MapGet("/limited", static (HttpContext context) => See(context)).RunOnPool(configure: static o => o.MaxRunTime = TimeSpan.FromMinutes(1));
            app.MapGet("/stream", static IResult (HttpContext context) => TypedResults.Stream(new MemoryStream([1]), See(context))).RunOnPool();
            app.MapGet("/cached", static (HttpContext context) => See(context)).CacheOutput(static p => p.VaryByValue(static _ => new("n", Guid.NewGuid().ToString()))).RunOnPool();
            app.MapGet("/reading/bound", static (HttpContext context, Reading _) => Wait(context)).RunOnPool();
            app.MapGet("/reading/filter", static (HttpContext context) => Wait(context))
                .AddEndpointFilter(static (invocation, next) =>
                {
                    Read(invocation.HttpContext);
                    return next(invocation);
                })
                .RunOnPool();
            app.MapControllers();
        },
        configure: static builder =>
        {
            builder.Services.AddSingleton<Seen>();
            builder.Services.AddOutputCache();
            builder.Services.AddControllers().AddApplicationPart(typeof(ReuseTests).Assembly);
        },
        kestrel: kestrel);

    /// <summary>Reads the work's token, as binding or a filter may do for some requests only.</summary>
    internal static void Read(HttpContext context)
    {
        if (context.Request.Query.ContainsKey("read")) context.Items["token"] = context.RequestAborted;
    }

    /// <summary>Waits for the cancellation of the token that was read before.</summary>
    internal static string Wait(HttpContext context)
    {
        string seen = See(context);
        if (context.Items["token"] is not CancellationToken token) return seen;
        context.RequestServices.GetRequiredService<Seen>().Waits.SetResult();
        token.WaitHandle.WaitOne(Patience.Long);
        token.ThrowIfCancellationRequested();
        return "never";
    }

    private sealed record Reading
    {
        public static ValueTask<Reading?> BindAsync(HttpContext context)
        {
            Read(context);
            return ValueTask.FromResult<Reading?>(new());
        }
    }

    private static string See(HttpContext context)
    {
        context.RequestServices.GetRequiredService<Seen>().Request = context.Features.GetRequiredFeature<PoolRequest>();
        return "text/plain";
    }

    private sealed class Seen
    {
        public PoolRequest? Request { get; set; }

        /// <summary>Completes when a handler waits for its token.</summary>
        public TaskCompletionSource Waits { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Released when the app's whole pipeline has finished with a request.</summary>
        public SemaphoreSlim Over { get; } = new(0);
    }
}

/// <summary>An action whose filter reads the work's token for some requests.</summary>
[Route("reading/action")]
public sealed class ReadingController : ControllerBase
{
    [HttpGet]
    [RunOnPool]
    [Reads]
    public string Get() => ReuseTests.Wait(HttpContext);

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class ReadsAttribute : Attribute, IAsyncActionFilter
    {
        public Task OnActionExecutionAsync(ActionExecutingContext context, ActionExecutionDelegate next)
        {
            ReuseTests.Read(context.HttpContext);
            return next();
        }
    }
}
