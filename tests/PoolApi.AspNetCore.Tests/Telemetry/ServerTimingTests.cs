using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests.Telemetry;

/// <summary>Server-Timing describes one request, so no cache of the app replays it.</summary>
public sealed class ServerTimingTests
{
    [Theory]
    [InlineData("/text")]
    [InlineData("/json")]
    [InlineData("/bytes")]
    [InlineData("/large")]
    [InlineData("/delegate")]
    [InlineData("/started")]
    [InlineData("/empty")]
    [InlineData("/timing/action")]
    public async Task The_output_cache_does_not_replay_Server_Timing(string path)
    {
        await using TestApp app = await StartAsync();
        using HttpResponseMessage first = await app.Client.GetAsync(new Uri("/cached" + path, UriKind.Relative), TestApp.Token);
        using HttpResponseMessage second = await app.Client.GetAsync(new Uri("/cached" + path, UriKind.Relative), TestApp.Token);
        Assert.True(first.Headers.Contains("Server-Timing"));
        Assert.Equal(1, app.Pool.GetSnapshot().Accepted); // the second came from the cache
        Assert.NotNull(second.Headers.Age);
        Assert.Equal(await first.Content.ReadAsByteArrayAsync(TestApp.Token), await second.Content.ReadAsByteArrayAsync(TestApp.Token));
        Assert.False(second.Headers.Contains("Server-Timing"));
    }

    [Fact]
    public async Task The_response_cache_does_not_replay_Server_Timing()
    {
        await using TestApp app = await StartAsync();
        using HttpResponseMessage first = await app.Client.GetAsync(new Uri("/response-cached", UriKind.Relative), TestApp.Token);
        Assert.True(first.Headers.Contains("Server-Timing"));
        using HttpResponseMessage second = await app.Client.GetAsync(new Uri("/response-cached", UriKind.Relative), TestApp.Token);
        Assert.Equal(1, app.Pool.GetSnapshot().Accepted);
        Assert.False(second.Headers.Contains("Server-Timing"));
    }

    [Theory]
    [InlineData("/text", true)]
    [InlineData("/json", true)]
    [InlineData("/delegate", true)]
    [InlineData("/text", false)]
    [InlineData("/json", false)]
    [InlineData("/delegate", false)]
    public async Task A_response_that_is_not_cached_has_Server_Timing_unless_the_setting_is_off(string path, bool isOn)
    {
        await using TestApp app = await StartAsync(isOn);
        for (int i = 0; i < 2; i++)
        {
            using HttpResponseMessage answer = await app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
            Assert.Equal(isOn, answer.Headers.Contains("Server-Timing"));
        }
        Assert.Equal(2, app.Pool.GetSnapshot().Accepted);
    }

    private static Task<TestApp> StartAsync(bool isOn = true) => TestApp.StartAsync(
        static app =>
        {
            app.UseOutputCache();
            app.UseResponseCaching();
            Map(app);
            Map(app.MapGroup("/cached").CacheOutput());
            app.MapGet("/response-cached", static (HttpContext context) =>
            {
                context.Response.Headers.CacheControl = "public, max-age=60";
                return "text";
            }).RunOnPool();
        },
        new() { ["Pool:ServerTiming"] = isOn ? "true" : "false" },
        static b =>
        {
            b.Services.AddOutputCache();
            b.Services.AddResponseCaching();
            b.Services.AddControllers().AddApplicationPart(typeof(ServerTimingTests).Assembly);
        },
        kestrel: true);

    private static void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/text", static () => "text").RunOnPool();
        endpoints.MapGet("/json", static () => TypedResults.Ok(new Thing("json"))).RunOnPool();
        endpoints.MapGet("/bytes", static () => TypedResults.Bytes(new byte[10])).RunOnPool();
        endpoints.MapGet("/large", static () => TypedResults.Bytes(new byte[100_000])).RunOnPool();
        endpoints.MapGet("/empty", static () => TypedResults.Ok()).RunOnPool();
        endpoints.MapGet("/delegate", static context => context.Response.WriteAsync("text")).RunOnPool();
        endpoints.MapGet("/started", static async context =>
        {
            await context.Response.StartAsync();
            await context.Response.WriteAsync("text");
        }).RunOnPool();
        endpoints.MapControllers().RunOnPool();
    }

    private sealed record Thing([property: JsonPropertyName("name")] string Name);
}

[Route("timing")]
public sealed class TimedController : ControllerBase
{
    [HttpGet("action")]
    public IActionResult Action() => Ok(new { name = "action" });
}
