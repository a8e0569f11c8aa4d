using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Streams;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Tests;

/// <summary>Over real connections, watchers that never read cost a bounded amount of memory and are disconnected after a time limit.</summary>
[Collection(nameof(History.HistoryMemoryTests))] // The test measures the heap of the process, so no other test may run beside it.
public sealed class WatcherTests
{
    private const int Watchers = 100;
    private const int Deaf = Watchers / 2;
    private const int SendBuffer = 16 << 10; // small, so that few frames fill it

    // All watchers share the kept frames, at most 4 Mi characters. Each connection has its buffers.
    private const long Bound = (8L << 20) + (Watchers * (256L << 10));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Watchers_that_never_read_cost_bounded_memory_and_only_they_are_disconnected()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using WebApplication app = Build(clock, out PageStreams streams, out FrameFeed feed);
        using FrameFeed owned = feed;
        await app.StartAsync(Token);
        var address = new Uri(app.Urls.Single());
        var pool = app.Services.GetRequiredService<FixedThreadPool>();
        await FillAsync(pool); // so that the frames have content

        var deaf = new List<RawConnection>();
        var readers = new List<Reader>();
        try
        {
            for (int i = 0; i < Deaf; i++)
            {
                readers.Add(await Reader.OpenAsync(address));
                deaf.Add(await AskAsync(address));
            }
            await Patience.UntilAsync(() => feed.Watchers == Watchers, "all clients watch");

            long few = 0;
            for (int frame = 1; frame <= 50; frame++) // 25 s
            {
                await FillAsync(pool);
                clock.Advance(FrameFeed.Period);
                await Task.WhenAll(readers.Select(reader => reader.HasReadAsync(frame)));
                if (frame == 10) few = GC.GetTotalMemory(forceFullCollection: true);
            }
            long many = GC.GetTotalMemory(forceFullCollection: true);
            long sent = readers.Min(static reader => reader.Bytes);
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"each reader has {sent >> 10} KiB; {few >> 20} MiB after 10 frames, {many >> 20} MiB after 50; all would be {(sent * Deaf) >> 20} MiB for those who do not read");
            // The unread data must be many times the bound. Otherwise the test would show nothing.
            Assert.InRange(sent * Deaf, 3 * Bound, long.MaxValue);
            Assert.InRange(many - few, long.MinValue, Bound);
            Assert.Equal((Watchers, Watchers), (streams.Open, feed.Watchers));

            // The 30 s of a client begin when its buffers are full, which was during the frames above. The clock advances in steps: a reader gets the
            // beginning of a frame before the server knows that the frame is sent, and only then do the reader's 30 s end.
            for (int frame = 51; frame <= 50 + (int)(PoolApi.AspNetCore.Events.EventStreamWriter.WriteTimeout / FrameFeed.Period); frame++)
            {
                clock.Advance(FrameFeed.Period);
                await Task.WhenAll(readers.Select(reader => reader.HasReadAsync(frame)));
            }
            await Patience.UntilAsync(() => streams.Open == Watchers - Deaf && feed.Watchers == Watchers - Deaf, "non-readers are disconnected");
            long before = readers.Min(static reader => reader.Bytes);
            await FillAsync(pool);
            clock.Advance(FrameFeed.Period);
            await Patience.UntilAsync(() => readers.All(reader => reader.Bytes > before), "the other clients get further frames");
        }
        finally
        {
            deaf.ForEach(static connection => connection.Dispose());
            foreach (Reader reader in readers) await reader.DisposeAsync();
        }
        await Patience.UntilAsync(() => streams.Open == 0 && feed.Watchers == 0, "no client watches");
        clock.Advance(FrameFeed.Period);
        await Patience.UntilAsync(() => !feed.IsTicking, "the timer stops");
    }

    private static WebApplication Build(FakeTimeProvider clock, out PageStreams streams, out FrameFeed feed)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        // Kestrel disconnects a client that does not read by the real clock. This test is about the stream's own limit.
        builder.WebHost.ConfigureKestrel(static o => o.Limits.MinResponseDataRate = null);
        builder.WebHost.UseSockets(static sockets => sockets.CreateBoundListenSocket = static endpoint =>
        {
            Socket socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
            socket.SendBufferSize = SendBuffer;
            return socket;
        });
        builder.Services.AddSingleton<TimeProvider>(clock);
        builder.Services.AddFixedThreadPool("cpu", o => o.Workers = 2);
        WebApplication app = builder.Build();
        PoolMonitor monitor = PoolMonitor.Of(app.Services);
        var frames = feed = new FrameFeed(monitor, new RunningJobs(app.Services, monitor), "run", [], clock, NullLogger<FrameFeed>.Instance);
        var pageStreams = streams = new PageStreams(new StatusView(app.Services, "run", hasJobs: false, clock), 256, clock);
        // The kernel would disconnect such a client after 40 s by the real clock. Without a TCP socket the streams cannot set this limit.
        app.Use(static (context, next) =>
        {
            context.Features.Set<IConnectionSocketFeature>(new NoTcp());
            return next(context);
        });
        app.MapGet("/stream", (Delegate)((HttpContext context) => pageStreams.WriteAsync(context, (end, client) => frames.ReadAsync(null, end, client))));
        return app;
    }

    /// <summary>Runs 300 items of different kinds, which are not merged into one piece.</summary>
    private static async Task FillAsync(FixedThreadPool pool)
    {
        for (int i = 0; i < 300; i++) await pool.RunAsync(static () => { }, options: new WorkOptions(kind: $"kind-{i}-{new string('x', 100)}"));
    }

    private static async Task<RawConnection> AskAsync(Uri address)
    {
        RawConnection connection = await RawConnection.OpenAsync(address.Port, receiveBuffer: SendBuffer);
        await connection.SendAsync("GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        return connection;
    }

    private sealed class NoTcp : IConnectionSocketFeature
    {
        private static readonly Socket Other = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

        public Socket Socket => Other;
    }

    /// <summary>A watcher that reads everything.</summary>
    private sealed class Reader : IAsyncDisposable
    {
        private readonly RawConnection _connection;
        private readonly Task _reading;
        private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long _bytes;
        private int _frames;

        private Reader(RawConnection connection)
        {
            _connection = connection;
            _reading = ReadAsync();
        }

        public long Bytes => Volatile.Read(ref _bytes);

        public static async Task<Reader> OpenAsync(Uri address) => new(await AskAsync(address));

        public async Task HasReadAsync(int frames)
        {
            while (true)
            {
                Task more = Volatile.Read(ref _more).Task;
                if (Volatile.Read(ref _frames) >= frames) return;
                await more.WaitAsync(Patience.Long, Token);
            }
        }

        public async ValueTask DisposeAsync()
        {
            _connection.Dispose();
            await _reading;
        }

        private async Task ReadAsync()
        {
            using var lines = new StreamReader(_connection.Stream, Encoding.UTF8);
            try
            {
                while (await lines.ReadLineAsync() is { } line)
                {
                    Interlocked.Add(ref _bytes, line.Length);
                    if (line != "event: frame") continue;
                    Interlocked.Increment(ref _frames);
                    Interlocked.Exchange(ref _more, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
                }
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                // The test has closed it.
            }
        }
    }
}
