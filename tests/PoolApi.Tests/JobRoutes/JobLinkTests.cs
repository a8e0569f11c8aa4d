using System.Net.ServerSentEvents;
using System.Text.Json.Nodes;
using PoolApi.Jobs;
using PoolApi.Tests.JobRoutes.Support;

namespace PoolApi.Tests.JobRoutes;

/// <summary>Every link of the jobs routes is relative to the URL of its request, so it is correct behind a proxy that strips a prefix.</summary>
public class JobLinkTests
{
    private static readonly string[] Prefixes = ["", "/thumbs", "/a/b"];

    [Theory]
    [InlineData("GET", "/v1/jobs", JobState.Running)]
    [InlineData("GET", "/v1/jobs/", JobState.Running)]
    [InlineData("GET", "/v1/jobs?limit=1", JobState.Running)]
    [InlineData("GET", "/v1/jobs/?limit=1", JobState.Running)]
    [InlineData("GET", "/v1/jobs/{id}", JobState.Running)]
    [InlineData("GET", "/v1/jobs/{id}/", JobState.Running)]
    [InlineData("GET", "/V1/JOBS/{id}", JobState.Running)]
    [InlineData("GET", "/v1/jobs/{id}/events", JobState.Succeeded)]
    [InlineData("GET", "/v1/jobs/{id}/events/", JobState.Succeeded)]
    [InlineData("DELETE", "/v1/jobs/{id}", JobState.Running)]
    [InlineData("DELETE", "/v1/jobs/{id}/", JobState.Running)]
    [InlineData("POST", "/v1/jobs/{id}:retry", JobState.Failed)]
    [InlineData("POST", "/v1/jobs/{id}:retry/", JobState.Failed)]
    public async Task A_link_leads_to_the_job_under_any_prefix(string method, string path, JobState state)
    {
        await using JobApp app = await JobApp.StartAsync();
        app.Store.Put(FakeJobStore.New(state)); // for a second page
        Job job = app.Store.Put(FakeJobStore.New(state));
        path = path.Replace("{id}", job.Id.ToString(), StringComparison.Ordinal);
        using HttpResponseMessage response = await app.SendAsync(method, path);
        string text = await response.Content.ReadAsStringAsync(JobApp.Token);
        Assert.True(response.IsSuccessStatusCode, text);
        if (response.Content.Headers.ContentType?.MediaType == "text/event-stream") text = DataOf(text);
        JsonNode answer = JsonNode.Parse(text)!;
        JsonNode view = answer["jobs"]?[0] ?? answer;
        foreach (string prefix in Prefixes)
        {
            string self = $"{prefix}/v1/jobs/{job.Id}";
            Leads((string)view["links"]!["self"]!, self);
            Leads((string)view["links"]!["result"]!, $"{self}/result");
            Leads((string)view["links"]!["events"]!, $"{self}/events");
            Assert.Equal(method != "GET", response.Headers.Location is not null);
            if (response.Headers.Location is { } location) Leads(location.OriginalString, self);
            if ((string?)answer["next"] is { } next)
                Leads(next, $"{prefix}/v1/jobs?limit=1&cursor={next[(next.IndexOf("cursor=", StringComparison.Ordinal) + 7)..]}");
            Assert.Equal(path.Contains("limit=1", StringComparison.Ordinal), answer["next"] is not null);

            void Leads(string link, string target)
            {
                Assert.False(link.StartsWith('/'), link);
                Assert.Equal(target, new Uri(new Uri($"https://proxy.example{prefix}{path}"), link).PathAndQuery, ignoreCase: true);
            }
        }
    }

    private static string DataOf(string stream)
    {
        using var bytes = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(stream));
        return Assert.Single(SseParser.Create(bytes).Enumerate()).Data;
    }
}
