using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.OutputCaching;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests.Shutdown;

/// <summary>A streamed response is in flight after its handler has returned, as long as the response is being written.</summary>
public class StreamStopTests
{
    public static TheoryData<string> Forms => [.. Streams.Forms];

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task A_stream_without_an_end_is_in_flight_and_is_cancelled_at_the_deadline(string form)
    {
        var streams = new Streams();
        await using TestApp app = await StartAsync(streams, "00:00:00.100");
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync($"GET /{form} HTTP/1.1\r\nHost: x\r\n\r\n");
        await streams.HasBegun.Task.WaitAsync(TestApp.Token);

        await app.App.StopAsync(TestApp.Token);

        Assert.True(streams.HasBeenCancelled.Task.IsCompleted, "the stream's token was not cancelled before the stop was over");
        Assert.Matches("^Shutdown: Draining, reason application, 1 in flight, 0 queued, ", Assert.Single(app.Log.With("Shutdown: Draining")));
        Assert.Matches("^Shutdown: Cancelling, reason application, 1 in flight, 0 queued, ", Assert.Single(app.Log.With("Shutdown: Cancelling")));
        Assert.Matches("^Shutdown: Joining, reason application, 0 in flight, 0 queued, ", Assert.Single(app.Log.With("Shutdown: Joining")));
        Assert.Contains("accepted 1, completed 1,", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
        Assert.DoesNotContain(app.Log.Lines, static line => line.Level >= LogLevel.Error && !line.Text.StartsWith("Shutdown", StringComparison.Ordinal));
        // An array that is cut off must not look as if it were whole.
        if (form.StartsWith("json", StringComparison.Ordinal)) Assert.DoesNotContain("\r\n0\r\n", await ReadToTheCutAsync(client), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task A_stream_that_ends_before_the_deadline_is_written_to_its_end(string form)
    {
        var streams = new Streams();
        await using TestApp app = await StartAsync(streams, "00:01:00", kestrel: false);
        Task<string> answer = app.Client.GetStringAsync($"/{form}", TestApp.Token);
        await streams.HasBegun.Task.WaitAsync(TestApp.Token);
        Task stop = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.State == ShutdownState.Draining, "draining");

        streams.End.SetResult();

        Assert.Contains("last", await answer, StringComparison.Ordinal);
        await stop;
        Assert.False(streams.HasBeenCancelled.Task.IsCompleted);
        Assert.Empty(app.Log.With("Shutdown: Cancelling"));
        Assert.Equal(0, app.Shutdown.Responses.Count);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task The_token_of_a_stream_is_cancelled_when_its_client_disconnects(string form)
    {
        var streams = new Streams();
        await using TestApp app = await StartAsync(streams, "00:01:00");
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync($"GET /{form} HTTP/1.1\r\nHost: x\r\n\r\n");
        await streams.HasBegun.Task.WaitAsync(TestApp.Token);

        client.Reset();

        await streams.HasBeenCancelled.Task.Patiently();
        await Patience.UntilAsync(() => app.Shutdown.Responses.Count == 0, "the response has ended");
    }

    [Fact]
    public async Task A_stream_that_ignores_cancellation_does_not_block_the_stop()
    {
        var streams = new Streams { Listens = false };
        await using TestApp app = await StartAsync(streams, "00:00:00.050", cancel: "00:00:00.050", kestrel: false);
        using HttpResponseMessage response = await app.Client.GetAsync("/stream", HttpCompletionOption.ResponseHeadersRead, TestApp.Token);
        await streams.HasBegun.Task.WaitAsync(TestApp.Token);

        await app.App.StopAsync(TestApp.Token);

        Assert.Matches("^Shutdown: Joining, reason application, 1 in flight, 0 queued, ", Assert.Single(app.Log.With("Shutdown: Joining")));
        Assert.Single(app.Log.With("Shutdown complete"));
        streams.End.SetResult();
    }

    [Fact]
    public async Task A_large_unread_response_is_in_flight_until_the_deadline_cuts_it_off()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static () => TypedResults.Bytes(new byte[24 << 20])).RunOnPool(),
            new() { ["Shutdown:Drain"] = "00:00:00.100", ["Shutdown:Cancel"] = "00:00:00" },
            // Only the stop may cut the response off.
            static builder => builder.Services.AddSingleton(new ResponseBudget(30_000_000) { StallTimeout = Timeout.InfiniteTimeSpan }),
            kestrel: true);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        await Patience.UntilAsync(() => app.PoolContext().Responses.Used > 0, "the answer is held");

        await app.App.StopAsync(TestApp.Token);

        Assert.Contains(" 1 in flight,", Assert.Single(app.Log.With("Shutdown: Draining")), StringComparison.Ordinal);
        await Patience.UntilAsync(() => app.PoolContext().Responses.Used == 0, "the budget is released");
    }

