using System.Text.Json.Nodes;
using Microsoft.AspNetCore.TestHost;
using PoolApi.JobRoutes;
using PoolApi.JobService;
using PoolApi.Problems;
using PoolApi.Requests;
using PoolApi.Threading;

namespace PoolApi.Tests.Service;

/// <summary>A job whose work throws: its client and its operator have the same trace id.</summary>
public class JobFailureTests
{
    [Theory]
    [InlineData("/v1/refused", 422, "unprocessable", 1)]
    [InlineData("/v1/unbindable", 500, "internal-error", 2)]
    public async Task A_job_that_ends_before_its_work_begins_ends_all_the_same(string path, int status, string name, int attempts)
    {
        using var folder = new TemporaryFolder();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Production" });
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Jobs:Path"] = folder.File("jobs.db"),
            ["Jobs:MaxAttempts"] = "2",
            ["Jobs:RetryDelay"] = "00:00:00.001",
        });
        builder.Services.AddFixedThreadPool();
        builder.Services.AddProblems();
        builder.Services.AddJobs(JobSettings.Read(builder.Configuration, folder.File(""), []));
        await using WebApplication app = builder.Build();
        app.UseExceptionHandler();
        app.UseJobIntake();
        // As it would be after a restart with other settings: right when it was accepted, and not when it is run.
        app.MapPost("/v1/refused", static (RefusedLater request) => "done").RefuseInvalid().Storable().RunOnPool();
        app.MapPost("/v1/unbindable", static (UnbindableLater request) => "done").Storable().RunOnPool();
        app.MapJobs();
        await app.StartAsync(ServiceApp.Token);
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Headers = { { "Prefer", "respond-async, wait=30" } } };

        using HttpResponseMessage answer = await app.GetTestClient().SendAsync(request, ServiceApp.Token);

        JsonNode problem = await ServiceApp.AssertProblem(answer, status, name);
        if (status == 500) Assert.Contains("before its work began", (string?)problem["detail"], StringComparison.Ordinal);
        var result = new Uri(answer.RequestMessage!.RequestUri!, answer.Content.Headers.ContentLocation!);
        string job = await app.GetTestClient().GetStringAsync(new Uri(result, "../" + result.Segments[^2].TrimEnd('/')), ServiceApp.Token);
        Assert.Equal((attempts, name), ((int)JsonNode.Parse(job)!["attempt"]!, (string?)JsonNode.Parse(job)!["error"]!["name"]));
        await app.StopAsync(ServiceApp.Token);
    }

    private sealed record RefusedLater(IResult? Refusal) : IValidatedRequest
    {
        public static ValueTask<RefusedLater?> BindAsync(HttpContext context) => ValueTask.FromResult<RefusedLater?>(new(
            context.Features.Get<JobIntake>() is null ? Problem.Of(context, StatusCodes.Status422UnprocessableEntity) : null));
    }

    private sealed record UnbindableLater
    {
        public static ValueTask<UnbindableLater?> BindAsync(HttpContext context) => context.Features.Get<JobIntake>() is null
            ? throw new InvalidOperationException("the secret")
            : ValueTask.FromResult<UnbindableLater?>(new());
    }

    [Fact]
    public async Task An_attempt_that_runs_too_long_has_failed_although_its_code_still_runs_and_is_tried_again()
    {
        using var folder = new TemporaryFolder();
        using var release = new ManualResetEventSlim();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Production" });
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Jobs:Path"] = folder.File("jobs.db"),
            ["Jobs:MaxAttempts"] = "2",
            ["Jobs:RetryDelay"] = "00:00:00.001",
        });
        builder.Services.AddFixedThreadPool(configure: static o => o.Workers = 3);
        builder.Services.AddProblems();
        builder.Services.AddJobs(JobSettings.Read(builder.Configuration, folder.File(""), []));
        await using WebApplication app = builder.Build();
        app.UseJobIntake();
        app.MapPost("/v1/slow", string () =>
        {
            Assert.True(release.Wait(TimeSpan.FromSeconds(60)));
            return "late";
        }).Storable().RunOnPool(configure: static o => o.MaxRunTime = TimeSpan.FromMilliseconds(50));
        app.MapJobs();
        await app.StartAsync(ServiceApp.Token);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/slow") { Headers = { { "Prefer", "respond-async, wait=30" } } };

        using HttpResponseMessage answer = await app.GetTestClient().SendAsync(request, ServiceApp.Token);

        await ServiceApp.AssertProblem(answer, 504, "run-timeout");
        var result = new Uri(answer.RequestMessage!.RequestUri!, answer.Content.Headers.ContentLocation!);
        string job = await app.GetTestClient().GetStringAsync(new Uri(result, "../" + result.Segments[^2].TrimEnd('/')), ServiceApp.Token);
        Assert.Equal((2, "failed", "run-timeout"), ((int)JsonNode.Parse(job)!["attempt"]!, (string?)JsonNode.Parse(job)!["state"], (string?)JsonNode.Parse(job)!["error"]!["name"]));
        Assert.Equal(2, app.Services.GetRequiredService<FixedThreadPool>().GetSnapshot().Counts.TimedOut);
        release.Set();
        await app.StopAsync(ServiceApp.Token);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task The_trace_id_of_a_job_that_failed_is_in_the_log(int attempts)
    {
        string folder = Directory.CreateTempSubdirectory("poolapi-").FullName;
        try
        {
            WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Production" });
            builder.WebHost.UseTestServer();
            var log = new ServiceApp.Lines();
            builder.Logging.ClearProviders().AddProvider(log);
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["Jobs:Path"] = Path.Combine(folder, "jobs.db"),
                ["Jobs:MaxAttempts"] = $"{attempts}",
                ["Jobs:RetryDelay"] = "00:00:00.001",
            });
            builder.Services.AddFixedThreadPool();
            builder.Services.AddProblems();
            builder.Services.AddJobs(JobSettings.Read(builder.Configuration, folder, []));
            await using WebApplication app = builder.Build();
            app.UseExceptionHandler();
            app.UseJobIntake();
            app.MapPost("/v1/boom", string () => throw new InvalidOperationException("the secret")).Storable().RunOnPool();
            app.MapJobs();
            await app.StartAsync(ServiceApp.Token);
            HttpClient client = app.GetTestClient();
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/boom") { Headers = { { "Prefer", "respond-async, wait=30" } } };

            using HttpResponseMessage answer = await client.SendAsync(request, ServiceApp.Token);

            JsonNode problem = await ServiceApp.AssertProblem(answer, 500, "work-failed");
            using HttpResponseMessage again = await client.GetAsync(new Uri(request.RequestUri!, answer.Content.Headers.ContentLocation!), ServiceApp.Token);
            Assert.Equal(problem.ToJsonString(), (await ServiceApp.AssertProblem(again, 500, "work-failed")).ToJsonString());
            string trace = (string)problem["traceId"]!;
            string line = Assert.Single(log.All, line => line.Contains($"in attempt {attempts} of {attempts} (trace {trace})", StringComparison.Ordinal));
            Assert.Contains("the secret", line, StringComparison.Ordinal);
            Assert.DoesNotContain("secret", problem.ToJsonString(), StringComparison.Ordinal);
            string job = await client.GetStringAsync(new Uri(request.RequestUri!, answer.Content.Headers.ContentLocation!).ToString().Replace("/result", "", StringComparison.Ordinal), ServiceApp.Token);
            Assert.Contains(trace, (string?)JsonNode.Parse(job)!["error"]!["detail"], StringComparison.Ordinal);
            await app.StopAsync(ServiceApp.Token);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
