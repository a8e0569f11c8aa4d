using System.Text.Json;
using Microsoft.AspNetCore.Mvc;

namespace PoolApi.Consumers.Tests;

/// <summary>The OpenAPI document of an app lists the responses that the pool may send in place of an endpoint.</summary>
public sealed class DocumentTests
{
    [Theory]
    [InlineData("/convention")]
    [InlineData("/attribute")]
    [InlineData("/documented/action")]
    public async Task The_OpenAPI_document_lists_the_pools_problems_for_each_endpoint_on_the_pool(string path)
    {
        JsonElement responses = await ResponsesAsync(path);
        Assert.Equal(["200", "408", "413", "500", "503"], responses.EnumerateObject().Select(static r => r.Name).Order(StringComparer.Ordinal));
        Assert.EndsWith(
            "/ProblemDetails",
            responses.GetProperty("503").GetProperty("content").GetProperty("application/problem+json").GetProperty("schema").GetProperty("$ref").GetString(),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/limited-by-convention")]
    [InlineData("/limited-by-attribute")]
    public async Task The_OpenAPI_document_lists_504_for_an_endpoint_with_MaxRunTime(string path) => Assert.True((await ResponsesAsync(path)).TryGetProperty("504", out _));

    [Theory]
    [InlineData("/beside")]
    [InlineData("/off")]
    public async Task The_OpenAPI_document_lists_none_of_the_pools_problems_for_an_endpoint_off_the_pool(string path) =>
        Assert.Equal(["200"], (await ResponsesAsync(path)).EnumerateObject().Select(static r => r.Name));

    private static async Task<JsonElement> ResponsesAsync(string path)
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static builder =>
            {
                builder.Services.AddOpenApi();
                builder.Services.AddControllers().Only(typeof(DocumentedController));
            },
            static app =>
            {
                app.MapOpenApi();
                app.MapControllers();
                app.MapGet("/convention", static () => "ok").RunOnPool();
                app.MapGet("/attribute", [RunOnPool] static () => "ok");
                app.MapGet("/limited-by-convention", static () => "ok").RunOnPool(configure: static o => o.MaxRunTime = TimeSpan.FromSeconds(1));
                app.MapGet("/limited-by-attribute", [RunOnPool(MaxRunTimeMilliseconds = 1000)] static () => "ok");
                app.MapGet("/beside", static () => "ok");
                app.MapGet("/off", [RunOnPool] static () => "ok").RunOffPool();
            });
        using JsonDocument document = JsonDocument.Parse((await app.GetAsync("/openapi/v1.json")).Ok());
        return document.RootElement.GetProperty("paths").GetProperty(path).GetProperty("get").GetProperty("responses").Clone();
    }
}

[ApiController]
[Route("documented")]
public sealed class DocumentedController : ControllerBase
{
    [RunOnPool]
    [HttpGet("action")]
    public string Get() => "ok";
}
