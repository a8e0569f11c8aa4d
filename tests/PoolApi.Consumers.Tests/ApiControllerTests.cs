using System.ComponentModel.DataAnnotations;
using System.Net;
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
                b.Services.AddControllers().Only(typeof(OffController), typeof(OnController));
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
        foreach (string path in (string[])["text", "item/1", "item/2", "item/x", "lazy", "later", "nothing", "file", "result", "needs"])
            Reply.AssertSame(await app.GetAsync("/off/" + path), await app.GetAsync("/on/" + path));
        foreach (string body in (string[])["""{"name":"a","count":3}""", """{"name":"","count":300}""", "{", ""])
        {
            Reply.AssertSame(
                await app.PostAsync("/off/items", new StringContent(body, null, "application/json")),
                await app.PostAsync("/on/items", new StringContent(body, null, "application/json")));
        }
    }

    [Fact]
    public async Task The_action_runs_on_the_pool_and_so_do_its_continuations_and_its_lazy_result()
    {
        await using ConsumerApp app = await StartAsync();
        Assert.Equal("io", (await app.GetAsync("/on/text")).Ok());
        Assert.True((await app.GetAsync("/on/later")).IsFromPool);
        Assert.Equal(["before: io", "after: io"], app.Trail.Take());
        Assert.Equal("[1,2]", (await app.GetAsync("/on/lazy")).Ok());
        Assert.Equal(["item: io", "item: io"], app.Trail.Take());
    }

    [Fact]
    public async Task An_actions_attribute_counts_more_than_its_controllers()
    {
        await using ConsumerApp app = await StartAsync();
        Assert.Equal("cpu", (await app.GetAsync("/on/other")).Ok());
        Assert.Equal((1, 0), (app.Pool().GetSnapshot().Counts.Accepted, app.Pool("io").GetSnapshot().Counts.Accepted));
    }

    [Fact]
    public async Task RunOffPool_counts_more_than_an_attribute()
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
    public async Task A_pool_that_does_not_exist_fails_the_start_by_the_actions_name()
    {
        InvalidOperationException fault = await FailAsync<WrongPoolController>();
        Assert.Contains("runs on the pool 'gpu', which does not exist", fault.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(WrongPoolController.Get), fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_option_out_of_its_range_fails_the_start_by_the_actions_name()
    {
        InvalidOperationException fault = await FailAsync<WrongOptionController>();
        Assert.Contains("MaxQueueTime may be 1 ms to 1 day.", fault.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(WrongOptionController.Get), fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_attribute_on_a_minimal_api_fails_the_start_and_says_what_to_write()
    {
        InvalidOperationException fault = await Assert.ThrowsAsync<InvalidOperationException>(static () => ConsumerApp.StartAsync(
            null, static app => app.MapGet("/x", [RunOnPool("cpu")] static () => "")));
        Assert.Equal(
            "The endpoint 'HTTP: GET /x' has the attribute RunOnPool, which reaches controllers and Razor Pages only: "
            + "write .RunOnPool(\"cpu\") where the endpoint is mapped.",
            fault.Message);
    }

    private static Task<InvalidOperationException> FailAsync<TController>() => Assert.ThrowsAsync<InvalidOperationException>(static () =>
        ConsumerApp.StartAsync(static b => b.Services.AddControllers().Only(typeof(TController)), static app => app.MapControllers()));

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

        [HttpGet("later")]
        public async Task<ActionResult<int>> Later()
        {
            Trail.Add("before");
            await Task.Delay(1);
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
        public string Text() => "io"; // the same words
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
            await Task.Delay(5);
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
