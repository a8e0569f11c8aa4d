using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests.Bodies;

/// <summary>A body is read before its request is queued: each body within its limit, all within the budget, which is always released.</summary>
public class BodyTests
{
    private const int Limit = 40_000;

    private static readonly Dictionary<string, string?> Settings = new()
    {
        ["Pool:MaxBodyBytes"] = "40000",
        ["Pool:QueueBytes"] = "100000",
        ["Pool:QueueCapacity"] = "64",
    };

    private static void MapLength(WebApplication app) => app.MapPost("/", (HttpContext context, int? unused) =>
        (context.Features.Get<IBufferedBodyFeature>()?.Body.Length ?? -1).ToString(System.Globalization.CultureInfo.InvariantCulture)).RunOnPool();

    /// <summary>A quota of one concurrent request for all clients together.</summary>
    private sealed class OneAtATime : IDisposable
    {
        public PartitionedRateLimiter<HttpContext> Limiter { get; } = PartitionedRateLimiter.Create<HttpContext, int>(
            static _ => RateLimitPartition.GetConcurrencyLimiter(0, static _ => new ConcurrencyLimiterOptions { PermitLimit = 1 }));

        public void Dispose() => Limiter.Dispose();
    }

    private static HttpRequestMessage Post(int length, bool chunked)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = new ByteArrayContent(new byte[length]) };
        if (chunked) request.Headers.TransferEncodingChunked = true;
        return request;
    }

    [Theory]
    [InlineData(0, false, "-1")]
    [InlineData(1, false, "1")]
    [InlineData(Limit, false, "40000")]
    [InlineData(0, true, "0")]
    [InlineData(1, true, "1")]
    [InlineData(16 * 1024, true, "16384")]
    [InlineData(16 * 1024 + 1, true, "16385")]
    [InlineData(Limit, true, "40000")]
    public async Task A_body_within_the_limit_is_read_whole(int length, bool chunked, string answer)
    {
        await using TestApp app = await TestApp.StartAsync(MapLength, Settings, kestrel: true);
        using HttpRequestMessage request = Post(length, chunked);
        using HttpResponseMessage response = await app.Client.SendAsync(request, TestApp.Token);
        Assert.Equal(answer, await response.Content.ReadAsStringAsync(TestApp.Token));
        Assert.Equal(0, app.PoolContext().Bodies.Used);
    }

    [Fact]
    public async Task Clients_that_declare_large_bodies_but_send_little_do_not_block_another_client()
    {
        await using TestApp app = await TestApp.StartAsync(
            MapLength, new() { ["Pool:MaxBodyBytes"] = "1000000", ["Pool:QueueBytes"] = "2000000" }, kestrel: true);
        const long firstBuffer = 1_000_000 / 16; // two growths by four lead to the whole body
        var slow = new List<RawConnection>();
        for (int i = 1; i <= 8; i++)
        {
            slow.Add(await app.ConnectAsync());
            await slow[^1].SendAsync("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nab");
            long atLeast = i * firstBuffer;
            await Patience.UntilAsync(() => app.PoolContext().Bodies.Used >= atLeast, $"{i} bodies begun");
        }

        // The clients declare eight megabytes and the budget is two, but each request has reserved only its first buffer.
        Assert.Equal(8 * firstBuffer, app.PoolContext().Bodies.Used);
        using HttpRequestMessage honest = Post(1_000_000, chunked: false);
        using HttpResponseMessage response = await app.Client.SendAsync(honest, TestApp.Token);
        Assert.Equal("1000000", await response.Content.ReadAsStringAsync(TestApp.Token));

        foreach (RawConnection connection in slow) connection.Reset();
        await Patience.UntilAsync(() => app.PoolContext().Bodies.Used == 0, "the budget is released");
    }

    [Theory]
    [InlineData(Limit + 1, false)]
    [InlineData(Limit + 1, true)]
    [InlineData(3 * Limit, false)]
    [InlineData(3 * Limit, true)]
    public async Task A_body_over_the_limit_is_never_queued_and_its_refusal_states_the_limit(int length, bool chunked)
    {
        await using TestApp app = await TestApp.StartAsync(MapLength, Settings, kestrel: true);
        using HttpRequestMessage request = Post(length, chunked);
        using HttpResponseMessage response = await app.Client.SendAsync(request, TestApp.Token);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        JsonNode problem = JsonNode.Parse(await response.Content.ReadAsStringAsync(TestApp.Token))!;
        Assert.Equal("urn:poolapi:problem:payload-too-large", (string?)problem["type"]);
        Assert.Equal("The body may have up to 40000 bytes.", (string?)problem["detail"]);
        Assert.Equal(0, app.Pool.GetSnapshot().Accepted);
        Assert.Equal(0, app.PoolContext().Bodies.Used);
    }

    [Fact]
    public async Task A_body_of_exactly_the_limit_is_accepted_in_chunks_of_four_bytes()
    {
        await using TestApp app = await TestApp.StartAsync(MapLength, Settings, kestrel: true);
        using RawConnection client = await app.ConnectAsync();
        var chunks = new StringBuilder();
        for (int i = 0; i < Limit / 4; i++) chunks.Append("4\r\nabcd\r\n");
        await client.SendAsync($"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
        Assert.EndsWith("40000", (await client.ReadResponseAsync()).Replace("\r\n0\r\n\r\n", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_sends_a_far_too_large_body_receives_413_and_can_reuse_its_connection()
    {
        await using TestApp app = await TestApp.StartAsync(
            MapLength, Settings, b => b.Services.Configure<KestrelServerOptions>(static k => k.Limits.MaxRequestBodySize = 1000), kestrel: true);
        using RawConnection client = await app.ConnectAsync();
        foreach (bool chunked in (bool[])[false, true])
        {
            string framing = chunked ? "Transfer-Encoding: chunked" : "Content-Length: 500000";
            string body = new('x', 500_000);
            await client.SendAsync($"POST / HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n{(chunked ? $"7a120\r\n{body}\r\n0\r\n\r\n" : body)}");
            string response = await client.ReadResponseAsync();
            Assert.StartsWith("HTTP/1.1 413", response, StringComparison.Ordinal);
            Assert.Contains("payload-too-large", response, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("/plain", 1000)] // the server's limit
    [InlineData("/attribute", 500)]
    [InlineData("/lifted", Limit)] // the endpoint lifts the server's limit, so the pool's limit applies
    [InlineData("/own", 200)]
    public async Task The_smallest_of_all_limits_on_a_body_holds(string path, int limit)
    {
        await using TestApp app = await TestApp.StartAsync(
            static app =>
            {
                app.MapPost("/plain", Length).RunOnPool();
                app.MapPost("/attribute", Length).RunOnPool().WithMetadata(new RequestSizeLimitAttribute(500));
                app.MapPost("/lifted", Length).RunOnPool().WithMetadata(new DisableRequestSizeLimitAttribute());
                app.MapPost("/own", Length).RunOnPool(configure: o => o.MaxBodyBytes = 200);
            },
            Settings, b => b.Services.Configure<KestrelServerOptions>(static k => k.Limits.MaxRequestBodySize = 1000), kestrel: true);
        foreach (bool chunked in (bool[])[false, true])
        {
            Assert.Equal((200, limit.ToString(CultureInfo.InvariantCulture)), await SendAsync(app, path, limit, chunked));
            (int status, string problem) = await SendAsync(app, path, limit + 1, chunked);
            Assert.Equal(413, status);
            Assert.Contains($"up to {limit} bytes", problem, StringComparison.Ordinal);
        }

        static string Length(HttpContext context, int? unused) => context.Features.Get<IBufferedBodyFeature>()!.Body.Length.ToString(CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task The_limit_of_a_form_holds_on_the_pool()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapPost("/", (IFormFileCollection files) => files.Count).DisableAntiforgery().WithFormOptions(multipartBodyLengthLimit: 1000).RunOnPool(),
            Settings, kestrel: true);
        using var form = new MultipartFormDataContent { { new ByteArrayContent(new byte[5000]), "file", "file.bin" } };
        using HttpResponseMessage response = await app.Client.PostAsync(new Uri("/", UriKind.Relative), form, TestApp.Token);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    private static async Task<(int Status, string Body)> SendAsync(TestApp app, string path, int length, bool chunked)
    {
        using HttpRequestMessage request = Post(length, chunked);
        request.RequestUri = new Uri(path, UriKind.Relative);
        using HttpResponseMessage response = await app.Client.SendAsync(request, TestApp.Token);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(TestApp.Token));
    }

    [Fact]
    public async Task A_body_is_refused_as_overloaded_while_queued_bodies_fill_the_budget()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(app => app.MapPost("/", () => gate.Pass()).RunOnPool(), Settings, kestrel: true);
        Task<HttpResponseMessage> running = app.Client.SendAsync(Post(Limit, false), TestApp.Token);
        await gate.NextArrivalAsync();
        Assert.Equal(0, app.PoolContext().Bodies.Used); // a running request does not count
        Task<HttpResponseMessage> first = app.Client.SendAsync(Post(Limit, false), TestApp.Token);
        Task<HttpResponseMessage> second = app.Client.SendAsync(Post(Limit, false), TestApp.Token);
        await app.UntilQueued(2);
        Assert.Equal(2 * Limit, app.PoolContext().Bodies.Used);

        foreach (bool chunked in (bool[])[false, true])
        {
            using HttpResponseMessage refused = await app.Client.SendAsync(Post(Limit, chunked), TestApp.Token);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.NotNull(refused.Headers.RetryAfter);
            Assert.Contains("urn:poolapi:problem:overloaded", await refused.Content.ReadAsStringAsync(TestApp.Token), StringComparison.Ordinal);
            Assert.Equal(2 * Limit, app.PoolContext().Bodies.Used);
        }
        gate.Open();
        foreach (Task<HttpResponseMessage> task in (Task<HttpResponseMessage>[])[running, first, second])
        {
            using HttpResponseMessage response = await task;
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
        Assert.Equal(0, app.PoolContext().Bodies.Used);
    }

    [Theory]
    [InlineData("Content-Length: 30000\r\n\r\nonly this")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")]
    public async Task A_client_that_disconnects_during_its_body_releases_the_budget(string rest)
    {
        await using TestApp app = await TestApp.StartAsync(MapLength, Settings, kestrel: true);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: x\r\n" + rest);
        await Patience.UntilAsync(() => app.PoolContext().Bodies.Used > 0, "the body is being read");
        client.Reset();
        await Patience.UntilAsync(() => app.PoolContext().Bodies.Used == 0, "the budget is released");
        Assert.Equal(0, app.Pool.GetSnapshot().Accepted);
    }

    [Fact]
    public async Task A_malformed_body_is_answered_400_and_releases_the_budget()
    {
        await using TestApp app = await TestApp.StartAsync(MapLength, Settings, kestrel: true);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n");
        Assert.StartsWith("HTTP/1.1 400", await client.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(0, app.PoolContext().Bodies.Used);
    }

    [Theory]
    [InlineData("80000000\r\nhello")]
    [InlineData("FFFFFFFF\r\nhello")]
    [InlineData("100000000\r\nhello")]
    [InlineData("7FFFFFFFFFFFFFFF\r\nhello")]
    [InlineData("FFFFFFFFFFFFFFFFF\r\nhello")]
    [InlineData("5\r\nhelloFFFFFFFF\r\nhello")]
    [InlineData("5\r\nhello\r\nFFFFFFFF\r\nhello")]
    [InlineData("-1\r\nhello")]
    [InlineData("\r\nhello")]
    public async Task A_malformed_chunk_is_answered_400_and_ends_the_connection(string chunks)
    {
        await using TestApp app = await TestApp.StartAsync(MapLength, Settings, kestrel: true);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
        string answer = await client.ReadToEndAsync();
        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
        Assert.Contains("urn:poolapi:problem:invalid-request", answer, StringComparison.Ordinal);
        Assert.Contains("\"errors\":{\"body\":[\"The body is malformed or was cut off", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("HTTP/1.1", answer[1..], StringComparison.Ordinal); // the bytes after it are not read as a request
        Assert.Equal((0, 0L), (app.PoolContext().Bodies.Used, app.Pool.GetSnapshot().Accepted));
        Assert.DoesNotContain(app.Log.Lines, static line => line.Level >= LogLevel.Warning);
    }

    [Theory]
    [InlineData("Content-Length: 30000\r\n\r\nonly this")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n7FFF\r\nhello")]
    public async Task A_client_that_stops_sending_during_its_body_receives_400_or_no_response(string rest)
    {
        await using TestApp app = await TestApp.StartAsync(MapLength, Settings, kestrel: true);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: x\r\n" + rest);
        client.EndSending();
        string answer = await client.ReadToEndAsync();
        Assert.True(answer.Length == 0 || answer.StartsWith("HTTP/1.1 400", StringComparison.Ordinal), answer);
        await Patience.UntilAsync(() => app.PoolContext().Bodies.Used == 0, "the budget is released");
        Assert.Equal(0, app.Pool.GetSnapshot().Accepted);
        Assert.DoesNotContain(app.Log.Lines, static line => line.Level >= LogLevel.Warning);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_larger_than_the_budget_is_answered_413_without_Retry_After(bool chunked)
    {
        await using TestApp app = await TestApp.StartAsync(MapLength, new() { ["Pool:QueueBytes"] = "1000" }, kestrel: true);
        using (HttpResponseMessage fits = await app.Client.SendAsync(Post(1000, chunked), TestApp.Token))
            Assert.Equal("1000", await fits.Content.ReadAsStringAsync(TestApp.Token));
        using HttpResponseMessage response = await app.Client.SendAsync(Post(1001, chunked), TestApp.Token);
        string problem = await response.Content.ReadAsStringAsync(TestApp.Token);
        Assert.Contains("The body may have up to 1000 bytes.", problem, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Null(response.Headers.RetryAfter);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_RequestSizeLimit_of_an_endpoint_applies_on_the_pool(bool chunked)
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapPost("/", () => "done").RunOnPool().WithMetadata(new RequestSizeLimitAttribute(1000)), Settings, kestrel: true);
        using HttpResponseMessage fits = await app.Client.SendAsync(Post(1000, chunked), TestApp.Token);
        Assert.Equal(HttpStatusCode.OK, fits.StatusCode);
        using HttpResponseMessage refused = await app.Client.SendAsync(Post(1001, chunked), TestApp.Token);
        Assert.Contains("The body may have up to 1000 bytes.", await refused.Content.ReadAsStringAsync(TestApp.Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_slower_than_the_servers_minimum_rate_is_answered_408_and_releases_the_budget()
    {
        await using TestApp app = await TestApp.StartAsync(
            MapLength, Settings,
            b => b.Services.Configure<KestrelServerOptions>(
                static k => k.Limits.MinRequestBodyDataRate = new MinDataRate(1_000_000, TimeSpan.FromSeconds(1.1))),
            kestrel: true);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\nslow");
        Assert.StartsWith("HTTP/1.1 408", await client.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(0, app.PoolContext().Bodies.Used);
    }

    [Fact]
    public async Task Concurrent_bodies_never_hold_more_than_the_budget()
    {
        long most = 0, mostAtStart = 0;
        ByteBudget? budget = null;
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/held", () => gate.Pass()).RunOnPool();
                app.MapPost("/", () => InterlockedMax(ref mostAtStart, budget!.Used)).RunOnPool();
            },
            Settings, kestrel: true);
        budget = app.PoolContext().Bodies;
        Task<string> held = app.Client.GetStringAsync("/held", TestApp.Token);
        await gate.NextArrivalAsync();
        Task<HttpResponseMessage>[] requests = [.. Enumerable.Range(0, 60).Select(async i =>
        {
            HttpResponseMessage response = await app.Client.SendAsync(Post(Limit / 2 + i, i % 2 == 0), TestApp.Token);
            InterlockedMax(ref most, budget.Used);
            return response;
        })];
        // The only worker is held, so the budget fills up. Then the worker takes one body while another waits.
        await Patience.UntilAsync(
            () => Array.Exists(requests, static request => request.IsCompleted) && app.Pool.GetSnapshot().QueueLength >= 2, "one refused, two queued");
        gate.Open();
        HttpResponseMessage[] responses = await Task.WhenAll(requests);
        Assert.Equal("passed", await held);
        Assert.All(responses, r => Assert.True(r.StatusCode is HttpStatusCode.OK or HttpStatusCode.ServiceUnavailable));
        Assert.Contains(responses, r => r.StatusCode == HttpStatusCode.OK);
        Assert.Contains(responses, r => r.StatusCode == HttpStatusCode.ServiceUnavailable);
        Assert.InRange(most, 0, 100_000);
        Assert.InRange(mostAtStart, Limit / 2, 100_000);
        Assert.Equal(0, budget.Used);
        foreach (HttpResponseMessage response in responses) response.Dispose();

        static void InterlockedMax(ref long target, long value)
        {
            long seen = Volatile.Read(ref target);
            while (value > seen && Interlocked.CompareExchange(ref target, value, seen) is var was && was != seen) seen = was;
        }
    }

    [Theory]
    [InlineData("budget", 503, "overloaded")]
    [InlineData("queue", 503, "queue-full")]
    [InlineData("quota", 429, "quota")]
    [InlineData("closed", 503, "draining")]
    public async Task A_request_with_Expect_100_continue_is_refused_without_a_100_response(string why, int status, string name)
    {
        using var gate = new Gate();
        using var one = new OneAtATime();
        var settings = new Dictionary<string, string?>(Settings) { ["Pool:QueueCapacity"] = why == "queue" ? "1" : "64" };
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapPost("/", () => gate.Pass()).RunOnPool(), settings,
            b => b.Services.Configure<PoolOptions>("cpu", o => o.Quota = why == "quota" ? one.Limiter : null), kestrel: true);
        var held = new List<Task<HttpResponseMessage>> { app.Client.SendAsync(Post(0, false), TestApp.Token) };
        await gate.NextArrivalAsync();
        int[] waiting = why switch { "budget" => [Limit, Limit], "queue" => [1], _ => [] };
        held.AddRange(waiting.Select(length => app.Client.SendAsync(Post(length, false), TestApp.Token)));
        await app.UntilQueued(held.Count - 1);
        using RawConnection client = await app.ConnectAsync();
        if (why is "closed") app.Shutdown.Begin("test", lameDuck: false);

        await client.SendAsync($"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {Limit}\r\n\r\n");

        string answer = await client.ReadResponseAsync();
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Contains("urn:poolapi:problem:" + name, answer, StringComparison.Ordinal);
        gate.Open();
        foreach (Task<HttpResponseMessage> task in held) (await task).Dispose();
    }

    [Fact]
    public async Task A_request_with_Expect_100_continue_is_answered_100_or_413()
    {
        await using TestApp app = await TestApp.StartAsync(MapLength, Settings, kestrel: true);
        using (RawConnection client = await app.ConnectAsync())
        {
            await client.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 100", await client.ReadResponseAsync(), StringComparison.Ordinal);
            await client.SendAsync("hello");
            Assert.StartsWith("HTTP/1.1 200", await client.ReadResponseAsync(), StringComparison.Ordinal);
        }
        using (RawConnection client = await app.ConnectAsync())
        {
            await client.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 50000\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 413", await client.ReadResponseAsync(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20_000)]
    [InlineData(Limit)]
    public async Task A_body_that_middleware_decompresses_is_read_whole_although_its_declared_length_is_the_compressed_one(int length)
    {
        await using TestApp app = await StartDecompressingAsync(MapLength);
        using HttpResponseMessage response = await PostCompressedAsync(app, "/", length);
        Assert.Equal(length.ToString(CultureInfo.InvariantCulture), await response.Content.ReadAsStringAsync(TestApp.Token));
        Assert.Equal(0, app.PoolContext().Bodies.Used);
    }

    [Theory]
    [InlineData("/", Limit)]
    [InlineData("/attribute", 500)] // the framework's middleware enforces this one too, by an exception
    public async Task The_limit_of_a_body_counts_its_decompressed_bytes(string path, int limit)
    {
        await using TestApp app = await StartDecompressingAsync(static app =>
        {
            MapLength(app);
            app.MapPost("/attribute", static () => "done").RunOnPool().WithMetadata(new RequestSizeLimitAttribute(500));
        });
        using HttpResponseMessage response = await PostCompressedAsync(app, path, limit + 1);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Contains($"The body may have up to {limit} bytes.", await response.Content.ReadAsStringAsync(TestApp.Token), StringComparison.Ordinal);
        Assert.Equal((0, 0L), (app.PoolContext().Bodies.Used, app.Pool.GetSnapshot().Accepted));
    }

    [Fact]
    public async Task The_budget_for_bodies_counts_their_decompressed_bytes_until_they_run()
    {
        using var gate = new Gate();
        await using TestApp app = await StartDecompressingAsync(app => app.MapPost("/", () => gate.Pass()).RunOnPool());
        Task<HttpResponseMessage> running = PostCompressedAsync(app, "/", Limit);
        await gate.NextArrivalAsync();
        Assert.Equal(0, app.PoolContext().Bodies.Used);
        Task<HttpResponseMessage>[] queued = [PostCompressedAsync(app, "/", Limit), PostCompressedAsync(app, "/", Limit)];
        await app.UntilQueued(2);
        Assert.Equal(2 * Limit, app.PoolContext().Bodies.Used);
        using HttpResponseMessage refused = await PostCompressedAsync(app, "/", Limit);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal(2 * Limit, app.PoolContext().Bodies.Used);
        gate.Open();
        foreach (Task<HttpResponseMessage> task in (Task<HttpResponseMessage>[])[running, .. queued]) (await task).Dispose();
        Assert.Equal(0, app.PoolContext().Bodies.Used);
    }

    [Fact]
    public async Task A_body_that_middleware_cannot_decompress_is_a_bad_request()
    {
        await using TestApp app = await StartDecompressingAsync(MapLength);
        using var content = new ByteArrayContent("this is not gzip"u8.ToArray());
        content.Headers.ContentEncoding.Add("gzip");
        using HttpResponseMessage response = await app.Client.PostAsync(new Uri("/", UriKind.Relative), content, TestApp.Token);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("urn:poolapi:problem:invalid-request", await response.Content.ReadAsStringAsync(TestApp.Token), StringComparison.Ordinal);
        Assert.Equal((0, 0L), (app.PoolContext().Bodies.Used, app.Pool.GetSnapshot().Accepted));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(Limit)]
    public async Task The_read_that_finds_the_end_of_a_declared_body_returns_at_once(int length)
    {
        var reads = new List<(int Count, bool AtOnce)>();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.Use((context, next) =>
                {
                    context.Request.Body = new ReadLog(context.Request.Body, reads);
                    return next(context);
                });
                MapLength(app);
            },
            Settings, kestrel: true);
        using HttpRequestMessage request = Post(length, chunked: false);
        using HttpResponseMessage response = await app.Client.SendAsync(request, TestApp.Token);
        Assert.Equal(length.ToString(CultureInfo.InvariantCulture), await response.Content.ReadAsStringAsync(TestApp.Token));
        Assert.Equal((0, true), reads[^1]);
        Assert.Equal(length, reads.Sum(static r => r.Count));
        Assert.DoesNotContain(reads[..^1], static r => r.Count == 0);
    }

    private static Task<TestApp> StartDecompressingAsync(Action<WebApplication> map) => TestApp.StartAsync(
        app =>
        {
            app.UseRequestDecompression();
            map(app);
        },
        Settings, static builder => builder.Services.AddRequestDecompression(), kestrel: true);

    /// <summary>Posts <paramref name="length"/> zeros as gzip, with the compressed length as the Content-Length.</summary>
    private static async Task<HttpResponseMessage> PostCompressedAsync(TestApp app, string path, int length)
    {
        var compressed = new MemoryStream();
        await using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true)) await gzip.WriteAsync(new byte[length], TestApp.Token);
        using var content = new ByteArrayContent(compressed.ToArray());
        content.Headers.ContentEncoding.Add("gzip");
        Assert.NotNull(content.Headers.ContentLength);
        return await app.Client.PostAsync(new Uri(path, UriKind.Relative), content, TestApp.Token);
    }

    /// <summary>Records how many bytes each read of the server's body returned, and whether the read completed at once.</summary>
    private sealed class ReadLog(Stream body, List<(int Count, bool AtOnce)> reads) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            ValueTask<int> read = body.ReadAsync(buffer, cancellationToken);
            bool isAtOnce = read.IsCompleted;
            int count = await read;
            reads.Add((count, isAtOnce));
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
