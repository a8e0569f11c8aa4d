using System.Net;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Overload;

/// <summary>An out-of-memory exception before the work starts counts as overload: nothing has run, and the client may try again.</summary>
public class OutOfMemoryTests
{
    [Theory]
    [InlineData("/read")]
    [InlineData("/bind")]
    [InlineData("/filter")]
    [InlineData("/delegate")]
    public async Task A_request_that_runs_out_of_memory_before_its_work_starts_is_refused_as_overloaded(string path)
    {
        bool hasRun = false;
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.Use(static (context, next) =>
                {
                    if (context.Request.Path == "/read" || context.Request.Path == "/delegate") context.Request.Body = new HungryStream();
                    return next(context);
                });
                app.MapPost("/read", () => hasRun = true).RunOnPool();
                app.MapPost("/bind", (Hungry hungry) => hasRun = true).RunOnPool();
                app.MapPost("/filter", () => hasRun = true)
                    .AddEndpointFilter(static (_, _) => throw new InsufficientMemoryException("planted")).RunOnPool();
                app.MapPost("/delegate", (RequestDelegate)(_ =>
                {
                    hasRun = true;
                    return Task.CompletedTask;
                })).RunOnPool();
            },
            kestrel: true);

        using HttpResponseMessage answer = await app.Client.PostAsync(path, new ByteArrayContent(new byte[100]), TestApp.Token);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.NotNull(answer.Headers.RetryAfter);
        string problem = await answer.Content.ReadAsStringAsync(TestApp.Token);
        Assert.Contains("urn:poolapi:problem:overloaded", problem, StringComparison.Ordinal);
        Assert.Contains("Nothing has run.", problem, StringComparison.Ordinal);
        Assert.False(hasRun);
        Assert.Equal((0, 0L), (app.PoolContext().Bodies.Used, app.Pool.GetSnapshot().Accepted));
        Assert.DoesNotContain(app.Log.Lines, static line => line.Level >= LogLevel.Error);
    }

    [Fact]
    public async Task An_out_of_memory_exception_of_the_handler_reaches_middleware_and_HasStarted_is_true_only_then()
    {
        var seen = new List<(string Path, bool HasStarted)>();
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.Use(async (context, next) =>
            {
                try
                {
                    await next(context);
                }
                catch (Exception e) when (e.Message == "planted")
                {
                    seen.Add((context.Request.Path, PoolWork.HasStarted(context)));
                    context.Response.StatusCode = StatusCodes.Status500InternalServerError;
                }
            });
            app.MapGet("/work", string () => throw new InsufficientMemoryException("planted")).RunOnPool();
            app.MapGet("/filter", () => "done").AddEndpointFilter(static (_, _) => throw new InvalidOperationException("planted")).RunOnPool();
            app.MapGet("/elsewhere", string () => throw new InvalidOperationException("planted"));
        });
        foreach (string path in (string[])["/work", "/filter", "/elsewhere"])
        {
            using HttpResponseMessage answer = await app.Client.GetAsync(path, TestApp.Token);
            Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        }
        Assert.Equal([("/work", true), ("/filter", false), ("/elsewhere", false)], seen);
    }

    [Fact]
    public async Task An_out_of_memory_exception_after_a_job_is_committed_is_answered_500_without_Retry_After()
    {
        bool? hasStarted = null;
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.Use(async (context, next) =>
            {
                try
                {
                    await next(context);
                }
                catch (InsufficientMemoryException)
                {
                    hasStarted = PoolWork.HasStarted(context);
                    context.Response.StatusCode = StatusCodes.Status500InternalServerError;
                }
            });
            app.MapPost("/", static () => "done").RunOnPool().WithMetadata(new Intake());
        });

        using HttpResponseMessage answer = await app.Client.PostAsync("/", null, TestApp.Token);

        Assert.Equal((HttpStatusCode.InternalServerError, null), (answer.StatusCode, answer.Headers.RetryAfter));
        Assert.True(hasStarted);
    }

    [Theory]
    [InlineData(true)] // no memory to queue the first entry
    [InlineData(false)] // no memory to queue the entry for further requests
    public async Task Requests_are_answered_though_the_ThreadPool_has_no_memory_for_their_continuations(bool isFirst)
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(app => app.MapGet("/", () => gate.Pass()).RunOnPool());
        var continuations = new HungryContinuations { IsHungry = isFirst };
        app.PoolContext().Continuations = continuations;
        Task<string>[] sent = [.. Enumerable.Range(0, 3).Select(_ => app.Client.GetStringAsync("/", TestApp.Token))];
        await gate.NextArrivalAsync();
        await app.UntilQueued(2);

        gate.Open();
        if (!isFirst)
        {
            await Patience.UntilAsync(() => app.Pool.GetSnapshot().Counts[WorkOutcome.Completed] == 3, "the three requests have run");
            Assert.DoesNotContain(sent, static s => s.IsCompleted);
            continuations.IsHungry = true;
            continuations.RunHeldEntry();
        }

        Assert.All(await Task.WhenAll(sent).Patiently(), static s => Assert.Equal("passed", s));
        continuations.IsHungry = false;
        Task<string> next = app.Client.GetStringAsync("/", TestApp.Token);
        await Patience.UntilAsync(() => continuations.IsEntryHeld, "the continuation is queued");
        continuations.RunHeldEntry();
        Assert.Equal("passed", await next.Patiently());
    }

    [Fact]
    public async Task A_first_request_that_finds_no_memory_for_its_endpoint_fails_and_the_next_does_not()
    {
        bool isHungry = true;
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static () => "done").RunOnPool(),
            configure: b => b.Services.AddSingleton(
                services => isHungry ? throw new InsufficientMemoryException("planted") : ActivatorUtilities.CreateInstance<RequestGate>(services)),
            kestrel: true);
        using HttpResponseMessage first = await app.Client.GetAsync("/", TestApp.Token);
        Assert.Equal(HttpStatusCode.InternalServerError, first.StatusCode);

        isHungry = false;

        Assert.Equal("done", await app.Client.GetStringAsync("/", TestApp.Token));
    }

    /// <summary>Holds the entry instead of queuing it to the ThreadPool, or throws as if there were no memory for it.</summary>
    private sealed class HungryContinuations : RequestContinuations
    {
        private volatile bool _isHungry;
        private volatile bool _isEntryHeld;

        public bool IsHungry
        {
            get => _isHungry;
            set => _isHungry = value;
        }

        public bool IsEntryHeld => _isEntryHeld;

        public void RunHeldEntry()
        {
            Assert.True(_isEntryHeld);
            _isEntryHeld = false;
            ((IThreadPoolWorkItem)this).Execute();
        }

        protected override void Queue()
        {
            if (_isHungry) throw new InsufficientMemoryException("planted");
            _isEntryHeld = true;
        }
    }

    /// <summary>Commits each request as a job, and then runs out of memory for the response.</summary>
    private sealed class Intake : IRequestIntake, IRequestStoreFeature
    {
        private HttpContext? _context;

        public Task? TryTake(HttpContext context, StoredRequestDelegates stored)
        {
            _context = context;
            context.Features.Set<IRequestStoreFeature>(this);
            return stored.Store(context);
        }

        public ValueTask<object?> StoreAsync()
        {
            StoredRequestDelegates.Committed(_context!);
            throw new InsufficientMemoryException("planted");
        }
    }

    /// <summary>A parameter whose binding runs out of memory.</summary>
    private sealed record Hungry
    {
        public static ValueTask<Hungry?> BindAsync(HttpContext context) => throw new InsufficientMemoryException("planted");
    }

    /// <summary>A body whose reading runs out of memory.</summary>
    private sealed class HungryStream : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw new InsufficientMemoryException("planted");
    }
}
