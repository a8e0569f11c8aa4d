using System.Text.Json.Nodes;
using Microsoft.AspNetCore.TestHost;
using PoolApi.Problems;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Problems;

/// <summary>The message of an exception is in the log only, in every environment.</summary>
public class ExceptionTests
{
    [Theory]
    [InlineData("Production")]
    [InlineData("Development")]
    public async Task The_problem_of_a_failed_request_does_not_contain_the_exception_message(string environment)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = environment });
        builder.WebHost.UseTestServer();
        var log = new CapturingLog();
        builder.Logging.ClearProviders().AddProvider(log).AddFilter("PoolApi.Problems", LogLevel.Debug); // a bad request is logged at Debug
        builder.Services.AddFixedThreadPool();
        builder.Services.AddProblems();
        await using WebApplication app = builder.Build();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.MapGet("/pool", string () => throw new InvalidOperationException("the secret")).RunOnPool();
        app.MapGet("/filter", static () => "done").AddEndpointFilter(static (_, _) => throw new InvalidOperationException("the secret")).RunOnPool();
        app.MapGet("/bind", static (Unbindable unbindable) => "done").RunOnPool();
        app.MapGet("/memory", string () => throw new InsufficientMemoryException("the secret")).RunOnPool();
        app.MapGet("/inline-memory", string () => throw new InsufficientMemoryException("the secret"));
        app.MapGet("/inline", string () => throw new InvalidOperationException("the secret"));
        app.MapGet("/bad", string () => throw new BadHttpRequestException("the secret", StatusCodes.Status413PayloadTooLarge));
        app.MapGet("/typed", (int number) => number).RunOnPool();
        await app.StartAsync(ServiceApp.Token);
        foreach (var (path, status, name, says) in ((string, int, string, string)[])[
            ("/pool", 500, "work-failed", "The work had begun"), ("/memory", 500, "work-failed", "The work had begun"),
            ("/filter", 500, "internal-error", "before its work began"), ("/bind", 500, "internal-error", "before its work began"),
            ("/inline", 500, "internal-error", "in the log"), ("/inline-memory", 503, "overloaded", "no memory"),
            ("/bad", 413, "payload-too-large", ""), ("/typed?number=x", 400, "invalid-request", "")])
        {
            using HttpResponseMessage response = await app.GetTestClient().GetAsync(path, ServiceApp.Token);
            JsonNode problem = await ServiceApp.AssertProblem(response, status, name);
            Assert.Contains(says, (string?)problem["detail"], StringComparison.Ordinal);
            Assert.Equal(status == 503, response.Headers.RetryAfter is not null);
            Assert.DoesNotContain("secret", problem.ToJsonString(), StringComparison.Ordinal);
            Assert.DoesNotContain("Exception", problem.ToJsonString(), StringComparison.Ordinal);
            string trace = (string)problem["traceId"]!;
            Assert.Contains(log.Texts, line => line.Contains($"(trace {trace})", StringComparison.Ordinal));
        }
        await app.StopAsync(ServiceApp.Token);
    }

    private sealed record Unbindable
    {
        public static ValueTask<Unbindable?> BindAsync(HttpContext context) => throw new InvalidOperationException("the secret");
    }
}
