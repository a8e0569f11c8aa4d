using System.Text.Json.Nodes;
using PoolApi.Jobs;
using PoolApi.Tests.JobRoutes.Support;

namespace PoolApi.Tests.JobRoutes;

/// <summary>GET /v1/jobs.</summary>
public class JobListTests
{
    [Fact]
    public async Task The_pages_list_each_matching_job_once_while_new_jobs_arrive()
    {
        await using JobApp app = await JobApp.StartAsync();
        List<string> wanted = [];
        for (int i = 0; i < 7; i++)
        {
            wanted.Insert(0, app.Store.Put(FakeJobStore.New() with { Tags = ["a/b", "x"] }).Id.ToString());
            app.Store.Put(FakeJobStore.New(JobState.Running) with { Tags = ["a/b"] });
            app.Store.Put(FakeJobStore.New(kind: "diagnostics/sleep") with { Tags = ["a/b"] });
            app.Store.Put(FakeJobStore.New());
        }
        List<string> seen = [];
        string? next = "/v1/jobs?state=queued&kind=thumbnails&tag=a%2Fb&limit=3";
        for (int page = 0; next is not null; page++)
        {
            using HttpResponseMessage response = await app.GetAsync(new Uri(new Uri("http://here/v1/jobs"), next).PathAndQuery);
            JsonNode list = await JobApp.JsonOf(response, 200);
            Assert.Equal("no-store", JobApp.Header(response, "Cache-Control"));
            Assert.Equal(["jobs", "next"], list.AsObject().Select(static p => p.Key));
            Assert.Equal(page == 2 ? 1 : 3, list["jobs"]!.AsArray().Count);
            seen.AddRange(list["jobs"]!.AsArray().Select(static job => (string)job!["id"]!));
            next = (string?)list["next"];
            if (next is not null) Assert.StartsWith("jobs?state=queued&kind=thumbnails&tag=a%2Fb&limit=3&cursor=", next, StringComparison.Ordinal);
            app.Store.Put(FakeJobStore.New() with { Tags = ["a/b"] });
        }
        Assert.Equal(wanted, seen);
    }

    [Fact]
    public async Task Without_a_query_all_jobs_are_listed_fifty_per_page()
    {
        await using JobApp app = await JobApp.StartAsync();
        using HttpResponseMessage none = await app.GetAsync("/v1/jobs");
        Assert.Equal("""{"jobs":[],"next":null}""", await none.Content.ReadAsStringAsync(JobApp.Token));
        for (int i = 0; i < 51; i++) app.Store.Put(FakeJobStore.New());
        using HttpResponseMessage response = await app.GetAsync("/v1/jobs");
        JsonNode list = await JobApp.JsonOf(response, 200);
        Assert.Equal(50, list["jobs"]!.AsArray().Count);
        Assert.Matches("^jobs\\?cursor=[A-Za-z0-9_-]{28}$", (string?)list["next"]);
        using HttpResponseMessage all = await app.GetAsync("/v1/jobs?limit=1000&state=QUEUED");
        Assert.Equal(51, (await JobApp.JsonOf(all, 200))["jobs"]!.AsArray().Count);
    }

    [Theory]
    [InlineData("state=done", "state", "queued, running, succeeded, failed, cancelled, expired")]
    [InlineData("state=", "state", "queued, running")]
    [InlineData("state=queued&state=running", "state", "given 2 times")]
    [InlineData("kind=nothing", "kind", "thumbnails, diagnostics/sleep")]
    [InlineData("kind=password-hashes", "kind", "thumbnails, diagnostics/sleep")]
    [InlineData("tag=a%20b", "tag", "1 to 64")]
    [InlineData("cursor=nonsense", "cursor", "next")]
    [InlineData("cursor=", "cursor", "next")]
    [InlineData("cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "cursor", "next")]
    [InlineData("limit=0", "limit", "from 1 to 1000")]
    [InlineData("limit=1001", "limit", "from 1 to 1000")]
    [InlineData("limit=x", "limit", "from 1 to 1000")]
    public async Task A_wrong_query_parameter_is_named_with_its_allowed_values(string query, string field, string says)
    {
        await using JobApp app = await JobApp.StartAsync();
        await app.AssertProblem("GET", "/v1/jobs?" + query, 400, "invalid-request", field, says);
    }
}
