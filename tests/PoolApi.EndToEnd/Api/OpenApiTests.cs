using System.Text.Json;

namespace PoolApi.EndToEnd.Api;

/// <summary>The OpenAPI document is complete: it has every route, every response and every problem.</summary>
public sealed class OpenApiTests(SharedServices services)
{
    private static readonly string[] Methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

    [Theory, ClassData(typeof(BothForms))]
    public async Task The_document_is_OpenAPI_3_1_and_every_reference_in_it_resolves(ServiceForm form)
    {
        var document = await DocumentAsync(form);

        Assert.StartsWith("3.1.", document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        Assert.False(string.IsNullOrWhiteSpace(document.GetProperty("info").GetProperty("title").GetString()));
        Assert.False(string.IsNullOrWhiteSpace(document.GetProperty("info").GetProperty("version").GetString()));
        Assert.Equal("MIT", document.GetProperty("info").GetProperty("license").GetProperty("identifier").GetString());
        string[] references = [.. References(document)];
        Assert.NotEmpty(references);
        Assert.All(references, reference => Assert.True(Leads(document, reference), $"{reference} leads nowhere"));
    }

    [Theory]
    [InlineData("post", "/v1/thumbnails", "200", "400", "413", "415", "422", "500", "503")]
    [InlineData("post", "/v1/password-hashes", "200", "400", "413", "415", "500", "503")]
    [InlineData("post", "/v1/password-verifications", "200", "400", "413", "415", "422", "500", "503")]
    [InlineData("get", "/v1/diagnostics/noop", "200", "503")]
    [InlineData("post", "/v1/diagnostics/noop", "200", "503")]
    [InlineData("get", "/v1/diagnostics/inline", "200")]
    [InlineData("post", "/v1/diagnostics/inline", "200")]
    [InlineData("get", "/v1/diagnostics/sleep", "200", "400", "503")]
    [InlineData("post", "/v1/diagnostics/sleep", "200", "400", "503")]
    [InlineData("get", "/v1/diagnostics/hash", "200", "400", "503")]
    [InlineData("post", "/v1/diagnostics/hash", "200", "400", "503")]
    public async Task The_document_lists_each_response_status_of_each_route(string method, string path, params string[] statuses)
    {
        foreach (var form in new[] { ServiceForm.FrameworkDependent, ServiceForm.NativeAot })
        {
            var document = await DocumentAsync(form);
            Assert.True(document.GetProperty("paths").TryGetProperty(path, out var item), $"no {path} ({form})");
            Assert.True(item.TryGetProperty(method, out var operation), $"no {method} {path} ({form})");
            var responses = operation.GetProperty("responses");
            foreach (string status in statuses)
            {
                Assert.True(responses.TryGetProperty(status, out var response), $"{method} {path} has no response {status} ({form})");
                if (status[0] is '4' or '5')
                {
                    var content = Resolve(document, response).GetProperty("content");
                    Assert.True(content.TryGetProperty("application/problem+json", out _), $"{method} {path} {status} ({form})");
                }
            }
        }
    }

    [Fact]
    public async Task The_thumbnail_operation_documents_its_parameters_its_body_and_its_response()
    {
        var document = await DocumentAsync(ServiceForm.NativeAot);

        var operation = document.GetProperty("paths").GetProperty("/v1/thumbnails").GetProperty("post");

        var parameters = operation.GetProperty("parameters").EnumerateArray().Select(p => Resolve(document, p)).ToArray();
        var query = parameters.Where(p => p.GetProperty("in").GetString() == "query").Select(p => p.GetProperty("name").GetString());
        // Its own parameters, and the options of jobs.
        Assert.Equal(["fit", "format", "height", "priority", "runAt", "tag", "timeout", "width"], query.Order(StringComparer.Ordinal));
        Assert.True(parameters.Single(p => p.GetProperty("name").GetString() == "width").GetProperty("required").GetBoolean());
        Assert.NotEmpty(operation.GetProperty("requestBody").GetProperty("content").EnumerateObject());
        var content = operation.GetProperty("responses").GetProperty("200").GetProperty("content").EnumerateObject().Select(c => c.Name);
        Assert.Contains("image/webp", content);
    }

    [Fact]
    public async Task Every_listed_operation_has_a_summary_and_exists()
    {
        var service = await services.InAsync(ServiceForm.Any);
        var document = await DocumentAsync(ServiceForm.Any);

        foreach (var path in document.GetProperty("paths").EnumerateObject())
        {
            foreach (var operation in path.Value.EnumerateObject().Where(o => Methods.Contains(o.Name)))
            {
                bool summed = operation.Value.TryGetProperty("summary", out var summary) && !string.IsNullOrWhiteSpace(summary.GetString());
                Assert.True(summed, $"{operation.Name} {path.Name} has no summary");
                var method = new HttpMethod(operation.Name.ToUpperInvariant());
                var answer = await service.Api.SendAsync(new HttpRequestMessage(method, path.Name));
                // For a path with a parameter, a 404 may mean that the named object does not exist. Its problem reports no unknown route.
                bool isOfTheParameter = answer.Status == 404 && path.Name.Contains('{', StringComparison.Ordinal)
                    && !answer.Text.Contains("no such route", StringComparison.Ordinal);
                Assert.True(isOfTheParameter || answer.Status is not (404 or 405), $"{operation.Name} {path.Name} is listed and answers {answer.Status}");
            }
        }
    }

    private static IEnumerable<string> References(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().SelectMany(m => m is { Name: "$ref", Value.ValueKind: JsonValueKind.String }
            ? [m.Value.GetString()!]
            : References(m.Value)),
        JsonValueKind.Array => json.EnumerateArray().SelectMany(References),
        _ => [],
    };

    private static JsonElement Resolve(JsonElement document, JsonElement element) =>
        element.TryGetProperty("$ref", out var reference) && Find(document, reference.GetString()!) is { } found ? found : element;

    private static bool Leads(JsonElement document, string reference) => Find(document, reference) is not null;

    private static JsonElement? Find(JsonElement document, string reference)
    {
        if (!reference.StartsWith("#/", StringComparison.Ordinal))
            return null;
        var at = document;
        foreach (string step in reference[2..].Split('/'))
        {
            string name = step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(name, out at))
                return null;
        }

        return at;
    }

    private async Task<JsonElement> DocumentAsync(ServiceForm form) =>
        (await (await services.InAsync(form)).Api.GetAsync("/openapi/v1.json")).MustBe(200).Json();
}
