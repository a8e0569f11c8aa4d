using System.IO.Pipelines;
using System.Net;
using System.Net.ServerSentEvents;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Events;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests.Bodies;

/// <summary>Server-sent events: their format, the comments that keep a stream alive, and clients that disconnect.</summary>
public class EventStreamWriterTests
{
    private const int TcpLevel = 6;
    private const int TcpUserTimeout = 18;

    [Fact]
    public async Task Events_are_written_in_the_format_of_the_standard()
    {
        SseItem<string>[] items =
        [
            new("plain"),
            new("two\nlines\r\nor three", "named") { EventId = "7", ReconnectionInterval = TimeSpan.FromSeconds(2) },
            new("", "ü"),
            new("a\u2028b\u2029c\u0085d\fe\rf\n"),
        ];
        await using TestApp app = await TestApp.StartAsync(app => app.MapGet("/", context => EventStreamWriter.WriteAsync(context, items.ToAsyncEnumerable())));
        using HttpResponseMessage response = await app.Client.GetAsync(new Uri("/", UriKind.Relative), TestApp.Token);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.ToString());
        Assert.Equal(["no"], response.Headers.GetValues("X-Accel-Buffering"));
        string text = await response.Content.ReadAsStringAsync(TestApp.Token);
        Assert.Equal("data: plain\n\nevent: named\ndata: two\ndata: lines\ndata: or three\nid: 7\nretry: 2000\n\nevent: ü\ndata: \n\n"
            + "data: a\u2028b\u2029c\u0085d\fe\ndata: f\ndata: \n\n", text);
    }

    /// <summary>A server may return no more memory than requested, as Kestrel does after a connection has broken.</summary>
    [Fact]
    public async Task Events_are_written_whole_to_a_PipeWriter_that_returns_no_more_memory_than_requested()
    {
        var pipe = new Pipe();
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpResponseBodyFeature>(new Body(new StingyWriter(pipe.Writer)));
        SseItem<string>[] items = [new("one", "named") { EventId = "1" }, new("")];
        await EventStreamWriter.WriteAsync(context, items.ToAsyncEnumerable());
        await pipe.Writer.CompleteAsync();
        using var text = new StreamReader(pipe.Reader.AsStream());
        Assert.Equal("event: named\ndata: one\nid: 1\n\ndata: \n\n", await text.ReadToEndAsync(TestApp.Token));
    }

    [Fact]
    public async Task The_worker_stream_sends_an_event_every_second_and_a_comment_after_fifteen()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapPoolWorkers(), configure: builder => builder.Services.AddSingleton<TimeProvider>(clock));
        using HttpResponseMessage response = await app.Client.GetAsync(
            new Uri("/v1/workers/stream", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, TestApp.Token);
        using var stream = new StreamReader(await response.Content.ReadAsStreamAsync(TestApp.Token));
        await ReadViewAsync();
        for (int second = 1; second <= 14; second++)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await ReadViewAsync();
        }
        clock.Advance(TimeSpan.FromSeconds(1));
        // An event and a comment are due; the order of the two is not defined.
        string?[] lines = [await LineAsync(), await LineAsync(), await LineAsync(), await LineAsync(), await LineAsync()];
        Assert.Single(lines, ":");
        Assert.Single(lines, "event: workers");

        Task<string?> LineAsync() => stream.ReadLineAsync(TestApp.Token).AsTask();

        async Task ReadViewAsync()
        {
            Assert.Equal("event: workers", await LineAsync());
            Assert.StartsWith("data: {", await LineAsync(), StringComparison.Ordinal);
            Assert.Equal("", await LineAsync());
        }
    }

    [Fact]
    public async Task The_TCP_user_timeout_is_set_only_while_the_event_stream_lasts()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "TCP_USER_TIMEOUT is a socket option of Linux.");
        var events = Channel.CreateUnbounded<SseItem<string>>();
        Socket? socket = null;
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/events", context =>
                {
                    socket = context.Features.Get<IConnectionSocketFeature>()!.Socket;
                    return EventStreamWriter.WriteAsync(context, events.Reader.ReadAllAsync(context.RequestAborted));
                });
                app.MapGet("/limit", static context => context.Response.WriteAsync(
                    $"{Limit(context.Features.Get<IConnectionSocketFeature>()!.Socket)}", TestApp.Token));
            },
            kestrel: true);
        using RawConnection connection = await app.ConnectAsync();
        await connection.SendAsync("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
        await Patience.UntilAsync(() => socket is not null && Limit(socket) == 40_000, "the TCP user timeout");
        Assert.NotEqual(0, socket!.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive));
        events.Writer.Complete();
        await connection.ReadResponseAsync();
        await connection.SendAsync("GET /limit HTTP/1.1\r\nHost: x\r\n\r\n");
        Assert.EndsWith("\r\n0", (await connection.ReadResponseAsync()).Replace("\r\n0\r\n\r\n", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_TCP_user_timeout_of_an_HTTP2_connection_lasts_as_long_as_its_last_event_stream()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "TCP_USER_TIMEOUT is a socket option of Linux.");
        Channel<SseItem<string>>[] events = [Channel.CreateUnbounded<SseItem<string>>(), Channel.CreateUnbounded<SseItem<string>>()];
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/events/{id:int}", (int id, HttpContext context) => EventStreamWriter.WriteAsync(context, events[id].Reader.ReadAllAsync(context.RequestAborted)));
                app.MapGet("/limit", static (HttpContext context) => Limit(context.Features.Get<IConnectionSocketFeature>()!.Socket));
            },
            kestrel: true,
            configure: static builder => builder.WebHost.ConfigureKestrel(static o => o.ConfigureEndpointDefaults(static e => e.Protocols = HttpProtocols.Http2)));
        using var http = new HttpClient { BaseAddress = app.Address, DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        HttpResponseMessage[] streams = [await OpenAsync(0), await OpenAsync(1)];
        Assert.Equal("40000", await LimitAsync());
        await EndAsync(0);
        Assert.Equal("40000", await LimitAsync());
        await EndAsync(1);
        Assert.Equal("0", await LimitAsync());

        Task<HttpResponseMessage> OpenAsync(int id) => http.GetAsync(new Uri($"/events/{id}", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, TestApp.Token);

        Task<string> LimitAsync() => http.GetStringAsync(new Uri("/limit", UriKind.Relative), TestApp.Token);

        async Task EndAsync(int id)
        {
            events[id].Writer.Complete();
            using HttpResponseMessage stream = streams[id];
            await stream.Content.ReadAsStringAsync(TestApp.Token);
        }
    }

    private static int Limit(Socket socket)
    {
        var bytes = new byte[sizeof(int)];
        socket.GetRawSocketOption(TcpLevel, TcpUserTimeout, bytes);
        return BitConverter.ToInt32(bytes);
    }

    [Fact]
    public async Task The_event_sequence_ends_when_its_client_disconnects_and_no_unhandled_exception_is_logged()
    {
        var ended = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", context => EventStreamWriter.WriteAsync(context, UntilCancelledAsync(context.RequestAborted))), kestrel: true);
        RawConnection connection = await app.ConnectAsync();
        await connection.SendAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        await connection.ReadResponseAsync(hasBody: false);
        connection.Reset();
        Assert.True(await ended.Task.Patiently());
        Assert.DoesNotContain(app.Log.Lines, static line => line.Text.Contains("nhandled", StringComparison.Ordinal));

        async IAsyncEnumerable<SseItem<string>> UntilCancelledAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken client)
        {
            try
            {
                yield return new SseItem<string>("first");
                await Task.Delay(Timeout.InfiniteTimeSpan, client);
            }
            finally
            {
                ended.SetResult(client.IsCancellationRequested);
            }
        }
    }

    private sealed class Body(PipeWriter writer) : IHttpResponseBodyFeature
    {
        public Stream Stream => writer.AsStream();

        public PipeWriter Writer => writer;

        public Task CompleteAsync() => Task.CompletedTask;

        public void DisableBuffering()
        {
            // Nothing is buffered.
        }

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;
    }

    private sealed class StingyWriter(PipeWriter inner) : PipeWriter
    {
        public override void Advance(int bytes) => inner.Advance(bytes);

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => inner.FlushAsync(cancellationToken);

        public override Memory<byte> GetMemory(int sizeHint = 0) => sizeHint == 0 ? Memory<byte>.Empty : inner.GetMemory(sizeHint)[..sizeHint];

        public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
    }
}
