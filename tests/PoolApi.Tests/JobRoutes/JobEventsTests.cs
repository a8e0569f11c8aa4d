using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Events;
using PoolApi.Jobs;
using PoolApi.Tests.JobRoutes.Support;

namespace PoolApi.Tests.JobRoutes;

/// <summary>GET /v1/jobs/{id}/events, on real sockets.</summary>
public class JobEventsTests
{
    private const int Watchers = 50;
    private const int Buffers = 4096;

    private static readonly string[] LongTags = [.. Enumerable.Range(0, 16).Select(static i => $"{i:D2}" + new string('x', 62))];

    [Fact]
    public async Task Fifty_watchers_see_the_progress_and_the_end_of_a_job_and_their_streams_end()
    {
        await using JobApp app = await JobApp.StartAsync(kestrel: true);
        Job job = app.Store.Put(FakeJobStore.New());
        EventStream[] streams = await Task.WhenAll(Enumerable.Range(0, Watchers).Select(_ => EventStream.OpenAsync(app, job.Id)));
        foreach (EventStream stream in streams) Assert.Equal((1, "queued"), await stream.NextAsync());
        app.Store.Change(job.Id, JobState.Running);
        foreach (EventStream stream in streams) Assert.Equal((2, "running"), await stream.NextAsync());
        for (int i = 1; i <= 20; i++) app.Store.Change(job.Id, j => j with { Progress = i / 20.0 });
        app.Store.Change(job.Id, JobState.Succeeded);
        foreach (EventStream stream in streams)
        {
            long last = 2;
            string state = "running";
            while (await stream.NextAsync() is { } next)
            {
                Assert.True(next.Version > last, $"{next.Version} after {last}");
                (last, state) = next;
            }
            Assert.Equal((23, "succeeded"), (last, state));
            await stream.DisposeAsync();
        }
        await app.UntilWatched(0);
    }

    [Theory]
    [InlineData(null, 1)]
    [InlineData("", 1)]
    [InlineData("0", 1)]
    [InlineData("6", 1)]
    [InlineData("7", 0)]
    [InlineData("8", 0)]
    public async Task The_stream_of_an_ended_job_sends_its_end_unless_the_client_has_seen_it(string? lastSeen, int events)
    {
        await using JobApp app = await JobApp.StartAsync(kestrel: true);
        Job job = app.Store.Put(FakeJobStore.New(JobState.Failed) with { Version = 7, Error = new JobError("work-failed", "two\nlines") });
        using HttpResponseMessage response = await app.GetAsync(
            $"/v1/jobs/{job.Id}/events", lastSeen is null ? [] : [("Last-Event-ID", lastSeen)]);
        string text = await response.Content.ReadAsStringAsync(JobApp.Token);
        if (events == 0)
        {
            // After an empty stream a browser reconnects again and again. After a 204 it stops.
            Assert.Equal((HttpStatusCode.NoContent, ""), (response.StatusCode, text));
            return;
        }
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        Assert.StartsWith("event: job\ndata: {", text, StringComparison.Ordinal);
        Assert.EndsWith("}\nid: 7\n\n", text, StringComparison.Ordinal);
        Assert.Equal(events, text.Split("event: ").Length - 1);
        using HttpResponseMessage plain = await app.GetAsync($"/v1/jobs/{job.Id}");
        // The links of an event are relative to the URL of the stream.
        string data = text.Split('\n')[1]["data: ".Length..].Replace("\"../", "\"", StringComparison.Ordinal);
        Assert.Equal(await plain.Content.ReadAsStringAsync(JobApp.Token), data);
    }

