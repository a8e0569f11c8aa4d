using System.Text.Json.Nodes;
using PoolApi.Jobs;
using PoolApi.Tests.JobRoutes.Support;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRoutes;

/// <summary>DELETE /v1/jobs/{id} and POST /v1/jobs/{id}:retry.</summary>
public class JobChangeTests
{
    [Fact]
    public async Task A_queued_job_is_cancelled_at_once_and_a_second_cancellation_gets_409()
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New());
        using HttpResponseMessage response = await app.SendAsync("DELETE", $"/v1/jobs/{job.Id}");
        Assert.Equal((204, 0), ((int)response.StatusCode, (await response.Content.ReadAsByteArrayAsync(JobApp.Token)).Length));
        Assert.Equal(JobState.Cancelled, (await app.Store.GetAsync(job.Id, JobApp.Token))!.State);
        await app.AssertProblem("DELETE", $"/v1/jobs/{job.Id}", 409, "job-finished");
    }

    [Fact]
    public async Task Repeated_cancellations_of_a_running_job_get_202_with_the_request_recorded()
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New(JobState.Running));
        for (int i = 0; i < 2; i++)
        {
            using HttpResponseMessage response = await app.SendAsync("DELETE", $"/v1/jobs/{job.Id}");
            JsonNode now = await JobApp.JsonOf(response, 202);
            Assert.Equal(("running", true), ((string?)now["state"], (bool)now["cancelRequested"]!));
            Assert.Equal($"{job.Id}", JobApp.Header(response, "Location"));
        }
    }

    [Theory]
    [InlineData(JobState.Succeeded, "has succeeded already")]
    [InlineData(JobState.Failed, "has failed already")]
    [InlineData(JobState.Cancelled, "has been cancelled already")]
    [InlineData(JobState.Expired, "has expired already")]
    public async Task A_job_that_has_ended_cannot_be_cancelled(JobState state, string says)
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New(state));
        using HttpResponseMessage response = await app.SendAsync("DELETE", $"/v1/jobs/{job.Id}");
        JsonNode problem = await ServiceApp.AssertProblem(response, 409, "job-finished");
        Assert.Contains(says, (string?)problem["detail"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(JobState.Failed)]
    [InlineData(JobState.Cancelled)]
    [InlineData(JobState.Expired)]
    public async Task A_failed_cancelled_or_expired_job_can_be_retried(JobState state)
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New(state));
        using HttpResponseMessage response = await app.SendAsync("POST", $"/v1/jobs/{job.Id}:retry");
        Assert.Equal("queued", (string?)(await JobApp.JsonOf(response, 202))["state"]);
        Assert.Equal($"{job.Id}", JobApp.Header(response, "Location"));
        Assert.NotNull(JobApp.Header(response, "Retry-After"));
    }

    [Theory]
    [InlineData(JobState.Queued, false, "is already queued")]
    [InlineData(JobState.Running, false, "is running")]
    [InlineData(JobState.Succeeded, false, "has succeeded")]
    [InlineData(JobState.Failed, true, "past its retention")]
    public async Task A_job_that_cannot_be_retried_gets_409_with_the_reason(JobState state, bool isSwept, string says)
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New(state), isSwept: isSwept);
        using HttpResponseMessage response = await app.SendAsync("POST", $"/v1/jobs/{job.Id}:retry");
        JsonNode problem = await ServiceApp.AssertProblem(response, 409, "job-not-retryable");
        Assert.Contains(says, (string?)problem["detail"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unsupported_method_gets_405_with_the_allowed_methods()
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New());
        using HttpResponseMessage posted = await app.SendAsync("POST", $"/v1/jobs/{job.Id}");
        await ServiceApp.AssertProblem(posted, 405, "method-not-allowed");
        Assert.Equal("DELETE, GET, HEAD", JobApp.Header(posted, "Allow"));
        using HttpResponseMessage put = await app.SendAsync("PUT", $"/v1/jobs/{job.Id}");
        await ServiceApp.AssertProblem(put, 405, "method-not-allowed");
        Assert.Equal("DELETE, GET, HEAD", JobApp.Header(put, "Allow"));
        await app.AssertProblem("DELETE", "/v1/jobs", 405, "method-not-allowed");
        using HttpResponseMessage retry = await app.SendAsync("PUT", $"/v1/jobs/{job.Id}:retry");
        await ServiceApp.AssertProblem(retry, 405, "method-not-allowed");
        Assert.Equal("POST", JobApp.Header(retry, "Allow"));
    }
}