    [Theory]
    [InlineData("/json")]
    [InlineData("/written")]
    [InlineData("/late")]
    public async Task A_response_that_is_cut_off_does_not_go_into_the_output_cache(string path)
    {
        using var gate = new Gate();
        var streams = new Streams();
        var cache = new Cache();
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    await next(context);
                    over.SetResult();
                });
                app.UseOutputCache();
                app.MapGet("/json", (CancellationToken cancellation) => streams.Read(cancellation)).CacheOutput().RunOnPool();
                app.MapGet("/written", new RequestDelegate(context => streams.WriteAsync(context.Response.Body, context.RequestAborted))).CacheOutput().RunOnPool();
                app.MapGet("/late", new RequestDelegate(async context =>
                {
                    await context.Response.WriteAsync("first");
                    await context.Response.Body.FlushAsync();
                    gate.Pass(CancellationToken.None);
                })).CacheOutput().RunOnPool(configure: static o => o.MaxRunTime = MachineLoad.Stretch(TimeSpan.FromSeconds(1))); // long enough to begin
            },
            new() { ["Shutdown:Drain"] = "00:00:00.100" },
            builder =>
            {
                builder.Services.AddOutputCache();
                builder.Services.AddSingleton<IOutputCacheStore>(cache);
            },
            kestrel: true);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync($"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        if (path == "/late")
        {
            await ReadToTheCutAsync(client);
            gate.Open();
        }
        else
        {
            await streams.HasBegun.Task.Patiently();
            await app.App.StopAsync(TestApp.Token);
        }

        await over.Task.Patiently();

        Assert.Equal(0, cache.Stored);
    }

    private static Task<TestApp> StartAsync(Streams streams, string drain, string cancel = "00:00:20", bool kestrel = true) => TestApp.StartAsync(
        app =>
        {
            // The sequence uses the token that is a parameter of the handler.
            app.MapGet("/json", (CancellationToken cancellation) => streams.Read(cancellation)).RunOnPool();
            // The sequence uses the token that the framework passes to it.
            app.MapGet("/json-value", () => TypedResults.Ok(streams.Read())).RunOnPool();
            // The result uses the token of the request.
            app.MapGet("/stream", (HttpContext context) => Results.Stream(body => streams.WriteAsync(body, context.RequestAborted), "text/plain")).RunOnPool();
            app.MapGet("/events", (CancellationToken cancellation) => TypedResults.ServerSentEvents(streams.Read(cancellation))).RunOnPool();
            app.MapGet("/own", () => new OwnResult(streams)).RunOnPool();
            app.MapGet("/awaited", async (CancellationToken cancellation) =>
            {
                await Task.Yield();
                return streams.Read(cancellation);
            }).RunOnPool();
            app.MapControllers().RunOnPool();
        },
        new() { ["Shutdown:Drain"] = drain, ["Shutdown:Cancel"] = cancel },
        builder =>
        {
            builder.Services.AddSingleton(streams);
            builder.Services.AddControllers().AddApplicationPart(typeof(StreamController).Assembly);
        },
        kestrel: kestrel);

    private static async Task<string> ReadToTheCutAsync(RawConnection client)
    {
        try
        {
            return await client.ReadToEndAsync();
        }
        catch (IOException)
        {
            return ""; // reset
        }
    }

    /// <summary>Counts the responses that the output cache stores.</summary>
    private sealed class Cache : IOutputCacheStore
    {
        private int _stored;

        public int Stored => Volatile.Read(ref _stored);

        public ValueTask EvictByTagAsync(string tag, CancellationToken cancellationToken) => default;

        public ValueTask<byte[]?> GetAsync(string key, CancellationToken cancellationToken) => default;

        public ValueTask SetAsync(string key, byte[] value, string[]? tags, TimeSpan validFor, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _stored);
            return default;
        }
    }

    /// <summary>A result of the app's own.</summary>
    private sealed class OwnResult(Streams streams) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => streams.WriteAsync(httpContext.Response.Body, httpContext.RequestAborted);
    }
}

/// <summary>One stream. It sends an item, and then nothing until the test ends it or its token is cancelled.</summary>
public sealed class Streams
{
    public static readonly string[] Forms = ["json", "json-value", "stream", "events", "own", "awaited", "json-action", "file-action"];

    public TaskCompletionSource HasBegun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TaskCompletionSource HasBeenCancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TaskCompletionSource End { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool Listens { get; init; } = true;

    public async IAsyncEnumerable<string> Read([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        yield return "first";
        await UntilEndAsync(cancellation);
        yield return "last";
    }

    public async Task WriteAsync(Stream body, CancellationToken cancellation)
    {
        await body.WriteAsync("first\n"u8.ToArray(), cancellation);
        await body.FlushAsync(cancellation);
        await UntilEndAsync(cancellation);
        await body.WriteAsync("last\n"u8.ToArray(), CancellationToken.None);
    }

    private async Task UntilEndAsync(CancellationToken cancellation)
    {
        HasBegun.TrySetResult();
        try
        {
            await End.Task.WaitAsync(Listens ? cancellation : CancellationToken.None);
        }
        catch (OperationCanceledException)
        {
            HasBeenCancelled.TrySetResult();
            throw;
        }
    }
}

/// <summary>The same stream from the actions of a controller.</summary>
[ApiController]
public sealed class StreamController(Streams streams) : ControllerBase
{
    [HttpGet("/json-action")]
    public IAsyncEnumerable<string> Json(CancellationToken cancellation) => streams.Read(cancellation);

    [HttpGet("/file-action")]
    public IActionResult Own() => new Writing(streams);

    private sealed class Writing(Streams streams) : IActionResult
    {
        public Task ExecuteResultAsync(ActionContext context) => streams.WriteAsync(context.HttpContext.Response.Body, context.HttpContext.RequestAborted);
    }
}