    [Fact]
    public async Task A_client_that_reconnects_is_answered_at_once_and_gets_newer_events_only()
    {
        await using JobApp app = await JobApp.StartAsync(kestrel: true);
        Job job = app.Store.Put(FakeJobStore.New(JobState.Running) with { Version = 7 });
        // The head of the response arrives before the first event.
        await using EventStream stream = await EventStream.OpenAsync(app, job.Id, ("Last-Event-ID", "7"));
        app.Store.Change(job.Id, j => j with { Progress = 0.5 });
        Assert.Equal((8, "running"), await stream.NextAsync());
        app.Store.Change(job.Id, JobState.Succeeded);
        Assert.Equal((9, "succeeded"), await stream.NextAsync());
        Assert.Null(await stream.NextAsync());
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    public async Task The_headers_of_a_stream_forbid_buffering_and_caching(string method)
    {
        await using JobApp app = await JobApp.StartAsync(kestrel: true);
        Job job = app.Store.Put(FakeJobStore.New(JobState.Succeeded));
        using HttpResponseMessage response = await app.SendAsync(method, $"/v1/jobs/{job.Id}/events");
        Assert.Equal("no", JobApp.Header(response, "X-Accel-Buffering"));
        Assert.True(response.Headers.CacheControl is { NoCache: true, NoStore: true }, response.Headers.CacheControl?.ToString());
    }

    [Fact]
    public async Task A_stream_sends_a_comment_every_fifteen_seconds_between_its_events()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using JobApp app = await JobApp.StartAsync(kestrel: true, configure: builder => builder.Services.AddSingleton<TimeProvider>(clock));
        Job job = app.Store.Put(FakeJobStore.New());
        using HttpResponseMessage response = await app.GetAsync($"/v1/jobs/{job.Id}/events", ("Last-Event-ID", "1"));
        using var stream = new StreamReader(await response.Content.ReadAsStreamAsync(JobApp.Token));
        for (int i = 0; i < 3; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(15));
            Assert.Equal(":", await stream.ReadLineAsync(JobApp.Token));
            Assert.Equal("", await stream.ReadLineAsync(JobApp.Token));
        }
        clock.Advance(TimeSpan.FromSeconds(14));
        app.Store.Change(job.Id, JobState.Succeeded);
        Assert.Equal("event: job", await stream.ReadLineAsync(JobApp.Token));
        string rest = await stream.ReadToEndAsync(JobApp.Token);
        Assert.EndsWith("\nid: 2\n\n", rest, StringComparison.Ordinal);
        await app.UntilWatched(0);
    }

    [Fact]
    public async Task A_watcher_that_reads_nothing_for_thirty_seconds_is_disconnected()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using JobApp app = await JobApp.StartAsync(kestrel: true, configure: builder =>
        {
            builder.Services.AddSingleton<TimeProvider>(clock);
            UseSmallBuffers(builder);
        });
        Job job = app.Store.Put(FakeJobStore.New() with { Tags = LongTags });
        using RawConnection lazy = await DeafWatcherAsync(app, job.Id);
        // The events fill the buffers. The next write waits for the client, and the write timeout elapses.
        await Patience.UntilAsync(
            () =>
            {
                app.Store.Change(job.Id, static j => j with { State = JobState.Running });
                clock.Advance(EventStreamWriter.WriteTimeout);
                return app.Store.Watch.Count == 0;
            },
            "the removal of the watcher");
        // No last chunk: a client does not reconnect after a complete stream.
        Assert.DoesNotContain("\r\n0\r\n", await lazy.ReadToEndAsync(), StringComparison.Ordinal);
    }

    /// <summary>A client that waits may vanish without closing its connection. TCP keep-alive detects that even while nothing is sent.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("/events")]
    public async Task The_kernel_probes_the_connection_of_a_client_that_waits(string route)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The service sets these socket options on Linux only.");
        var sockets = new ConcurrentQueue<Socket>();
        await using JobApp app = await JobApp.StartAsync(kestrel: true, configure: builder =>
            builder.Services.AddSingleton<IStartupFilter>(new SocketObserver(sockets)));
        Job job = app.Store.Put(FakeJobStore.New());
        Task<HttpResponseMessage> request = app.GetAsync($"/v1/jobs/{job.Id}{route}", ("Prefer", "wait=60"));
        await app.UntilWatched(1);
        Socket socket = Assert.Single(sockets);
        Assert.NotEqual(0, socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive));
        Assert.Equal(15, socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime));
        app.Store.Change(job.Id, JobState.Succeeded);
        (await request).Dispose();
    }

    [Theory]
    [InlineData("x")]
    [InlineData("-1")]
    [InlineData("7.5")]
    [InlineData("99999999999999999999")]
    public async Task A_malformed_Last_Event_ID_is_refused(string lastSeen)
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New());
        await app.AssertProblem(
            "GET", $"/v1/jobs/{job.Id}/events", 400, "invalid-request", "Last-Event-ID", "whole number", ("Last-Event-ID", lastSeen));
    }

    [Fact]
    public async Task Every_stream_ends_with_a_complete_response_when_the_app_stops()
    {
        await using JobApp app = await JobApp.StartAsync(kestrel: true);
        Job job = app.Store.Put(FakeJobStore.New());
        EventStream[] streams = await Task.WhenAll(Enumerable.Range(0, Watchers).Select(_ => EventStream.OpenAsync(app, job.Id)));
        foreach (EventStream stream in streams) Assert.Equal((1, "queued"), await stream.NextAsync());
        using var late = new CancellationTokenSource(Patience.Long);
        Task stop = app.App.StopAsync(late.Token);
        // A truncated body would throw here.
        foreach (EventStream stream in streams) Assert.Null(await stream.NextAsync());
        await stop;
        Assert.False(late.IsCancellationRequested);
        foreach (EventStream stream in streams) await stream.DisposeAsync();
    }

    [Fact]
    public async Task A_stream_continues_after_the_store_was_unavailable()
    {
        await using JobApp app = await JobApp.StartAsync(kestrel: true);
        Job job = app.Store.Put(FakeJobStore.New());
        await using EventStream stream = await EventStream.OpenAsync(app, job.Id);
        Assert.Equal((1, "queued"), await stream.NextAsync());
        app.Store.IsAway = true;
        app.Store.Watch.Changed(new JobChange(job.Id, 2, false)); // reading this version fails
        app.Store.Change(job.Id, JobState.Running);
        Task<(long, string)?> next = stream.NextAsync();
        app.Store.IsAway = false;
        Assert.Equal((2, "running"), await next);
        app.Store.Change(job.Id, JobState.Succeeded);
        Assert.Equal((3, "succeeded"), await stream.NextAsync());
        Assert.Null(await stream.NextAsync());
    }

    [Fact]
    public async Task A_watcher_that_disconnects_is_removed_from_the_store()
    {
        await using JobApp app = await JobApp.StartAsync(kestrel: true);
        Job job = app.Store.Put(FakeJobStore.New());
        EventStream stream = await EventStream.OpenAsync(app, job.Id);
        Assert.Equal((1, "queued"), await stream.NextAsync());
        Assert.Equal(1, app.Store.Watch.Count);
        await stream.DisposeAsync();
        await app.UntilWatched(0);
    }

    /// <summary>
    /// The buffers between the server and its clients are small here, so a watcher that does not read fills them soon. That
    /// watcher skips versions; other watchers get every version.
    /// </summary>
    [Fact]
    public async Task A_watcher_that_does_not_read_skips_versions_and_gets_the_latest()
    {
        const int Versions = 200; // about a quarter of them fits into the buffers
        await using JobApp app = await JobApp.StartAsync(kestrel: true, configure: static builder =>
        {
            // This clock stands still, because on a busy machine the versions may take longer than the write timeout.
            builder.Services.AddSingleton<TimeProvider>(new FakeTimeProvider(DateTimeOffset.UtcNow));
            UseSmallBuffers(builder);
        });
        Job job = app.Store.Put(FakeJobStore.New() with { Tags = LongTags });

        using RawConnection lazy = await DeafWatcherAsync(app, job.Id);
        await using EventStream eager = await EventStream.OpenAsync(app, job.Id);
        Assert.Equal((1, "queued"), await eager.NextAsync());
        for (int i = 2; i < Versions; i++)
        {
            app.Store.Change(job.Id, static j => j with { State = JobState.Running });
            Assert.Equal((i, "running"), await eager.NextAsync());
        }
        app.Store.Change(job.Id, JobState.Succeeded);
        Assert.Equal((Versions, "succeeded"), await eager.NextAsync());

        string text = await lazy.ReadToEndAsync();
        int events = text.Split("event: job\n").Length - 1;
        Assert.InRange(events, 2, Versions / 2);
        Assert.Contains($"\nid: {Versions}\n\n", text, StringComparison.Ordinal);
    }

    private static void UseSmallBuffers(WebApplicationBuilder builder)
    {
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Limits.MinResponseDataRate = null);
        builder.WebHost.UseSockets(static sockets => sockets.CreateBoundListenSocket = static endpoint =>
        {
            Socket socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
            socket.SendBufferSize = Buffers; // accepted sockets inherit it
            return socket;
        });
    }

    private static async Task<RawConnection> DeafWatcherAsync(JobApp app, Guid job)
    {
        RawConnection connection = await RawConnection.OpenAsync(app.Address!.Port, receiveBuffer: Buffers);
        await connection.SendAsync($"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        await app.UntilWatched(1);
        return connection;
    }

    private sealed class SocketObserver(ConcurrentQueue<Socket> sockets) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(rest => context =>
            {
                sockets.Enqueue(context.Features.Get<IConnectionSocketFeature>()!.Socket);
                return rest(context);
            });
            next(app);
        };
    }

    /// <summary>One client's stream.</summary>
    private sealed class EventStream(EventReader events) : IAsyncDisposable
    {
        public static async Task<EventStream> OpenAsync(JobApp app, Guid id, params (string, string)[] headers) =>
            new(await EventReader.OpenAsync(await app.GetAsync($"/v1/jobs/{id}/events", headers)));

        /// <summary>The next version and its state; null when the stream has ended.</summary>
        public async Task<(long Version, string State)?> NextAsync()
        {
            if (await events.NextAsync() is not { } next) return null;
            JsonElement version = next.Data.GetProperty("version");
            Assert.Equal(("job", version.GetRawText()), (next.Type, next.Id));
            return (version.GetInt64(), next.Data.GetProperty("state").GetString()!);
        }

        public ValueTask DisposeAsync() => events.DisposeAsync();
    }
}
