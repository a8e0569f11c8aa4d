using System.Text.Json.Nodes;

namespace PoolApi.Tests.Service;

/// <summary>Hashes and trace ids can be copied from a response as they are.</summary>
public class ReadableTests(ServiceApp service) : IClassFixture<ServiceApp>
{
    [Fact]
    public async Task A_hash_is_written_without_escapes()
    {
        using HttpClient http = service.CreateClient();
        // Two of three hashes have a plus sign. Sixteen hashes without one occur in one of ten million runs.
        for (int i = 0; i < 16; i++)
        {
            using HttpResponseMessage response = await http.PostAsJsonAsync("/v1/password-hashes", new { password = "correct horse" }, ServiceApp.Token);
            string text = await response.Content.ReadAsStringAsync(ServiceApp.Token);
            Assert.DoesNotContain('\\', text);
            if (text.Contains('+', StringComparison.Ordinal)) return;
        }
        Assert.Fail("no hash had a plus sign");
    }

    [Fact]
    public async Task The_trace_id_of_a_problem_has_32_hexadecimal_digits()
    {
        using HttpClient http = service.CreateClient();
        using HttpResponseMessage response = await http.GetAsync("/v1/diagnostics/sleep?ms=5%00", ServiceApp.Token);
        JsonNode problem = await ServiceApp.AssertProblem(response, 400, "invalid-request", "ms", "a whole number from");
        Assert.Matches("^[0-9a-f]{32}$", (string)problem["traceId"]!);
    }

    [Fact]
    public async Task The_document_lists_the_problem_members_traceId_and_errors()
    {
        using HttpClient http = service.CreateClient();
        JsonNode document = JsonNode.Parse(await http.GetStringAsync("/openapi/v1.json", ServiceApp.Token))!;
        JsonNode properties = document["components"]!["schemas"]!["ProblemDetails"]!["properties"]!;
        Assert.NotNull(properties["traceId"]);
        Assert.NotNull(properties["errors"]);
    }
}
