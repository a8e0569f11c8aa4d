using System.Globalization;
using System.Text;
using PoolApi.Jobs;
using PoolApi.Tests.JobRoutes.Support;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRoutes;

/// <summary>GET /v1/jobs/{id}/result: the stored response of a job, or a problem that names why there is none.</summary>
public class JobResultTests
{
    [Theory]
    [InlineData(JobState.Succeeded, 200, "image/webp", "the bytes")]
    [InlineData(JobState.Succeeded, 200, null, "")]
    [InlineData(JobState.Succeeded, 204, null, "")]
    [InlineData(JobState.Failed, 422, "application/problem+json", """{"type":"urn:poolapi:problem:unprocessable-image"}""")]
    public async Task The_result_route_returns_the_stored_response_of_the_job(JobState state, int status, string? type, string body)
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New(state), new JobResult(status, type, Encoding.UTF8.GetBytes(body)));
        using HttpResponseMessage response = await app.GetAsync($"/v1/jobs/{job.Id}/result");
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(type, JobApp.Header(response, "Content-Type"));
        Assert.Equal(body, await response.Content.ReadAsStringAsync(JobApp.Token));
        Assert.Null(JobApp.Header(response, "Content-Location"));
    }

    [Theory]
    [InlineData(JobState.Queued, false, 409, "job-not-finished")]
    [InlineData(JobState.Running, false, 409, "job-not-finished")]
    [InlineData(JobState.Succeeded, true, 410, "job-result-gone")]
    [InlineData(JobState.Failed, true, 410, "job-result-gone")]
    [InlineData(JobState.Failed, false, 500, "poison")]
    [InlineData(JobState.Cancelled, false, 409, "job-cancelled")]
    [InlineData(JobState.Cancelled, true, 409, "job-cancelled")]
    [InlineData(JobState.Expired, false, 409, "job-expired")]
    public async Task A_job_without_a_result_gets_a_problem_that_names_the_reason(JobState state, bool isSwept, int status, string name)
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New(state) with { Error = new JobError("poison", "It killed its instance.") }, isSwept: isSwept);
        using HttpResponseMessage response = await app.GetAsync($"/v1/jobs/{job.Id}/result");
        var problem = await ServiceApp.AssertProblem(response, status, name);
        Assert.Equal(name == "job-not-finished", JobApp.Header(response, "Retry-After") is { } after && int.Parse(after, CultureInfo.InvariantCulture) >= 1);
        if (status == 500) Assert.Contains("It killed its instance.", (string?)problem["detail"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_result_in_the_response_to_another_request_has_a_Content_Location()
    {
        await using JobApp app = await JobApp.StartAsync(configure: static builder => builder.Services.AddSingleton<IStartupFilter, OtherRoute>());
        Job job = app.Store.Put(FakeJobStore.New(JobState.Succeeded), new JobResult(200, "text/plain", "done"u8.ToArray()));
        using HttpResponseMessage response = await app.GetAsync($"/other?id={job.Id}");
        Assert.Equal((200, $"v1/jobs/{job.Id}/result"), ((int)response.StatusCode, JobApp.Header(response, "Content-Location")));
        Assert.Equal("done", await response.Content.ReadAsStringAsync(JobApp.Token));
        Job queued = app.Store.Put(FakeJobStore.New());
        using HttpResponseMessage none = await app.GetAsync($"/other?id={queued.Id}");
        Assert.Equal((409, null), ((int)none.StatusCode, JobApp.Header(none, "Content-Location")));
    }

    private sealed class OtherRoute(PoolApi.Jobs.Stores.IJobStore store) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(async (HttpContext context, RequestDelegate rest) =>
            {
                if (context.Request.Path != "/other")
                {
                    await rest(context);
                    return;
                }
                IResult answer = await JobResults.ReadAsync(context, store, Guid.Parse(context.Request.Query["id"]!), ofOwnRequest: true);
                await answer.ExecuteAsync(context);
            });
            next(app);
        };
    }
}
