using System.Text.Json.Nodes;

namespace PoolApi.Tests.Service;

/// <summary>The document lists every parameter, body, response and problem.</summary>
public class OpenApiTests(ServiceApp app) : IClassFixture<ServiceApp>
{
    private async Task<JsonNode> Document() => JsonNode.Parse(await app.CreateClient().GetStringAsync("/openapi/v1.json", ServiceApp.Token))!;

    private async Task<JsonObject> Operation(string path, string method) => (await Document())["paths"]![path]![method]!.AsObject();

    /// <summary>An operation id never changes: it is the name of a method in generated clients.</summary>
    [Theory]
    [InlineData("/v1/thumbnails", "post", "createThumbnail")]
    [InlineData("/v1/password-hashes", "post", "hashPassword")]
    [InlineData("/v1/password-verifications", "post", "verifyPassword")]
    [InlineData("/v1/jobs", "get", "listJobs")]
    [InlineData("/v1/jobs/{id}", "get", "getJob")]
    [InlineData("/v1/jobs/{id}", "delete", "cancelJob")]
    [InlineData("/v1/jobs/{id}/result", "get", "getJobResult")]
    [InlineData("/v1/jobs/{id}/events", "get", "watchJob")]
    [InlineData("/v1/jobs/{id}:retry", "post", "retryJob")]
    [InlineData("/v1/diagnostics/noop", "get", "runNoop")]
    [InlineData("/v1/diagnostics/noop", "post", "runNoopByPost")]
    [InlineData("/v1/diagnostics/inline", "get", "runInline")]
    [InlineData("/v1/diagnostics/inline", "post", "runInlineByPost")]
    [InlineData("/v1/diagnostics/sleep", "get", "runSleep")]
    [InlineData("/v1/diagnostics/sleep", "post", "runSleepByPost")]
    [InlineData("/v1/diagnostics/hash", "get", "runHash")]
    [InlineData("/v1/diagnostics/hash", "post", "runHashByPost")]
    public async Task Each_operation_keeps_its_id(string path, string method, string id) =>
        Assert.Equal(id, (string?)(await Operation(path, method))["operationId"]);

    [Fact]
    public async Task Every_operation_has_a_unique_id_and_declares_that_it_needs_no_key()
    {
        JsonNode[] operations = [.. (await Document())["paths"]!.AsObject().SelectMany(static path => path.Value!.AsObject()).Select(static o => o.Value!)];
        Assert.NotEmpty(operations);
        Assert.All(operations, static o => Assert.Matches("^[a-z][A-Za-z]+$", (string?)o["operationId"]));
        Assert.Equal(operations.Length, operations.Select(static o => (string?)o["operationId"]).Distinct().Count());
        Assert.All(operations, static o => Assert.Empty(o["security"]!.AsArray()));
    }

    /// <summary>Generators give a method one return type for all success responses. If two types differ, the client throws or loses a response.</summary>
    [Fact]
    public async Task All_success_responses_of_an_operation_have_the_same_type()
    {
        JsonObject paths = (await Document())["paths"]!.AsObject();
        Assert.NotEmpty(paths);
        foreach (var (path, item) in paths)
        {
            foreach (var (method, operation) in item!.AsObject())
            {
                var successes = operation!["responses"]!.AsObject().Where(static r => r.Key[0] == '2').ToArray();
                string[] types = [.. successes.SelectMany(static r => r.Value!["content"]?.AsObject().Select(static c => TypeOf(c.Value!["schema"]!)) ?? ["none"]).Distinct()];
                Assert.True(types.Length == 1, $"{method} {path}: {string.Join(", ", types)}");
            }
        }

        static string TypeOf(JsonNode schema) => (string?)schema["$ref"] ?? $"{schema["type"]} {schema["format"]}";
    }

    [Theory]
    [InlineData("/v1/thumbnails", "post")]
    [InlineData("/v1/diagnostics/sleep", "get")]
    public async Task The_202_has_a_job_as_its_body(string path, string method)
    {
        JsonNode schema = (await Operation(path, method))["responses"]!["202"]!["content"]!["application/json"]!["schema"]!;
        Assert.Equal(("binary", "application/json"), ((string?)schema["format"], (string?)schema["contentMediaType"]));
        Assert.Equal("#/components/schemas/JobView", (string?)schema["contentSchema"]!["$ref"]);
    }

