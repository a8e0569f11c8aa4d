using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http.HttpResults;

namespace PoolApi.Consumers.Tests;

/// <summary>A minimal API: groups, filters, typed results, validation, uploads. Each endpoint is there with and without the pool.</summary>
public sealed class MinimalApiTests
{
    public sealed record Order([property: Range(1, 100)] int Count, [property: Required] string Name);

    private static Task<ConsumerApp> StartAsync() => ConsumerApp.StartAsync(static b => b.Services.AddValidation(), static app =>
    {
        Map(app.MapGroup("/off"));
        Map(app.MapGroup("/on").RunOnPool());
    });

    private static void Map(RouteGroupBuilder group)
    {
        group.MapGet("/text", static (Trail trail) =>
        {
            trail.Add("handler");
            return "text";
        });
        group.MapGet("/json/{id:int}", static Results<Ok<Order>, NotFound> (int id) =>
            id == 1 ? TypedResults.Ok(new Order(1, "one")) : TypedResults.NotFound());
        group.MapGet("/nothing", static () => { });
        group.MapGet("/null", static () => (Order?)null);
        group.MapGet("/created", static () => TypedResults.Created("/somewhere", new Order(2, "two")));
        group.MapGet("/redirect", static () => TypedResults.Redirect("/elsewhere"));
        group.MapGet("/problem", static () => TypedResults.Problem("no", statusCode: 409));
        group.MapGet("/bytes", static () => TypedResults.Bytes(new byte[100_000], "application/octet-stream", "zeros.bin"));
        group.MapGet("/stream", static () => TypedResults.Stream(new MemoryStream("streamed"u8.ToArray()), "text/plain"));
        group.MapGet("/lazy", static (Trail trail) => Lazy(trail));
        group.MapGet("/later", static async (Trail trail) =>
        {
            trail.Add("before");
            await Task.Delay(1);
            trail.Add("after");
            return 7;
        });
        group.MapPost("/orders", static (Order order) => TypedResults.Ok(order));
        group.MapPost("/echo", static async (Stream body) =>
        {
            using var reader = new StreamReader(body);
            return await reader.ReadToEndAsync();
        });
        group.MapPost("/upload", static async (IFormFile file, Trail trail) =>
        {
            await using Stream content = file.OpenReadStream();
            byte[] hash = await SHA256.HashDataAsync(content);
            trail.Add("hashed");
            return $"{file.FileName} {file.Length} {Convert.ToHexString(hash)}";
        }).DisableAntiforgery();
        RouteGroupBuilder filtered = group.MapGroup("/filtered");
        filtered.AddEndpointFilter(static async (invocation, next) =>
        {
            object? result = await next(invocation);
            return result is "stop" ? TypedResults.StatusCode(418) : result;
        });
        filtered.MapGet("/{word}", static (string word) => word);
    }

    private static IEnumerable<int> Lazy(Trail trail)
    {
        for (int i = 0; i < 3; i++)
        {
            trail.Add("item");
            yield return i;
        }
    }

    [Fact]
    public async Task Every_answer_is_the_same_with_the_pool_and_without_it()
    {
        await using ConsumerApp app = await StartAsync();
        string[] paths =
        [
            "text", "json/1", "json/2", "json/x", "nothing", "null", "created", "redirect", "problem", "bytes", "stream", "lazy", "later",
            "filtered/go", "filtered/stop", "missing",
        ];
        foreach (string path in paths) Reply.AssertSame(await app.GetAsync("/off/" + path), await app.GetAsync("/on/" + path));
        foreach (var content in (Func<HttpContent>[])
            [
                static () => JsonContent.Create(new Order(3, "three")), // good
                static () => new StringContent("{", null, "application/json"),
                static () => new StringContent("text"), // 415
            ])
        {
            Reply.AssertSame(await app.PostAsync("/off/orders", content()), await app.PostAsync("/on/orders", content()));
        }
        Reply.AssertSame(await app.PostAsync("/off/echo", new StringContent(Text)), await app.PostAsync("/on/echo", new StringContent(Text)));
    }

