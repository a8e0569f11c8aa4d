using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace PoolApi.Consumers.Tests;

/// <summary>Controllers of an API, which name their pool by an attribute.</summary>
public sealed class ApiControllerTests
{
    private static Task<ConsumerApp> StartAsync(Action<ControllerActionEndpointConventionBuilder>? routes = null, bool kestrel = false) =>
        ConsumerApp.StartAsync(
            static b =>
            {
                b.Services.AddFixedThreadPool("io", static o => o.Workers = 1);
                b.Services.AddControllers().AddJsonOptions(static o => o.JsonSerializerOptions.Converters.Add(new AsText<Pressures>()))
                    .Only(typeof(OffController), typeof(OnController));
            },
            app =>
            {
                ControllerActionEndpointConventionBuilder builder = app.MapControllers();
                routes?.Invoke(builder);
            },
            kestrel);

    [Fact]
    public async Task Every_answer_is_the_same_with_the_attribute_and_without_it()
    {
        await using ConsumerApp app = await StartAsync();
        foreach (string path in (string[])["text", "item/1", "item/2", "item/x", "lazy", "later", "nothing", "file", "result", "needs", "temperatures", "temperatures-object", "pressures"])
            Reply.AssertSame(await app.GetAsync("/off/" + path), await app.GetAsync("/on/" + path));
        foreach (string body in (string[])["""{"name":"a","count":3}""", """{"name":"","count":300}""", "{", ""])
        {
            Reply.AssertSame(
                await app.PostAsync("/off/items", new StringContent(body, null, "application/json")),
                await app.PostAsync("/on/items", new StringContent(body, null, "application/json")));
        }
    }

    [Fact]
    public async Task An_action_its_continuations_and_its_lazy_result_run_on_the_pool()
    {
        await using ConsumerApp app = await StartAsync();
        Assert.Equal("io", (await app.GetAsync("/on/text")).Ok());
        Assert.True((await app.GetAsync("/on/later")).IsFromPool);
        Assert.Equal(["before: io", "after: io"], app.Trail.Take());
        Assert.Equal("[1,2]", (await app.GetAsync("/on/lazy")).Ok());
        Assert.Equal(["item: io", "item: io"], app.Trail.Take());
    }

    /// <summary>MVC wraps the value that an action returns, so a filter sees the wrapper and not the sequence.</summary>
    [Fact]
    public async Task A_lazy_sequence_is_read_on_the_pool_whatever_it_is_wrapped_in()
    {
        await using ConsumerApp app = await StartAsync(static routes => routes.RunOnPool("cpu"));
        foreach (string path in (string[])["lazy", "lazy-value", "lazy-object", "lazy-json", "lazy-result", "lazy-typed", "lazy-union"])
        {
            // The first endpoint is on its pool by the attribute, the second by the convention of the routes.
            Assert.Equal((path, "[1,2]"), (path, (await app.GetAsync("/on/" + path)).Ok()));
            Assert.Equal([path, "item: io", "item: io"], [path, .. app.Trail.Take()]);
            Assert.Equal((path, "[1,2]"), (path, (await app.GetAsync("/off/" + path)).Ok()));
            Assert.Equal([path, "item: cpu", "item: cpu"], [path, .. app.Trail.Take()]);
        }
    }

    [Fact]
    public async Task A_file_is_uploaded_whole_and_the_limits_of_its_form_hold()
    {
        await using ConsumerApp app = await StartAsync();
        foreach (int bytes in (int[])[1900, 2100])
        {
            Reply off = await app.PostAsync("/off/upload", Form(bytes));
            app.Trail.Take();
            Reply.AssertSame(off, await app.PostAsync("/on/upload", Form(bytes)));
            Assert.Equal(bytes < 2000 ? ["uploaded: io"] : [], app.Trail.Take());
            Assert.Equal(bytes < 2000 ? (HttpStatusCode.OK, "a.bin 1900") : (HttpStatusCode.BadRequest, off.Body), (off.Status, off.Body));
        }

        static MultipartFormDataContent Form(int bytes) => new() { { new ByteArrayContent(new byte[bytes]), "file", "a.bin" } };
    }