    [Fact]
    public async Task Properties_have_one_type_beside_null_and_the_enums_of_a_job_are_shared_schemas()
    {
        JsonNode schemas = (await Document())["components"]!["schemas"]!;
        JsonArray[] several = [.. schemas.AsObject().SelectMany(static s => s.Value!["properties"]?.AsObject().Select(static p => p.Value!["type"]) ?? []).OfType<JsonArray>()];
        Assert.NotEmpty(several);
        Assert.All(several, static types => Assert.Equal(2, types.Count)); // null, and one other
        JsonNode job = schemas["JobView"]!["properties"]!;
        Assert.Equal("#/components/schemas/JobState", (string?)job["state"]!["$ref"]);
        Assert.Equal("#/components/schemas/JobPriority", (string?)job["priority"]!["$ref"]);
        // The list of jobs omits the attempts.
        Assert.DoesNotContain("attempts", schemas["JobView"]!["required"]!.AsArray().Select(static name => (string)name!));
        Assert.Equal(("array", "#/components/schemas/JobAttemptView"), ((string?)job["attempts"]!["type"], (string?)job["attempts"]!["items"]!["$ref"]));
        Assert.All(
            (string[])["startedAt", "endedAt"],
            name => Assert.Equal("date-time", (string?)schemas["JobAttemptView"]!["properties"]![name]!["format"]));
    }

    /// <summary>A generated client may send a value of the format date-time without its offset, so the schema has a pattern instead.</summary>
    [Fact]
    public async Task A_time_in_a_query_is_a_text_with_an_offset()
    {
        JsonNode schema = (await Operation("/v1/thumbnails", "post"))["parameters"]!.AsArray().Single(static p => (string?)p!["name"] == "runAt")!["schema"]!;
        Assert.Null(schema["format"]);
        string pattern = (string)schema["pattern"]!;
        Assert.Matches(pattern, "2030-01-31T08:00:00Z");
        Assert.Matches(pattern, "2030-01-31t08:00:00.1234+05:30");
        Assert.DoesNotMatch(pattern, "2030-01-31T08:00:00");
    }

    [Fact]
    public async Task The_own_parameters_of_a_route_are_listed_before_the_common_parameters()
    {
        string[] own = ["width", "height", "format", "fit"];
        string?[] names = [.. (await Operation("/v1/thumbnails", "post"))["parameters"]!.AsArray().Select(static p => (string?)p!["name"])];
        Assert.All(own, name => Assert.True(Array.IndexOf(names, name) < Array.IndexOf(names, "Prefer")));
    }

    [Theory]
    [InlineData("/v1/thumbnails", "post", "200,202,400,406,408,409,410,413,415,422,500,503")]
    [InlineData("/v1/password-hashes", "post", "200,400,408,413,415,500,503")]
    [InlineData("/v1/password-verifications", "post", "200,400,408,413,415,422,500,503")]
    [InlineData("/v1/diagnostics/noop", "get", "200,202,400,408,409,410,413,422,500,503")]
    [InlineData("/v1/diagnostics/noop", "post", "200,202,400,408,409,410,413,422,500,503")]
    [InlineData("/v1/diagnostics/inline", "get", "200,400")]
    [InlineData("/v1/diagnostics/sleep", "post", "200,202,400,408,409,410,413,422,500,503")]
    [InlineData("/v1/diagnostics/hash", "get", "200,202,400,408,409,410,413,422,500,503")]
    public async Task Every_response_of_an_operation_is_documented_and_errors_are_problem_details(string path, string method, string statuses)
    {
        JsonObject responses = (await Operation(path, method))["responses"]!.AsObject();
        Assert.Equal(statuses, string.Join(',', responses.Select(static r => r.Key).Order(StringComparer.Ordinal)));
        foreach (var (status, response) in responses)
        {
            Assert.NotEmpty((string?)response!["description"] ?? "");
            if (status is not ("200" or "202")) Assert.NotNull(response["content"]!["application/problem+json"]!["schema"]);
            Assert.Equal(status is "202" or "409" or "503", response["headers"]?["Retry-After"] is not null);
            Assert.Equal(status == "200" && statuses.Contains("503", StringComparison.Ordinal), response["headers"]?["Server-Timing"] is not null);
        }
    }

    [Theory]
    [InlineData("/v1/thumbnails", "post", "width", true, 1, 4096)]
    [InlineData("/v1/thumbnails", "post", "height", false, 1, 4096)]
    [InlineData("/v1/diagnostics/sleep", "get", "ms", true, 0, 3_600_000)]
    [InlineData("/v1/diagnostics/hash", "get", "iterations", true, 1, 10_000_000)]
    [InlineData("/v1/thumbnails", "post", "timeout", false, 1, 604_800)]
    public async Task Number_parameters_are_documented_with_their_range(string path, string method, string name, bool required, int min, int max)
    {
        JsonNode parameter = (await Operation(path, method))["parameters"]!.AsArray().Single(p => (string?)p!["name"] == name)!;
        Assert.Equal(("query", required), ((string?)parameter["in"], (bool?)parameter["required"] ?? false));
        Assert.Equal(("integer", min, max), ((string?)parameter["schema"]!["type"], (int)parameter["schema"]!["minimum"]!, (int)parameter["schema"]!["maximum"]!));
    }