    private static string Text { get; } = new('x', 300_000);

    [Fact]
    public async Task A_handler_and_what_its_result_does_lazily_run_on_the_pool()
    {
        await using ConsumerApp app = await StartAsync();
        (await app.GetAsync("/on/text")).Ok();
        Assert.Equal(["handler: cpu"], app.Trail.Take());
        (await app.GetAsync("/on/lazy")).Ok();
        Assert.Equal(["item: cpu", "item: cpu", "item: cpu"], app.Trail.Take());
        (await app.GetAsync("/on/later")).Ok();
        Assert.Equal(["before: cpu", "after: cpu"], app.Trail.Take());
        (await app.GetAsync("/off/text")).Ok();
        Assert.Equal(["handler: server"], app.Trail.Take());
    }

    [Fact]
    public async Task What_is_not_valid_is_refused_without_a_place_in_the_queue()
    {
        await using ConsumerApp app = await StartAsync();
        Reply refused = await app.PostAsync("/on/orders", JsonContent.Create(new Order(1000, "many")));
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.Contains("Count", refused.Body, StringComparison.Ordinal);
        Reply.AssertSame(await app.PostAsync("/off/orders", JsonContent.Create(new Order(1000, "many"))), refused);
    }

    [Fact]
    public async Task A_file_is_uploaded_whole_and_read_on_the_pool()
    {
        await using ConsumerApp app = await StartAsync();
        byte[] bytes = new byte[500_000];
        new Random(1).NextBytes(bytes);
        Reply off = await app.PostAsync("/off/upload", Form(bytes));
        app.Trail.Take();
        Reply on = await app.PostAsync("/on/upload", Form(bytes));
        Assert.Equal($"\"a.bin 500000 {Convert.ToHexString(SHA256.HashData(bytes))}\"".Trim('"'), on.Ok());
        Assert.Equal(["hashed: cpu"], app.Trail.Take());
        Reply.AssertSame(off, on);

        static MultipartFormDataContent Form(byte[] bytes) => new() { { new ByteArrayContent(bytes), "file", "a.bin" } };
    }

    [Fact]
    public async Task Filters_before_RunOnPool_run_off_the_pool_and_those_after_it_on_the_pool()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            Trail trail = app.Services.GetRequiredService<Trail>();
            app.MapGet("/", () => trail.Add("handler")).AddEndpointFilter(Note("outer")).RunOnPool().AddEndpointFilter(Note("inner"));

            Func<EndpointFilterInvocationContext, EndpointFilterDelegate, ValueTask<object?>> Note(string name) => async (invocation, next) =>
            {
                trail.Add(name);
                object? result = await next(invocation);
                trail.Add(name + " again");
                return result;
            };
        });
        (await app.GetAsync("/")).Ok();
        Assert.Equal(["outer: server", "inner: cpu", "handler: cpu", "inner again: cpu", "outer again: server"], app.Trail.Take());
    }

    [Fact]
    public async Task Synchronous_handlers_that_block_on_asynchronous_code_are_all_answered()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            app.MapGet("/value", static () => SlowAsync().Result).RunOnPool();
            app.MapGet("/nothing", static () => SlowAsync().Wait()).RunOnPool();
            app.MapGet("/lazy", static () => Enumerable.Range(0, 3).Select(static _ => SlowAsync().GetAwaiter().GetResult())).RunOnPool();
        });
        foreach (var (path, body) in ((string, string)[])[("/value", "1"), ("/nothing", ""), ("/lazy", "[1,1,1]")])
        {
            Reply[] replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => app.GetAsync(path)));
            Assert.All(replies, reply => Assert.Equal(body, reply.Ok()));
        }

        static async Task<int> SlowAsync()
        {
            await Task.Delay(5);
            return 1;
        }
    }
}
