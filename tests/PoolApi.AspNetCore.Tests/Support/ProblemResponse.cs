using System.Net;
using System.Text.Json.Nodes;

namespace PoolApi.AspNetCore.Tests.Support;

/// <summary>Asserts what the problem details of a response contain.</summary>
internal static class ProblemResponse
{
    /// <summary>Asserts that the response is the problem of that name, with status 503.</summary>
    public static async Task AssertProblem(HttpResponseMessage response, string name)
    {
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        JsonNode problem = JsonNode.Parse(await response.Content.ReadAsStringAsync(TestApp.Token))!;
        Assert.Equal("urn:poolapi:problem:" + name, (string?)problem["type"]);
        Assert.Equal(503, (int?)problem["status"]);
        Assert.NotEmpty((string?)problem["title"] ?? "");
        AssertDetail(name, (string?)problem["detail"]);
        Assert.NotEmpty((string?)problem["traceId"] ?? "");
    }

    /// <summary>Asserts that the detail states whether the work may have run.</summary>
    public static void AssertDetail(string name, string? detail)
    {
        const string nothing = "Nothing has run.", unknown = "It may have taken effect: find out before you try again.";
        bool mayHaveRun = name is "state-unknown" or "run-timeout";
        Assert.Contains(mayHaveRun ? unknown : nothing, detail, StringComparison.Ordinal);
        Assert.DoesNotContain(mayHaveRun ? "Nothing" : "effect", detail, StringComparison.Ordinal);
    }
}