    /// <summary>Each parameter has one declaration, which the document and the parsing share.</summary>
    [Fact]
    public async Task A_route_refuses_values_that_the_document_excludes_and_names_the_documented_range_or_values()
    {
        JsonNode document = await Document();
        HttpClient client = app.CreateClient();
        int refused = 0;
        foreach (var (path, item) in document["paths"]!.AsObject())
        {
            foreach (var (method, operation) in item!.AsObject())
            {
                foreach (JsonNode? parameter in (operation!["parameters"] as JsonArray ?? []).Where(static p => (string?)p!["in"] == "query"))
                {
                    string name = (string)parameter!["name"]!;
                    JsonNode schema = parameter["schema"]!;
                    if ((string?)schema["$ref"] is { } shared) schema = document["components"]!["schemas"]![shared.Split('/')[^1]]!;
                    (long Min, long Max)? range = schema["maximum"] is { } max ? ((long)schema["minimum"]!, (long)max) : null;
                    string[] wrong = range is { } known ? [$"{known.Min - 1}", $"{known.Max + 1}"] : schema["enum"] is null ? [] : ["nonsense"];
                    string says = range is { } from ? $"from {from.Min} to {from.Max}" : string.Join(", ", (schema["enum"] as JsonArray ?? []).Select(static w => (string?)w));
                    foreach (string value in wrong)
                    {
                        using var request = new HttpRequestMessage(new HttpMethod(method.ToUpperInvariant()), $"{path}?{name}={value}");
                        request.Headers.Add("Prefer", "respond-async"); // some parameters are for jobs only
                        using HttpResponseMessage response = await client.SendAsync(request, ServiceApp.Token);
                        await ServiceApp.AssertProblem(response, 400, "invalid-request", name, says);
                        refused++;
                    }
                }
            }
        }
        Assert.InRange(refused, 25, 200);
    }

    [Fact]
    public async Task The_operation_for_thumbnails_documents_its_formats_and_media_types()
    {
        JsonObject thumbnails = await Operation("/v1/thumbnails", "post");
        JsonNode format = thumbnails["parameters"]!.AsArray().Single(static p => (string?)p!["name"] == "format")!;
        Assert.Equal("#/components/schemas/ThumbnailFormat", (string?)format["schema"]!["$ref"]);
        JsonNode formats = (await Document())["components"]!["schemas"]!["ThumbnailFormat"]!;
        Assert.Equal(["webp", "jpeg", "png", "avif"], formats["enum"]!.AsArray().Select(static v => (string?)v));
        Assert.Null(format["schema"]!["default"]); // the header Accept chooses
        Assert.Contains("Accept", (string?)format["description"], StringComparison.Ordinal);
        Assert.NotNull(thumbnails["responses"]!["200"]!["headers"]!["Vary"]);
        Assert.NotNull(thumbnails["requestBody"]!["content"]!["image/*"]);
        Assert.NotNull(thumbnails["responses"]!["200"]!["content"]!["image/avif"]);
    }

    [Theory]
    [InlineData("/v1/password-hashes", "password", "hash")]
    [InlineData("/v1/password-verifications", "password,hash", "valid")]
    public async Task JSON_requests_and_responses_are_documented_with_their_fields(string path, string asked, string answered)
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

    [Theory]
    [InlineData("", "/")]
    [InlineData("/images", "/images")]
    [InlineData("/a/b", "/a/b")]
    public async Task The_server_URL_in_the_document_is_the_path_prefix_of_the_request(string prefix, string server)
    {
        HttpContext context = await app.Server.SendAsync(
            c => (c.Request.Method, c.Request.PathBase, c.Request.Path) = ("GET", prefix, "/openapi/v1.json"), ServiceApp.Token);
        JsonNode document = (await JsonNode.ParseAsync(context.Response.Body, cancellationToken: ServiceApp.Token))!;
        Assert.Equal(server, (string?)Assert.Single(document["servers"]!.AsArray())!["url"]);
    }

    [Fact]
    public async Task The_document_does_not_depend_on_the_Host_header_and_has_no_management_routes()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/openapi/v1.json");
        request.Headers.Host = "evil.example";
        using HttpResponseMessage response = await app.CreateClient().SendAsync(request, ServiceApp.Token);
        string text = await response.Content.ReadAsStringAsync(ServiceApp.Token);
        Assert.DoesNotContain("evil.example", text, StringComparison.Ordinal);
        Assert.Equal("/", (string?)Assert.Single(JsonNode.Parse(text)!["servers"]!.AsArray())!["url"]);
        Assert.DoesNotContain("/metrics", text, StringComparison.Ordinal);
        Assert.DoesNotContain("/livez", text, StringComparison.Ordinal);
    }
}
