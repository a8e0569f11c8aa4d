using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;

namespace PoolApi.Consumers.Tests;

/// <summary>A minimal API: groups, filters, typed results, validation, uploads. Each endpoint is mapped with and without the pool.</summary>
public sealed class MinimalApiTests
{
    public sealed record Order([property: Range(1, 100)] int Count, [property: Required] string Name);

    private static Task<ConsumerApp> StartAsync() => ConsumerApp.StartAsync(static b => b.Services.AddValidation(), static app =>
    {
        Map(app.MapGroup("/off"));
        Map(app.MapGroup("/on").RunOnPool());
        Map(app.MapGroup("/attribute").WithMetadata(new RunOnPoolAttribute("cpu")));
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
            await Task.Delay(1); // so that the method really awaits
            trail.Add("after");
            return 7;
        });
        group.MapGet("/count", static (int count) => count);
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
        foreach (string path in paths)
        {
            Reply off = await app.GetAsync("/off/" + path);
            Reply.AssertSame(off, await app.GetAsync("/on/" + path));
            Reply.AssertSame(off, await app.GetAsync("/attribute/" + path));
        }
        foreach (var content in (Func<HttpContent>[])
            [
                static () => JsonContent.Create(new Order(3, "three")), // good
                static () => new StringContent("{", null, "application/json"),
                static () => new StringContent("text"), // 415
            ])
        {
            Reply off = await app.PostAsync("/off/orders", content());
            Reply.AssertSame(off, await app.PostAsync("/on/orders", content()));
            Reply.AssertSame(off, await app.PostAsync("/attribute/orders", content()));
        }
        Reply.AssertSame(await app.PostAsync("/off/echo", new StringContent(Text)), await app.PostAsync("/on/echo", new StringContent(Text)));
    }

    private static string Text { get; } = new('x', 300_000);

    [Fact]
    public async Task A_handler_its_continuations_and_its_lazy_result_run_on_the_pool()
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
    public async Task An_invalid_request_is_refused_without_entering_the_queue()
    {
        await using ConsumerApp app = await StartAsync();
        Reply refused = await app.PostAsync("/on/orders", JsonContent.Create(new Order(1000, "many")));
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.Contains("Count", refused.Body, StringComparison.Ordinal);
        Reply.AssertSame(await app.PostAsync("/off/orders", JsonContent.Create(new Order(1000, "many"))), refused);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await app.PostAsync("/on/orders", new StringContent("text"))).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await app.GetAsync("/on/count?count=x")).Status);
        Assert.Equal(0, app.Pool().GetSnapshot().Accepted);
    }

    [Fact]
    public async Task An_attribute_alone_puts_all_of_the_endpoint_on_the_pool_and_with_RunOnPool_only_its_handler()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(static b => b.Services.AddFixedThreadPool("io", static o => o.Workers = 1), static app =>
        {
            app.MapPost("/alone", [RunOnPool("io")] async static (Bound bound, Trail trail) =>
            {
                trail.Add("before");
                await Task.Delay(1); // so that the method really awaits
                trail.Add("after");
                return new Answer(trail);
            });
            app.MapPost("/both", [RunOnPool("io")] static (Bound bound, Trail trail) => new Answer(trail)).RunOnPool("cpu");
            app.MapPost("/off", [RunOnPool("io")] static (Bound bound, Trail trail) => new Answer(trail)).RunOffPool();
            RouteGroupBuilder group = app.MapGroup("/group").RunOnPool("io");
            group.MapPost("/options", static (Bound bound, Trail trail) => new Answer(trail)).RunOnPool(configure: static o => o.Priority = WorkPriority.Low);
            group.MapPost("/result", [RunOnPool("cpu", ExecuteResult = true)] static (Bound bound, Trail trail) => new Answer(trail));
        });
        foreach (var (path, steps) in ((string, string[])[])
            [
                ("/alone", ["bound: io", "before: io", "after: io", "written: io"]),
                ("/both", ["bound: server", "written: server"]),
                ("/off", ["bound: server", "written: server"]),
                ("/group/options", ["bound: server", "written: server"]),
                ("/group/result", ["bound: server", "written: cpu"]),
            ])
        {
            Assert.Equal((path, "done"), (path, (await app.PostAsync(path, new StringContent("text"))).Ok()));
            Assert.Equal([path, .. steps], [path, .. app.Trail.Take()]);
        }
        Assert.Equal((3, 1), (app.Pool("io").GetSnapshot().Accepted, app.Pool().GetSnapshot().Accepted));
    }

    private sealed record Bound(string Text)
    {
        public static async ValueTask<Bound?> BindAsync(HttpContext context)
        {
            context.RequestServices.GetRequiredService<Trail>().Add("bound");
            using var reader = new StreamReader(context.Request.Body);
            return new Bound(await reader.ReadToEndAsync());
        }
    }

    private sealed record Answer(Trail Trail) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            Trail.Add("written");
            return httpContext.Response.WriteAsync("done", ConsumerApp.Token);
        }
    }

    [Fact]
    public async Task An_unknown_pool_fails_the_start_and_the_error_names_the_endpoint_or_the_group()
    {
        foreach (var (map, subject) in ((Action<WebApplication>, string)[])
            [
                (static app => app.MapGet("/x", static () => "").RunOnPool("gpu"), "The endpoint 'HTTP: GET /x'"),
                (static app => app.MapGet("/x", [RunOnPool("gpu")] static () => ""), "The endpoint 'HTTP: GET /x'"),
                (static app => app.MapGroup("/y").RunOnPool("gpu"), "The group of endpoints"),
            ])
        {
            InvalidOperationException fault = await Assert.ThrowsAsync<InvalidOperationException>(() => ConsumerApp.StartAsync(null, map));
            Assert.Equal(
                subject + " runs on the pool 'gpu', which does not exist: call services.AddFixedThreadPool(\"gpu\"). The pools are: cpu.", fault.Message);
        }
        InvalidOperationException none = await Assert.ThrowsAsync<InvalidOperationException>(static () => ConsumerApp.StartAsync(
            null, static app => app.MapGroup("/y").RunOnPool(), pool: false));
        Assert.Equal("The group of endpoints runs on a pool, and there is none: call services.AddFixedThreadPool(). The pools are: none.", none.Message);
    }

    [Fact]
    public async Task An_app_without_any_pool_fails_where_it_maps_an_endpoint_to_one()
    {
        InvalidOperationException none = await Assert.ThrowsAsync<InvalidOperationException>(static () => Alone.RunAsync(MapHandlerAsync));
        Assert.Equal("The endpoint runs on a pool, and there is none: call services.AddFixedThreadPool(). The pools are: none.", none.Message);
        InvalidOperationException unknown = await Assert.ThrowsAsync<InvalidOperationException>(static () => Alone.RunAsync(MapDelegateAsync));
        Assert.Equal(
            "The endpoint runs on the pool 'gpu', which does not exist: call services.AddFixedThreadPool(\"gpu\"). The pools are: none.", unknown.Message);
        await Alone.RunAsync(MapToPoolAsync);
    }

    private static Task MapHandlerAsync() => ConsumerApp.StartAsync(null, static app => app.MapGet("/x", static () => "").RunOnPool(), pool: false);

    private static Task MapDelegateAsync() =>
        ConsumerApp.StartAsync(null, static app => app.MapGet("/x", static _ => Task.CompletedTask).RunOnPool("gpu"), pool: false);

    private static async Task MapToPoolAsync()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app => app.MapGet("/x", static () => Trail.Here).RunOnPool());
        Assert.Equal("cpu", (await app.GetAsync("/x")).Ok());
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

    /// <summary>A result of the app's own. It starts on the pool because its value is lazy, and it awaits before it ends.</summary>
    private sealed record Lines(IEnumerable<int> Numbers, Func<Task> First) : IResult, IValueHttpResult
    {
        object IValueHttpResult.Value => Numbers;

        public async Task ExecuteAsync(HttpContext httpContext)
        {
            foreach (int number in Numbers)
            {
                await First();
                await httpContext.Response.WriteAsync($"{number}.", ConsumerApp.Token);
            }
        }
    }

    [Fact]
    public async Task A_lazy_result_of_the_apps_own_may_await_as_it_writes()
    {
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously), first = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, app => app.MapGet("/", (Trail trail) => new Lines(Lazy(trail), () =>
        {
            reached.TrySetResult();
            return first.Task;
        })).RunOnPool());
        Task<Reply> reply = app.GetAsync("/");
        await reached.Task.WaitAsync(ConsumerApp.Token);
        first.SetResult();
        Assert.Equal("0.1.2.", (await reply).Ok());
        Assert.Equal(["item: cpu", "item: server", "item: server"], app.Trail.Take()); // the last two after the await, as the README says
    }

    /// <summary>A result that the library does not know. It writes its value as JSON does: by the asynchronous enumerator, if there is one.</summary>
    private sealed class OwnJson(object value) : IResult, IValueHttpResult
    {
        public object? Value => value;

        public Task ExecuteAsync(HttpContext httpContext) => httpContext.Response.WriteAsJsonAsync(value, ConsumerApp.Token);
    }

    /// <summary>A query as a provider of Entity Framework returns it: a synchronous and an asynchronous sequence. The asynchronous one really awaits.</summary>
    private sealed class Query(Trail trail, Func<Task> first) : IEnumerable<int>, IAsyncEnumerable<int>
    {
        public IEnumerator<int> GetEnumerator() => Lazy(trail).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        public async IAsyncEnumerator<int> GetAsyncEnumerator(CancellationToken cancellationToken = default)
        {
            await first();
            for (int i = 0; i < 3; i++)
            {
                trail.Add("awaited");
                yield return i;
            }
        }
    }

    [Fact]
    public async Task A_query_that_a_handler_returns_is_read_on_the_pool_though_its_provider_is_asynchronous()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            app.MapGet("/", static (Trail trail) => new Query(trail, static () => Task.Delay(1))).RunOnPool();
            app.MapGet("/later", static async (Trail trail) =>
            {
                await Task.Yield();
                return new Query(trail, static () => Task.Delay(1));
            }).RunOnPool();
            app.MapGet("/executed", static (Trail trail) => new Query(trail, static () => Task.Delay(1))).RunOnPool(configure: static o => o.ExecuteResult = true);
        });
        foreach (string path in (string[])["/", "/later", "/executed"])
        {
            Assert.Equal("[0,1,2]", (await app.GetAsync(path)).Ok());
            Assert.Equal(["item: cpu", "item: cpu", "item: cpu"], app.Trail.Take());
        }
    }

    /// <summary>Options to which generated code describes types. They cannot write a value of another type.</summary>
    private static readonly JsonSerializerOptions Generated = new() { TypeInfoResolver = NumbersContext.Default };

    [Fact]
    public async Task A_query_that_is_the_value_of_a_result_is_read_on_the_pool_though_its_provider_is_asynchronous()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            app.MapGet("/there/{id}", static (int id) => id).WithName("there");
            Map(app.MapGroup("/off"));
            Map(app.MapGroup("/on").RunOnPool());
        });
        foreach (string path in (string[])
            ["ok", "created", "created-at", "accepted", "accepted-at", "bad", "not-found", "conflict", "unprocessable", "failed", "json", "json-as", "json-generated", "union", "later"])
        {
            Reply off = await app.GetAsync("/off/" + path);
            Assert.Equal((path, "[0,1,2]"), (path, off.Body));
            app.Trail.Take();
            Reply.AssertSame(off, await app.GetAsync("/on/" + path));
            Assert.Equal([path, "item: cpu", "item: cpu", "item: cpu"], [path, .. app.Trail.Take()]);
        }

        static void Map(RouteGroupBuilder group)
        {
            group.MapGet("/ok", static (Trail trail) => TypedResults.Ok(Numbers(trail)));
            group.MapGet("/created", static (Trail trail) => TypedResults.Created("/somewhere", Numbers(trail)));
            group.MapGet("/created-at", static (Trail trail) => TypedResults.CreatedAtRoute(Numbers(trail), "there", new RouteValueDictionary { ["id"] = 7 }));
            group.MapGet("/accepted", static (Trail trail) => TypedResults.Accepted("/somewhere", Numbers(trail)));
            group.MapGet("/accepted-at", static (Trail trail) => TypedResults.AcceptedAtRoute(Numbers(trail), "there", new RouteValueDictionary { ["id"] = 7 }));
            group.MapGet("/bad", static (Trail trail) => TypedResults.BadRequest(Numbers(trail)));
            group.MapGet("/not-found", static (Trail trail) => TypedResults.NotFound(Numbers(trail)));
            group.MapGet("/conflict", static (Trail trail) => TypedResults.Conflict(Numbers(trail)));
            group.MapGet("/unprocessable", static (Trail trail) => TypedResults.UnprocessableEntity(Numbers(trail)));
            group.MapGet("/failed", static (Trail trail) => TypedResults.InternalServerError(Numbers(trail)));
            group.MapGet("/json", static (Trail trail) => TypedResults.Json(Numbers(trail)));
            group.MapGet("/json-as", static (Trail trail) => TypedResults.Json(Numbers(trail), contentType: "application/vnd.numbers+json", statusCode: 299));
            group.MapGet("/json-generated", static (Trail trail) => TypedResults.Json<IEnumerable<int>>(Lazy(trail), Generated));
            group.MapGet("/union", static Results<Ok<Query>, NotFound> (Trail trail) => TypedResults.Ok(Numbers(trail)));
            group.MapGet("/later", static async (Trail trail) =>
            {
                await Task.Yield();
                return Results.Ok(Numbers(trail));
            });
        }

        static Query Numbers(Trail trail) => new(trail, static () => Task.Delay(1)); // so that the provider really awaits
    }

    [Fact]
    public async Task An_asynchronous_sequence_is_read_on_the_pool_where_the_endpoint_executes_its_result()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            app.MapGet("/", static (Trail trail) => AwaitedAsync(trail)).RunOnPool(configure: static o => o.ExecuteResult = true);
            app.MapGet("/value", static (Trail trail) => TypedResults.Ok(AwaitedAsync(trail))).RunOnPool(configure: static o => o.ExecuteResult = true);
        });
        foreach (string path in (string[])["/", "/value"])
        {
            Assert.Equal("[0,1,2]", (await app.GetAsync(path)).Ok());
            Assert.Equal([path, "before: cpu", "after: cpu", "before: cpu", "after: cpu", "before: cpu", "after: cpu"], [path, .. app.Trail.Take()]);
        }

    }

    [Fact]
    public async Task An_asynchronous_sequence_is_read_off_the_pool_where_the_endpoint_does_not_execute_its_result()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            app.MapGet("/", static (Trail trail) => AwaitedAsync(trail)).RunOnPool();
            app.MapGet("/value", static (Trail trail) => TypedResults.Ok(AwaitedAsync(trail))).RunOnPool();
        });
        foreach (string path in (string[])["/", "/value"])
        {
            Assert.Equal("[0,1,2]", (await app.GetAsync(path)).Ok());
            Assert.Equal(
                [path, "before: server", "after: server", "before: server", "after: server", "before: server", "after: server"], [path, .. app.Trail.Take()]);
        }
    }

    private static async IAsyncEnumerable<int> AwaitedAsync(Trail trail)
    {
        for (int i = 0; i < 3; i++)
        {
            trail.Add("before");
            await Task.Delay(1); // so that the sequence really awaits
            trail.Add("after");
            yield return i;
        }
    }

    [Fact]
    public async Task The_reading_of_a_query_in_a_result_of_the_apps_own_counts_toward_MaxRunTime()
    {
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, app => app.MapGet("/", (Trail trail) => new OwnJson(new Query(trail, () => first.Task)))
            .RunOnPool(configure: static o => o.MaxRunTime = TimeSpan.FromMilliseconds(100)), kestrel: true);
        try
        {
            Reply reply = await app.GetAsync("/").Patiently();
            Assert.Equal((HttpStatusCode.GatewayTimeout, 1), (reply.Status, app.Pool().GetSnapshot().Counts[WorkOutcome.TimedOut]));
        }
        finally
        {
            first.SetResult();
        }
    }

    [Fact]
    public async Task Asynchronous_handlers_that_block_on_asynchronous_code_are_all_answered()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app => app.MapGet("/", static async () =>
        {
            await Task.Yield();
            return SlowAsync().Result;
        }).RunOnPool());
        foreach (int count in (int[])[2, 8])
        {
            Reply[] replies = await Task.WhenAll(Enumerable.Range(0, count).Select(_ => app.GetAsync("/")));
            Assert.All(replies, static reply => Assert.Equal("1", reply.Ok()));
        }

        static async Task<int> SlowAsync()
        {
            await Task.Delay(5); // so that the method really awaits
            return 1;
        }
    }

    [Fact]
    public async Task Synchronous_handlers_that_block_on_asynchronous_code_are_all_answered()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            app.MapGet("/value", static () => SlowAsync().Result).RunOnPool();
            app.MapGet("/nothing", static () => SlowAsync().Wait()).RunOnPool();
            app.MapGet("/lazy", static () => Enumerable.Range(0, 3).Select(static _ => SlowAsync().GetAwaiter().GetResult())).RunOnPool();
            app.MapGet("/query", static (Trail trail, [FromKeyedServices("cpu")] FixedThreadPool pool) =>
                new OwnJson(new Query(trail, () => pool.RunAsync(static () => { }).AsTask()))).RunOnPool(); // needs stand-ins
        });
        foreach (var (path, body) in ((string, string)[])[("/value", "1"), ("/nothing", ""), ("/lazy", "[1,1,1]"), ("/query", "[0,1,2]")])
        {
            Reply[] replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => app.GetAsync(path)));
            Assert.All(replies, reply => Assert.Equal(body, reply.Ok()));
        }

        static async Task<int> SlowAsync()
        {
            await Task.Delay(5); // so that the method really awaits
            return 1;
        }
    }
}

[JsonSerializable(typeof(IEnumerable<int>))]
internal sealed partial class NumbersContext : JsonSerializerContext;
