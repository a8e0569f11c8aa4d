using System.Text.Json.Nodes;
using PoolApi.Jobs;
using PoolApi.Tests.JobRoutes.Support;

namespace PoolApi.Tests.JobRoutes;

/// <summary>With API keys, a client can read and change only its own jobs. While the store is unavailable, every jobs route answers 503.</summary>
public class JobClientTests
{
    private static readonly (string, string) Alice = ("X-Api-Key", JobApp.AliceKey);
    private static readonly (string, string) Bob = ("Authorization", "Bearer " + JobApp.BobKey);

    private static string[] RoutesOf(Guid id) =>
        [$"GET /v1/jobs/{id}", $"GET /v1/jobs/{id}/result", $"GET /v1/jobs/{id}/events", $"DELETE /v1/jobs/{id}", $"POST /v1/jobs/{id}:retry"];

    [Fact]
    public async Task A_client_without_a_valid_key_gets_401_on_every_jobs_route()
    {
        await using JobApp app = await JobApp.StartAsync(keys: true);
        Job job = app.Store.Put(FakeJobStore.New(client: "alice"));
        foreach (string route in (string[])[.. RoutesOf(job.Id), "GET /v1/jobs"])
        {
            string[] parts = route.Split(' ');
            await app.AssertProblem(parts[0], parts[1], 401, "unauthorized");
            await app.AssertProblem(parts[0], parts[1], 401, "unauthorized", headers: ("X-Api-Key", "a-key-that-nobody-has"));
        }
        using HttpResponseMessage document = await app.GetAsync("/openapi/v1.json");
        Assert.Equal(200, (int)document.StatusCode);
    }

    [Fact]
    public async Task A_client_gets_404_for_the_jobs_of_another_client_and_cannot_change_them()
    {
        await using JobApp app = await JobApp.StartAsync(keys: true, configure: JobApp.StopClock);
        Job alices = app.Store.Put(FakeJobStore.New(JobState.Failed, client: "alice"));
        Job nobodys = app.Store.Put(FakeJobStore.New());
        foreach (Guid id in (Guid[])[alices.Id, nobodys.Id])
        {
            foreach (string route in RoutesOf(id))
            {
                string[] parts = route.Split(' ');
                await app.AssertProblem(parts[0], parts[1], 404, "not-found", headers: Bob);
                await app.AssertProblem(parts[0], parts[1], 404, "not-found", null, null, Bob, ("Prefer", "wait=60"));
            }
        }
        Assert.Equal(1, (await app.Store.GetAsync(alices.Id, JobApp.Token))!.Version);
        Assert.Equal(0, app.Store.Watch.Count);
        using HttpResponseMessage bobs = await app.GetAsync("/v1/jobs", Bob);
        Assert.Empty((await JobApp.JsonOf(bobs, 200))["jobs"]!.AsArray());
        using HttpResponseMessage own = await app.GetAsync("/v1/jobs", Alice);
        Assert.Equal(alices.Id.ToString(), (string?)Assert.Single((await JobApp.JsonOf(own, 200))["jobs"]!.AsArray())!["id"]);
        using HttpResponseMessage one = await app.GetAsync($"/v1/jobs/{alices.Id}", Alice);
        Assert.Equal(200, (int)one.StatusCode);
        using HttpResponseMessage retried = await app.SendAsync("POST", $"/v1/jobs/{alices.Id}:retry", Alice);
        Assert.Equal(202, (int)retried.StatusCode);
        using HttpResponseMessage cancelled = await app.SendAsync("DELETE", $"/v1/jobs/{alices.Id}", Alice);
        Assert.Equal(204, (int)cancelled.StatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_jobs_route_answers_503_with_Retry_After_while_the_store_is_unavailable(bool keys)
    {
        await using JobApp app = await JobApp.StartAsync(keys, configure: JobApp.StopClock);
        Job job = app.Store.Put(FakeJobStore.New(client: keys ? "alice" : null));
        app.Store.IsAway = true;
        foreach (string route in (string[])[.. RoutesOf(job.Id), "GET /v1/jobs"])
        {
            foreach (string prefer in (string[])["wait=0", "wait=60"])
            {
                string[] parts = route.Split(' ');
                using HttpResponseMessage response = await app.SendAsync(parts[0], parts[1], Alice, ("Prefer", prefer));
                JsonNode problem = await Service.ServiceApp.AssertProblem(response, 503, "store-unavailable");
                Assert.DoesNotContain("secret", problem.ToJsonString(), StringComparison.Ordinal);
                Assert.Equal("5", JobApp.Header(response, "Retry-After"));
            }
        }
        Assert.Equal(0, app.Store.Watch.Count);
    }
}
