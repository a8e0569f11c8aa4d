using System.Net;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Bodies;

/// <summary>A large response counts against the budget until its client has read it; a released request body does not count.</summary>
public class AnswerTests
{
    private const int Length = 24 << 20;

    private static readonly Dictionary<string, string?> Settings = new() { ["Pool:QueueBytes"] = "30000000", ["Pool:MaxBodyBytes"] = "10000000" };

    [Fact]
    public async Task An_unread_response_holds_the_budget_until_its_client_is_cut_off()
    {
        var time = new FakeTimeProvider();
        await using TestApp app = await TestApp.StartAsync(
            static app =>
            {
                app.MapPost("/", static (int length) => TypedResults.Bytes(new byte[length], "image/png")).RunOnPool();
                app.MapPost("/short", static () => "short").RunOnPool();
            },
            Settings,
            builder => builder.Services.AddSingleton(new ResponseBudget(30_000_000) { Time = time }),
            kestrel: true);
        using RawConnection idle = await app.ConnectAsync();
        await idle.SendAsync($"POST /?length={Length} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n");
        await idle.SendAsync(new byte[5_000_000]);
        await Patience.UntilAsync(() => app.PoolContext().Responses.Used == Length, "the answer is held");

        using HttpResponseMessage refused = await app.Client.PostAsync($"/?length={Length}", null, TestApp.Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Null(refused.Headers.RetryAfter); // the work has already run
        string problem = await refused.Content.ReadAsStringAsync(TestApp.Token);
        Assert.Contains("urn:poolapi:problem:overloaded", problem, StringComparison.Ordinal);
        Assert.Contains("find out before you try again", problem, StringComparison.Ordinal);
        using HttpResponseMessage other = await app.Client.PostAsync("/short", null, TestApp.Token);
        Assert.Equal("short", await other.Content.ReadAsStringAsync(TestApp.Token));

        await Patience.UntilAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(1));
                return app.PoolContext().Responses.Used == 0;
            },
            "the client is cut off");
        using HttpResponseMessage read = await app.Client.PostAsync($"/?length={Length}", null, TestApp.Token);
        Assert.Equal(Length, (await read.Content.ReadAsByteArrayAsync(TestApp.Token)).Length);
        await Patience.UntilAsync(() => app.PoolContext().Responses.Used == 0, "the response has ended");
    }

    [Theory]
    [InlineData("/bytes")]
    [InlineData("/nested")]
    [InlineData("/twice")]
    [InlineData("/text")]
    public async Task The_response_budget_counts_the_bytes_of_file_text_and_nested_results(string path)
    {
        await using TestApp app = await TestApp.StartAsync(
            static app =>
            {
                app.MapGet("/bytes", static () => TypedResults.Bytes(new byte[Length])).RunOnPool();
                app.MapGet("/nested", static Results<FileContentHttpResult, NotFound> () => TypedResults.Bytes(new byte[Length])).RunOnPool();
                app.MapGet("/twice", static Results<Results<FileContentHttpResult, NotFound>, NotFound> () =>
                    (Results<FileContentHttpResult, NotFound>)TypedResults.Bytes(new byte[Length])).RunOnPool();
                app.MapGet("/text", static Results<Utf8ContentHttpResult, NotFound> () => TypedResults.Text(new byte[Length])).RunOnPool();
            },
            Settings,
            static builder => builder.Services.AddSingleton(new ResponseBudget(30_000_000) { StallTimeout = Timeout.InfiniteTimeSpan }),
            kestrel: true);
        using RawConnection idle = await app.ConnectAsync();
        await idle.SendAsync($"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        await Patience.UntilAsync(() => app.Pool.GetSnapshot().Counts[WorkOutcome.Completed] == 1 && app.PoolContext().Responses.Used == Length, "the answer is held");

        using HttpResponseMessage refused = await app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);

        idle.Reset();
        await Patience.UntilAsync(() => app.PoolContext().Responses.Used == 0, "the budget is released");
        using HttpResponseMessage read = await app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
        Assert.Equal(Length, (await read.Content.ReadAsByteArrayAsync(TestApp.Token)).Length);
    }

    [Fact]
    public async Task A_response_larger_than_the_budget_is_sent_only_while_no_other_response_holds_bytes()
    {
        await using TestApp app = await TestApp.StartAsync(
            static app => app.MapGet("/", static () => TypedResults.Bytes(new byte[Length], "image/png")).RunOnPool(),
            configure: static builder => builder.Services.AddSingleton(new ResponseBudget(1_000_000)));
        ResponseBudget answers = app.PoolContext().Responses;

        Assert.Equal(Length, (await app.Client.GetByteArrayAsync("/", TestApp.Token)).Length);
        await Patience.UntilAsync(() => answers.Used == 0, "the response has ended");

        using ResponseReservation other = answers.TryTake(new DefaultHttpContext(), 1)!;
        using HttpResponseMessage refused = await app.Client.GetAsync("/", TestApp.Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
    }

    [Theory]
    [InlineData("/sequence")]
    [InlineData("/query")]
    public async Task A_result_executed_on_the_pool_takes_budget_as_it_grows_or_is_refused_as_overloaded(string path)
    {
        using var gate = new Gate();
        int rows = 0;
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/sequence", () => Rows()).RunOnPool();
                app.MapGet("/query", () => new Query(Rows())).RunOnPool();
            },
            configure: static builder => builder.Services.AddSingleton(new ResponseBudget(1_000_000)),
            kestrel: true);
        ResponseBudget answers = app.PoolContext().Responses;
        Task<byte[]> alone = app.Client.GetByteArrayAsync(path, TestApp.Token);
        await gate.NextArrivalAsync();
        Assert.InRange(answers.Used, 4_000_000, 6_000_000);
        gate.Open();
        Assert.InRange((await alone).Length, 5_000_000, 6_000_000);
        await Patience.UntilAsync(() => answers.Used == 0, "the response has ended");

        using ResponseReservation other = answers.TryTake(new DefaultHttpContext(), 1)!;
        using HttpResponseMessage refused = await app.Client.GetAsync(path, TestApp.Token);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, null), (refused.StatusCode, refused.Headers.RetryAfter));
        Assert.Contains("urn:poolapi:problem:overloaded", await refused.Content.ReadAsStringAsync(TestApp.Token), StringComparison.Ordinal);
        Assert.InRange(rows, 1, 40); // 15 rows fill the budget
        await Patience.UntilAsync(() => answers.Used == 1, "the response has ended");

        IEnumerable<string> Rows()
        {
            var row = new string('x', 64 * 1024);
            for (rows = 0; rows < 80; rows++) yield return row;
            gate.Pass();
        }
    }

    [Theory]
    [InlineData("/sequence")]
    [InlineData("/query")]
    [InlineData("/typed")]
    [InlineData("/rows/value")]
    [InlineData("/rows/object")]
    [InlineData("/rows/json")]
    public async Task A_sequence_is_read_no_further_when_its_client_has_left(string path)
    {
        var source = new RowSource();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/sequence", (HttpContext context) => source.Rows(context.RequestAborted)).RunOnPool();
                app.MapGet("/query", (HttpContext context) => new Query(source.Rows(context.RequestAborted))).RunOnPool();
                app.MapGet("/typed", (HttpContext context) => TypedResults.Ok(source.Rows(context.RequestAborted))).RunOnPool();
                app.MapControllers();
            },
            configure: builder =>
            {
                builder.Services.AddSingleton(source);
                builder.Services.AddControllers().AddApplicationPart(typeof(RowsController).Assembly);
            },
            kestrel: true);
        using RawConnection client = await app.ConnectAsync();
        await client.SendAsync($"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        await source.Begun.Task.Patiently();

        client.Reset();

        await Patience.UntilAsync(() => app.Pool.GetSnapshot().Counts[WorkOutcome.Cancelled] == 1, "the work is cancelled");
        Assert.InRange(source.ReadLater, 0, 2);
    }

    [Theory]
    [InlineData("/held")]
    [InlineData("/executed")]
    public async Task A_refusal_that_replaces_a_response_drops_the_headers_that_describe_its_body(string path)
    {
        await using TestApp app = await TestApp.StartAsync(
            static app =>
            {
                app.MapGet("/held", static (HttpResponse response) =>
                {
                    response.Headers.ContentEncoding = "br";
                    response.Headers.ContentLocation = "/elsewhere";
                    return TypedResults.Bytes(new byte[2_000_000], "image/png");
                }).RunOnPool();
                app.MapGet("/executed", static () => TypedResults.Bytes(new byte[2_000_000], "application/pdf", "report.pdf", enableRangeProcessing: true))
                    .RunOnPool(configure: static o => o.ExecuteResult = true);
            },
            configure: static builder => builder.Services.AddSingleton(new ResponseBudget(1_000_000)),
            kestrel: true);
        using ResponseReservation other = app.PoolContext().Responses.TryTake(new DefaultHttpContext(), 1)!;
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Range", "bytes=0-1499999" } } };

        using HttpResponseMessage refused = await app.Client.SendAsync(request, TestApp.Token);

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "application/problem+json"), (refused.StatusCode, refused.Content.Headers.ContentType?.MediaType));
        Assert.Empty(refused.Content.Headers.ContentEncoding);
        Assert.Null(refused.Content.Headers.ContentDisposition);
        Assert.Null(refused.Content.Headers.ContentLocation);
        Assert.Null(refused.Content.Headers.ContentRange);
        Assert.Empty(refused.Headers.AcceptRanges);
    }

    /// <summary>Yields one row, waits until the client disconnects, and then yields more rows although the token is cancelled.</summary>
    internal sealed class RowSource
    {
        public TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int ReadLater { get; private set; }

        public IEnumerable<string> Rows(CancellationToken cancellation)
        {
            var row = new string('x', 64 * 1024);
            yield return row;
            Begun.TrySetResult();
            cancellation.WaitHandle.WaitOne(Patience.Long);
            for (int i = 0; i < 30; i++)
            {
                ReadLater++;
                yield return row;
            }
        }
    }

    /// <summary>Like a query of Entity Framework: both a synchronous and an asynchronous sequence.</summary>
    internal sealed class Query(IEnumerable<string> rows) : IEnumerable<string>, IAsyncEnumerable<string>
    {
        public IEnumerator<string> GetEnumerator() => rows.GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();

        public async IAsyncEnumerator<string> GetAsyncEnumerator(CancellationToken cancellationToken)
        {
            foreach (string row in rows)
            {
                await Task.Yield();
                yield return row;
            }
        }
    }

    [Fact]
    public async Task A_released_request_body_can_be_collected_while_its_request_continues()
    {
        var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        WeakReference? body = null;
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapPost("/", static (HttpContext context, int? unused) => context.Features.Get<IBufferedBodyFeature>()!.Body.Length)
                .AddEndpointFilter(async (invocation, next) =>
                {
                    body = Release(invocation.HttpContext);
                    released.SetResult();
                    await goOn.Task;
                    return await next(invocation);
                })
                .RunOnPool(),
            Settings, kestrel: true);
        using var content = new ByteArrayContent(new byte[5_000_000]);
        Task<HttpResponseMessage> sent = app.Client.PostAsync("/", content, TestApp.Token);
        await released.Task.WaitAsync(TestApp.Token);

        Assert.Equal(0, app.PoolContext().Bodies.Used);
        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                return !body!.IsAlive;
            },
            "the body is collected");

        goOn.SetResult();
        using HttpResponseMessage response = await sent;
        Assert.Equal("0", await response.Content.ReadAsStringAsync(TestApp.Token));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Release(HttpContext context)
    {
        IBufferedBodyFeature feature = context.Features.Get<IBufferedBodyFeature>()!;
        Assert.True(System.Runtime.InteropServices.MemoryMarshal.TryGetArray(feature.Body, out ArraySegment<byte> bytes));
        feature.Release();
        return new WeakReference(bytes.Array);
    }
}

/// <summary>Actions that return sequences.</summary>
[Route("rows")]
public sealed class RowsController : ControllerBase
{
    private IEnumerable<string> Rows => HttpContext.RequestServices.GetRequiredService<AnswerTests.RowSource>().Rows(HttpContext.RequestAborted);

    [HttpGet("value")]
    [RunOnPool]
    public IEnumerable<string> Value() => Rows;

    [HttpGet("object")]
    [RunOnPool]
    public IActionResult Wrapped() => Ok(Rows);

    [HttpGet("json")]
    [RunOnPool]
    public IActionResult Json() => new JsonResult(Rows);
}
