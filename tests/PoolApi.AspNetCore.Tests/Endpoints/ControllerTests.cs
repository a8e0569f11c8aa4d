using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Filters;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests.Endpoints;

/// <summary>Controllers: the action runs on the pool; its binding and its result do not.</summary>
public class ControllerTests
{
    [Fact]
    public async Task An_action_runs_on_the_pool_while_its_binding_and_its_result_run_off_it()
    {
        var steps = new Steps();
        await using TestApp app = await StartAsync(steps);
        Assert.Equal("hello you", await app.Client.GetStringAsync("/sample/hello?name=you", TestApp.Token));
        Assert.Equal(["bound off", "handled on the pool", "written off"], steps.Taken);
    }

    [Fact]
    public async Task An_asynchronous_action_stays_on_the_pool_after_its_awaits()
    {
        var steps = new Steps();
        await using TestApp app = await StartAsync(steps);
        Assert.Equal("5", await app.Client.GetStringAsync("/sample/later", TestApp.Token));
        Assert.Equal(["handled on the pool", "resumed on the pool"], steps.Taken);
    }

    [Fact]
    public async Task A_refusal_reaches_the_client_of_a_controller_as_a_problem()
    {
        var steps = new Steps();
        using var gate = new Gate();
        await using TestApp app = await StartAsync(steps, new() { ["Pool:QueueCapacity"] = "1" });
        using Gate held = SampleController.Held = gate;
        Task<string> running = app.Client.GetStringAsync("/sample/held", TestApp.Token);
        await gate.NextArrivalAsync();
        Task<string> waiting = app.Client.GetStringAsync("/sample/held", TestApp.Token);
        await app.UntilQueued(1);

        using HttpResponseMessage refused = await app.Client.GetAsync(new Uri("/sample/held", UriKind.Relative), TestApp.Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        JsonNode problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync(TestApp.Token))!;
        Assert.Equal("urn:poolapi:problem:queue-full", (string?)problem["type"]);
        gate.Open();
        await running;
        await waiting;
    }

    private static Task<TestApp> StartAsync(Steps steps, Dictionary<string, string?>? settings = null) => TestApp.StartAsync(
        app => app.MapControllers().RunOnPool(),
        settings,
        b =>
        {
            b.Services.AddSingleton(steps);
            b.Services.AddControllers().AddApplicationPart(typeof(ControllerTests).Assembly);
        });
}

/// <summary>The controller under test.</summary>
[ApiController]
[Route("sample")]
public class SampleController : ControllerBase
{
    internal static Gate? Held { get; set; }

    private Steps Steps => HttpContext.RequestServices.GetRequiredService<Steps>();

    [HttpGet("hello")]
    [NotesResult]
    public ActionResult<string> Hello([ModelBinder(typeof(NotingBinder))] string name)
    {
        Steps.Take("handled");
        return $"hello {name}";
    }

    [HttpGet("later")]
    public async Task<int> Later()
    {
        Steps.Take("handled");
        await Task.Yield();
        Steps.Take("resumed");
        return 5;
    }

    [HttpGet("held")]
    public string HeldBack() => Held!.Pass();

    private sealed class NotesResultAttribute : ResultFilterAttribute
    {
        public override void OnResultExecuting(ResultExecutingContext context) =>
            context.HttpContext.RequestServices.GetRequiredService<Steps>().Take("written");
    }

    private sealed class NotingBinder : IModelBinder
    {
        public Task BindModelAsync(ModelBindingContext bindingContext)
        {
            bindingContext.HttpContext.RequestServices.GetRequiredService<Steps>().Take("bound");
            bindingContext.Result = ModelBindingResult.Success(bindingContext.ValueProvider.GetValue("name").FirstValue);
            return Task.CompletedTask;
        }
    }
}
