using System.Text.Json.Nodes;

namespace PoolApi.Tests.Service;

/// <summary>The document names every parameter, body, answer and problem.</summary>
public class OpenApiTests(ServiceApp app) : IClassFixture<ServiceApp>
{
    private async Task<JsonObject> Operation(string path, string method) =>
        JsonNode.Parse(await app.CreateClient().GetStringAsync("/openapi/v1.json", ServiceApp.Token))!["paths"]![path]![method]!.AsObject();

    [Theory]
    [InlineData("/v1/thumbnails", "post", "200,202,400,406,408,409,410,413,415,422,500,503")]
    [InlineData("/v1/password-hashes", "post", "200,400,408,413,415,500,503")]
    [InlineData("/v1/password-verifications", "post", "200,400,408,413,415,422,500,503")]
    [InlineData("/v1/diagnostics/noop", "get", "200,202,400,408,409,410,413,422,500,503")]
    [InlineData("/v1/diagnostics/noop", "post", "200,202,400,408,409,410,413,422,500,503")]
    [InlineData("/v1/diagnostics/inline", "get", "200,400")]
    [InlineData("/v1/diagnostics/sleep", "post", "200,202,400,408,409,410,413,422,500,503")]
    [InlineData("/v1/diagnostics/hash", "get", "200,202,400,408,409,410,413,422,500,503")]
    public async Task Every_answer_is_there_and_problems_are_problem_details(string path, string method, string statuses)
    {
        JsonObject responses = (await Operation(path, method))["responses"]!.AsObject();
        Assert.Equal(statuses, string.Join(',', responses.Select(static r => r.Key).Order(StringComparer.Ordinal)));
        foreach (var (status, response) in responses)
        {
            Assert.NotEmpty((string?)response!["description"] ?? "");
            if (status is not ("200" or "202")) Assert.NotNull(response["content"]!["application/problem+json"]!["schema"]);
            Assert.Equal(status is "202" or "503", response["headers"]?["Retry-After"] is not null);
            Assert.Equal(status == "200" && statuses.Contains("503", StringComparison.Ordinal), response["headers"]?["Server-Timing"] is not null);
        }
    }

    [Theory]
    [InlineData("/v1/thumbnails", "post", "width", true, 1, 4096)]
    [InlineData("/v1/thumbnails", "post", "height", false, 1, 4096)]
    [InlineData("/v1/diagnostics/sleep", "get", "ms", true, 0, 3_600_000)]
    [InlineData("/v1/diagnostics/hash", "get", "iterations", true, 1, 10_000_000)]
    [InlineData("/v1/thumbnails", "post", "timeout", false, 1, 604_800)]
    public async Task Numbers_have_their_range(string path, string method, string name, bool required, int min, int max)
    {
        JsonNode parameter = (await Operation(path, method))["parameters"]!.AsArray().Single(p => (string?)p!["name"] == name)!;
        Assert.Equal(("query", required), ((string?)parameter["in"], (bool?)parameter["required"] ?? false));
        Assert.Equal(("integer", min, max), ((string?)parameter["schema"]!["type"], (int)parameter["schema"]!["minimum"]!, (int)parameter["schema"]!["maximum"]!));
    }

    [Fact]
    public async Task Choices_bodies_and_answers_have_their_kinds()
    {
        JsonObject thumbnails = await Operation("/v1/thumbnails", "post");
        JsonNode format = thumbnails["parameters"]!.AsArray().Single(static p => (string?)p!["name"] == "format")!;
        Assert.Equal(["webp", "jpeg", "png", "avif"], format["schema"]!["enum"]!.AsArray().Select(static v => (string?)v));
        Assert.Null(format["schema"]!["default"]); // the header Accept chooses
        Assert.Contains("Accept", (string?)format["description"], StringComparison.Ordinal);
        Assert.NotNull(thumbnails["responses"]!["200"]!["headers"]!["Vary"]);
        Assert.NotNull(thumbnails["requestBody"]!["content"]!["image/*"]);
        Assert.NotNull(thumbnails["responses"]!["200"]!["content"]!["image/avif"]);
    }

    [Theory]
    [InlineData("/v1/password-hashes", "password", "hash")]
    [InlineData("/v1/password-verifications", "password,hash", "valid")]
    public async Task Json_bodies_and_answers_have_their_fields(string path, string asked, string answered)
    {
        JsonNode document = JsonNode.Parse(await app.CreateClient().GetStringAsync("/openapi/v1.json", ServiceApp.Token))!;
        JsonNode operation = document["paths"]![path]!["post"]!;
        Assert.True((bool)operation["requestBody"]!["required"]!);
        JsonNode body = Resolve(operation["requestBody"]!["content"]!["application/json"]!["schema"]!);
        Assert.Equal(asked, string.Join(',', body["properties"]!.AsObject().Select(static p => p.Key)));
        Assert.Equal(asked, string.Join(',', body["required"]!.AsArray().Select(static p => (string?)p)));
        JsonNode answer = Resolve(operation["responses"]!["200"]!["content"]!["application/json"]!["schema"]!);
        Assert.Equal(answered, Assert.Single(answer["properties"]!.AsObject()).Key);

        JsonNode Resolve(JsonNode schema) =>
            (string?)schema["$ref"] is { } name ? document["components"]!["schemas"]![name.Split('/')[^1]]! : schema;
    }

    [Fact]
    public async Task It_does_not_depend_on_who_asks()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/openapi/v1.json");
        request.Headers.Host = "evil.example";
        using HttpResponseMessage response = await app.CreateClient().SendAsync(request, ServiceApp.Token);
        string text = await response.Content.ReadAsStringAsync(ServiceApp.Token);
        Assert.DoesNotContain("evil.example", text, StringComparison.Ordinal);
        Assert.DoesNotContain("/metrics", text, StringComparison.Ordinal);
        Assert.DoesNotContain("/livez", text, StringComparison.Ordinal);
    }
}
