using System.Text.Json.Nodes;
using PoolApi.Tests.JobRoutes.Support;

namespace PoolApi.Tests.JobRoutes;

/// <summary>The OpenAPI document lists the parameters, responses and security of the jobs routes.</summary>
public class JobDocsTests
{
    private static async Task<JsonNode> Document(bool keys = false)
    {
        await using JobApp app = await JobApp.StartAsync(keys);
        return JsonNode.Parse(await app.Client.GetStringAsync("/openapi/v1.json", JobApp.Token))!;
    }

    [Theory]
    [InlineData("/v1/jobs", "get", "200,400,503", "query:state,query:kind,query:tag,query:cursor,query:limit")]
    [InlineData("/v1/jobs/{id}", "get", "200,304,400,404,503", "path:id,header:Prefer,header:If-None-Match")]
    [InlineData("/v1/jobs/{id}/result", "get", "200,404,409,410,500,503", "path:id")]
    [InlineData("/v1/jobs/{id}/events", "get", "200,400,404,503", "path:id,header:Last-Event-ID")]
    [InlineData("/v1/jobs/{id}", "delete", "202,204,404,409,503", "path:id")]
    [InlineData("/v1/jobs/{id}:retry", "post", "202,404,409,503", "path:id")]
    public async Task The_document_lists_the_parameters_and_responses_of_every_jobs_route(string path, string method, string statuses, string parameters)
    {
        JsonNode operation = (await Document())["paths"]![path]![method]!;
        Assert.NotEmpty((string?)operation["summary"] ?? "");
        Assert.Equal(parameters, string.Join(',', (operation["parameters"] as JsonArray ?? []).Select(static p => $"{p!["in"]}:{p["name"]}")));
        JsonObject responses = operation["responses"]!.AsObject();
        Assert.Equal(statuses, string.Join(',', responses.Select(static r => r.Key).Order(StringComparer.Ordinal)));
        foreach (var (status, response) in responses)
        {
            Assert.NotEmpty((string?)response!["description"] ?? "");
            Assert.Equal(status[0] is '4' or '5', response["content"]?["application/problem+json"] is not null);
            Assert.Null(response["headers"]?["Server-Timing"]);
        }
        Assert.Contains("store-unavailable", (string?)responses["503"]!["description"], StringComparison.Ordinal);
        Assert.NotNull(responses["503"]!["headers"]!["Retry-After"]);
        Assert.Empty(operation["security"]!.AsArray());
    }

    [Fact]
    public async Task The_schema_of_a_job_has_the_members_of_its_example_and_describes_them()
    {
        JsonNode document = await Document();
        JsonNode answer = document["paths"]!["/v1/jobs/{id}"]!["get"]!["responses"]!["200"]!["content"]!["application/json"]!;
        string name = ((string)answer["schema"]!["$ref"]!).Split('/')[^1];
        JsonObject properties = document["components"]!["schemas"]![name]!["properties"]!.AsObject();
        Assert.Equal(properties.Select(static p => p.Key), answer["example"]!.AsObject().Select(static p => p.Key));
        Assert.Equal(
            ["queued", "running", "succeeded", "failed", "cancelled", "expired"],
            document["components"]!["schemas"]!["JobState"]!["enum"]!.AsArray().Select(static s => (string?)s));
        Assert.Equal("date-time", (string?)properties["createdAt"]!["format"]);
        Assert.Equal("integer", (string?)properties["attempt"]!["type"]);
        Assert.All(properties.Where(static p => p.Value!["$ref"] is null && p.Key is not ("error" or "links")), static p => Assert.NotEmpty((string?)p.Value!["description"] ?? ""));
    }

    [Fact]
    public async Task With_keys_every_jobs_route_documents_its_security_and_401()
    {
        JsonNode document = await Document(keys: true);
        KeyValuePair<string, JsonNode?>[] routes = [.. document["paths"]!.AsObject().Where(static p => p.Key.StartsWith("/v1/jobs", StringComparison.Ordinal))];
        Assert.Equal(5, routes.Length);
        foreach (var (path, operations) in routes)
        {
            foreach (var (method, operation) in operations!.AsObject())
            {
                Assert.True(operation!["security"] is JsonArray { Count: 2 }, $"{method} {path}");
                Assert.NotNull(operation["responses"]!["401"]!["content"]!["application/problem+json"]);
            }
        }
    }
}
