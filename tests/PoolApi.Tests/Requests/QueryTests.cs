using System.Text.Json.Nodes;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Requests;

/// <summary>A query parameter that a route does not have is refused by its name, on every route of the API.</summary>
public class QueryTests(ServiceApp app) : IClassFixture<ServiceApp>
{
    private readonly HttpClient _client = app.CreateClient();

    [Theory]
    [InlineData("/v1/thumbnails?wdith=320", "wdith", "Did you mean width?")]
    [InlineData("/v1/thumbnails?width=320&hight=3", "hight", "Did you mean height?")]
    [InlineData("/v1/thumbnails?w=320", "w", "Did you mean width?")]
    [InlineData("/v1/thumbnails?width=320&fomat=png", "fomat", "Did you mean format?")]
    [InlineData("/v1/thumbnails?width=320&prio=low", "prio", "Did you mean priority?")]
    [InlineData("/v1/thumbnails?width=320&tags=a", "tags", "Did you mean tag?")]
    [InlineData("/v1/thumbnails?width=320&quality=80", "quality", "quality is no query parameter of this route.")]
    [InlineData("/v1/thumbnails?width=320&f=png", "f", "f is no query parameter of this route.")] // ambiguous: fit or format
    [InlineData("/v1/thumbnails?width=320&=5", "", "without a name")]
    [InlineData("/v1/password-hashes?password=x", "password", "no query parameter")]
    [InlineData("/v1/password-verifications?cost=2", "cost", "no query parameter")]
    [InlineData("/v1/diagnostics/noop?ms=1", "ms", "no query parameter")]
    [InlineData("/v1/diagnostics/inline?ms=1", "ms", "no query parameter")]
    [InlineData("/v1/diagnostics/sleep?ms=1&iterations=3", "iterations", "no query parameter")]
    [InlineData("/v1/diagnostics/hash?iterations=1&iteration=2", "iteration", "Did you mean iterations?")]
    public async Task An_unknown_query_parameter_is_refused_with_its_name_and_the_nearest_known_one(string url, string name, string says)
    {
        using var body = new ByteArrayContent([1]);
        using HttpResponseMessage response = await _client.PostAsync(url, body, ServiceApp.Token);
        JsonNode problem = await ServiceApp.AssertProblem(response, 400, "invalid-request", name, says);
        Assert.Contains("This route has", (string)problem["detail"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/jobs?stat=failed", "stat", "Did you mean state?")]
    [InlineData("/v1/jobs?page=2", "page", "no query parameter")]
    [InlineData("/v1/jobs/0199aaaa-0000-7000-8000-000000000000?wait=30", "wait", "no query parameter")]
    [InlineData("/v1/jobs/0199aaaa-0000-7000-8000-000000000000/result?download=1", "download", "no query parameter")]
    [InlineData("/v1/jobs/0199aaaa-0000-7000-8000-000000000000/events?lastEventId=1", "lastEventId", "no query parameter")]
    public async Task An_unknown_query_parameter_of_a_job_route_is_refused_with_its_name(string url, string name, string says)
    {
        using HttpResponseMessage response = await _client.GetAsync(url, ServiceApp.Token);
        await ServiceApp.AssertProblem(response, 400, "invalid-request", name, says);
    }

    [Fact]
    public async Task Every_route_of_the_document_refuses_a_parameter_that_it_does_not_have()
    {
        JsonNode document = JsonNode.Parse(await _client.GetStringAsync("/openapi/v1.json", ServiceApp.Token))!;
        int seen = 0;
        foreach (var (path, item) in document["paths"]!.AsObject())
        {
            foreach (string method in item!.AsObject().Select(static o => o.Key).Where(static o => o is "get" or "post" or "delete"))
            {
                using var request = new HttpRequestMessage(
                    new HttpMethod(method.ToUpperInvariant()), path.Replace("{id}", Guid.CreateVersion7().ToString(), StringComparison.Ordinal) + "?nobodyHasThis=1");
                using HttpResponseMessage response = await _client.SendAsync(request, ServiceApp.Token);
                await ServiceApp.AssertProblem(response, 400, "invalid-request", "nobodyHasThis", "no query parameter");
                Assert.True(item![method]!["responses"]!["400"] is not null, $"{method} {path} does not document 400");
                seen++;
            }
        }
        Assert.InRange(seen, 15, 100);
    }

    [Theory]
    [InlineData("width=8&width=9", "width")]
    [InlineData("width=8&WIDTH=8", "width")]
    [InlineData("width=8&format=png&format=png", "format")]
    [InlineData("width=8&fit=cover&fit=cover", "fit")]
    public async Task A_query_parameter_that_is_given_twice_is_refused_with_its_name(string query, string name)
    {
        using var body = new ByteArrayContent([1]);
        using HttpResponseMessage response = await _client.PostAsync("/v1/thumbnails?" + query, body, ServiceApp.Token);
        await ServiceApp.AssertProblem(response, 400, "invalid-request", name, "given 2 times");
    }

    [Fact]
    public async Task Many_unknown_parameters_of_any_length_make_a_short_answer()
    {
        string query = string.Join('&', Enumerable.Range(0, 900).Select(static i => $"n{i}=")) + "&" + new string('x', 2000) + "=1";
        using HttpResponseMessage response = await _client.GetAsync("/v1/diagnostics/noop?" + query, ServiceApp.Token);
        JsonNode problem = await ServiceApp.AssertProblem(response, 400, "invalid-request");
        Assert.InRange(problem.ToJsonString().Length, 1, 4000);
    }

    [Theory]
    [InlineData("priority=low", "sqlite", "priority is for jobs")]
    [InlineData("priority=low", "none", "priority is no query parameter of this route.")]
    public async Task A_parameter_for_jobs_is_known_only_if_there_is_a_job_store(string query, string store, string says)
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp own = ServiceApp.With(("Jobs:Store", store), ("Jobs:Path", folder.File("jobs.db")));
        using HttpResponseMessage response = await own.CreateClient().GetAsync("/v1/diagnostics/noop?" + query, ServiceApp.Token);
        await ServiceApp.AssertProblem(response, 400, "invalid-request", "priority", says);
    }
}