    [Fact]
    public async Task The_attribute_of_an_action_overrides_that_of_its_controller()
    {
        await using ConsumerApp app = await StartAsync();
        Assert.Equal("cpu", (await app.GetAsync("/on/other")).Ok());
        Assert.Equal((1, 0), (app.Pool().GetSnapshot().Accepted, app.Pool("io").GetSnapshot().Accepted));
    }

    [Fact]
    public async Task RunOffPool_overrides_an_attribute()
    {
        await using ConsumerApp app = await StartAsync(static routes => routes.RunOffPool());
        Assert.Equal("server", (await app.GetAsync("/on/text")).Ok());
    }

    [Fact]
    public async Task Actions_that_block_on_asynchronous_code_are_all_answered()
    {
        await using ConsumerApp app = await StartAsync();
        Reply[] replies = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => app.GetAsync("/on/blocks")));
        Assert.All(replies, static reply => Assert.Equal("1", reply.Ok()));
    }

    [Theory]
    [InlineData("/on/limited")]
    [InlineData("/on/unlimited")]
    public async Task The_smallest_limit_on_a_body_holds(string path)
    {
        await using ConsumerApp app = await StartAsync(kestrel: true);
        Assert.Equal("900", (await app.PostAsync(path, new ByteArrayContent(new byte[900]))).Ok());
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await app.PostAsync(path, new ByteArrayContent(new byte[5000]))).Status);
    }

    [Fact]
    public async Task An_action_that_exceeds_its_time_limit_is_answered_504_even_if_it_ignores_cancellation()
    {
        await using ConsumerApp app = await StartAsync();
        foreach (string path in (string[])["/on/listens", "/on/ignores"])
        {
            Reply reply = await app.GetAsync(path);
            Assert.Equal((path, HttpStatusCode.GatewayTimeout), (path, reply.Status));
            Assert.Contains("urn:poolapi:problem:run-timeout", reply.Body, StringComparison.Ordinal);
        }
        Assert.Equal("io", (await app.GetAsync("/on/text")).Ok()); // the worker continues
    }

    [Fact]
    public async Task The_options_of_an_attribute_are_used()
    {
        using var gate = new Gate();
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b =>
            {
                b.Services.AddFixedThreadPool("io", static o => o.Workers = 1);
                b.Services.AddControllers().Only(typeof(MarkedController));
            },
            app =>
            {
                app.MapControllers();
                app.MapGet("/blocks", () => gate.Pass()).RunOnPool("io");
            });
        Assert.Equal("marked", (await app.GetAsync("/marked/kind")).Ok());
        Task<Reply> blocking = app.GetAsync("/blocks");
        await gate.NextArrivalAsync();
        Task<Reply> high = app.GetAsync("/marked/high");
        await Patience.UntilAsync(() => app.Pool("io").GetSnapshot().GetQueueLength(WorkPriority.High) == 1, "the request is queued with high priority");
        Reply expired = await app.GetAsync("/marked/short");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, expired.Status);
        Assert.Contains("urn:poolapi:problem:expired", expired.Body, StringComparison.Ordinal);
        Assert.Contains("waited for 0.02 s", expired.Body, StringComparison.Ordinal);
        gate.Open();
        (await blocking).Ok();
        Assert.Equal("io", (await high).Ok());
    }

    [ApiController]
    [Route("marked")]
    [RunOnPool("io", Kind = "marked")]
    public sealed class MarkedController : ControllerBase
    {
        [HttpGet("kind")]
        public string Kind() => FixedThreadPool.Current!.GetSnapshot().Workers.Single(static w => w.Name == Thread.CurrentThread.Name).Kind!;

        [HttpGet("high")]
        [RunOnPool(Priority = WorkPriority.High)]
        public string High() => Trail.Here;

        [HttpGet("short")]
        [RunOnPool(MaxQueueTimeMilliseconds = 20)]
        public string Hurried() => Trail.Here;
    }

    [Fact]
    public async Task An_unknown_pool_fails_the_start_and_the_error_names_the_action()
    {
        InvalidOperationException fault = await FailAsync<WrongPoolController>();
        Assert.Contains("runs on the pool 'gpu', which does not exist", fault.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(WrongPoolController.Get), fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_out_of_range_option_fails_the_start_and_the_error_names_the_action()
    {
        InvalidOperationException fault = await FailAsync<WrongOptionController>();
        Assert.Contains("MaxQueueTimeMilliseconds must be 1 to 86,400,000; it is -1.", fault.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(WrongOptionController.Get), fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_app_without_any_pool_fails_where_it_maps_a_controller_or_an_action_with_the_attribute()
    {
        InvalidOperationException fault = await Assert.ThrowsAsync<InvalidOperationException>(static () => Alone.RunAsync(MapOnControllerAsync));
        Assert.Contains(nameof(OnController), fault.Message, StringComparison.Ordinal);
        Assert.Contains("runs on the pool 'io', which does not exist: call services.AddFixedThreadPool(\"io\").", fault.Message, StringComparison.Ordinal);
        fault = await Assert.ThrowsAsync<InvalidOperationException>(static () => Alone.RunAsync(MapWrongPoolControllerAsync));
        Assert.Contains(nameof(WrongPoolController.Get), fault.Message, StringComparison.Ordinal);
        Assert.Contains("runs on the pool 'gpu', which does not exist: call services.AddFixedThreadPool(\"gpu\").", fault.Message, StringComparison.Ordinal);
    }

    private static Task MapOnControllerAsync() => MapAsync<OnController>();

    private static Task MapWrongPoolControllerAsync() => MapAsync<WrongPoolController>();

    private static Task<ConsumerApp> MapAsync<TController>() =>
        ConsumerApp.StartAsync(static b => b.Services.AddControllers().Only(typeof(TController)), static app => app.MapControllers(), pool: false);

    /// <summary>The attribute cannot detect that the pools belong to another app, and the library runs no other code at the start of this app.</summary>
    [Fact]
    public async Task An_attribute_in_an_app_without_a_pool_fails_the_request_if_another_app_has_one()
    {
        new ServiceCollection().AddFixedThreadPool();
        await using ConsumerApp app = await MapAsync<OnController>();
        InvalidOperationException fault = await Assert.ThrowsAsync<InvalidOperationException>(() => app.GetAsync("/on/text"));
        Assert.Contains(nameof(OnController.Text), fault.Message, StringComparison.Ordinal);
        Assert.Contains("call services.AddFixedThreadPool()", fault.Message, StringComparison.Ordinal);
    }

    private static Task<InvalidOperationException> FailAsync<TController>() => Assert.ThrowsAsync<InvalidOperationException>(static () =>
        ConsumerApp.StartAsync(static b => b.Services.AddControllers().Only(typeof(TController)), static app => app.MapControllers()));

    /// <summary>A sequence with its own form in JSON, which an attribute sets.</summary>
    [JsonConverter(typeof(AsText<Temperatures>))]
    public sealed class Temperatures : IEnumerable<int>
    {
        public IEnumerator<int> GetEnumerator() => Enumerable.Range(20, 3).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>A sequence with its own form in JSON, which the app's options set.</summary>
    public sealed class Pressures : IEnumerable<int>
    {
        public IEnumerator<int> GetEnumerator() => Enumerable.Range(1000, 3).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private sealed class AsText<T> : JsonConverter<T>
        where T : IEnumerable<int>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(string.Join(" to ", value));
    }

    [ApiController]
    public abstract class ItemsController : ControllerBase
    {
        public sealed record Item([Required] string Name, [Range(1, 100)] int Count);

        private Trail Trail => HttpContext.RequestServices.GetRequiredService<Trail>();

        [HttpGet("item/{id}")]
        public ActionResult<Item> Get(int id) => id == 1 ? new Item("one", 1) : NotFound();

        [HttpGet("lazy")]
        public IEnumerable<int> Lazy()
        {
            for (int i = 1; i <= 2; i++)
            {
                Trail.Add("item");
                yield return i;
            }
        }

        [HttpGet("lazy-value")]
        public ActionResult<IEnumerable<int>> LazyValue() => new(Lazy());

        [HttpGet("lazy-object")]
        public IActionResult LazyObject() => Ok(Lazy());

        [HttpGet("lazy-json")]
        public IActionResult LazyJson() => new JsonResult(Lazy());

        [HttpGet("lazy-result")]
        public IResult LazyResult() => Results.Ok(Lazy());

        [HttpGet("lazy-typed")]
        public Ok<IEnumerable<int>> LazyTyped() => TypedResults.Ok(Lazy());

        [HttpGet("lazy-union")]
        public Results<Ok<IEnumerable<int>>, NotFound> LazyUnion() => TypedResults.Ok(Lazy());

        [HttpGet("temperatures")]
        public Temperatures Warm() => new();

        [HttpGet("temperatures-object")]
        public IActionResult WarmObject() => Ok(new Temperatures());

        [HttpGet("pressures")]
        public Pressures High() => new();

        [HttpPost("upload")]
        [RequestFormLimits(MultipartBodyLengthLimit = 2000)]
        public async Task<string> Upload(IFormFile file)
        {
            using var copy = new MemoryStream();
            await file.CopyToAsync(copy);
            Trail.Add("uploaded");
            return $"{file.FileName} {copy.Length}";
        }

        [HttpGet("later")]
        public async Task<ActionResult<int>> Later()
        {
            Trail.Add("before");
            await Task.Delay(1); // so that the method really awaits
            Trail.Add("after");
            return 5;
        }

        [HttpGet("nothing")]
        public void Nothing() { }

        [HttpGet("file")]
        public FileContentResult Download() => File(new byte[100_000], "application/octet-stream", "zeros.bin");

        [HttpGet("result")]
        public IResult Result() => TypedResults.Conflict("no");

        [HttpGet("needs")]
        public string Needs([FromQuery, Required] string what) => what;

        [HttpPost("items")]
        public ActionResult<Item> Post(Item item) => Created("/somewhere", item);
    }

    [Route("off")]
    public sealed class OffController : ItemsController
    {
        [HttpGet("text")]
        public string Text() => "io"; // the same text as on the pool
    }

    [Route("on")]
    [RunOnPool("io")]
    public sealed class OnController : ItemsController
    {
        [HttpGet("text")]
        public string Text() => Trail.Here;

        [HttpGet("other")]
        [RunOnPool("cpu")]
        public string Other() => Trail.Here;

        [HttpGet("listens")]
        [RunOnPool("io", MaxRunTimeMilliseconds = 100)]
        public string Listens(CancellationToken cancellation)
        {
            cancellation.WaitHandle.WaitOne();
            cancellation.ThrowIfCancellationRequested();
            return "never";
        }

        [HttpGet("ignores")]
        [RunOnPool("io", MaxRunTimeMilliseconds = 100)]
        public string Ignores(CancellationToken cancellation)
        {
            cancellation.WaitHandle.WaitOne();
            Thread.Sleep(300); // the client has its answer meanwhile
            return "late";
        }

        [HttpGet("blocks")]
        public int Blocks() => SlowAsync().Result;

        [HttpPost("limited")]
        [RequestSizeLimit(1000)]
        public Task<long> Limited() => LengthAsync();

        [HttpPost("unlimited")]
        [DisableRequestSizeLimit]
        [RunOnPool("io", MaxBodyBytes = 1000)]
        public Task<long> Unlimited() => LengthAsync();

        private async Task<long> LengthAsync()
        {
            using var copy = new MemoryStream();
            await Request.Body.CopyToAsync(copy);
            return copy.Length;
        }

        private static async Task<int> SlowAsync()
        {
            await Task.Delay(5); // so that the method really awaits
            return 1;
        }
    }

    [Route("wrong")]
    public sealed class WrongPoolController : ControllerBase
    {
        [HttpGet]
        [RunOnPool("gpu")]
        public string Get() => "";
    }

    [Route("wrong")]
    public sealed class WrongOptionController : ControllerBase
    {
        [HttpGet]
        [RunOnPool(MaxQueueTimeMilliseconds = -1)]
        public string Get() => "";
    }
}
