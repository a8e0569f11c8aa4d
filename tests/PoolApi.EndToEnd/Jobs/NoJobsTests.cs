namespace PoolApi.EndToEnd.Jobs;

/// <summary>Without a store the service has no jobs and no job routes. A wrong setting of the store stops the start.</summary>
public sealed class NoJobsTests
{
    [Theory, ClassData(typeof(OneForm))]
    public async Task Without_a_store_respond_async_is_ignored_and_the_job_routes_answer_404(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, "--Jobs:Store none", "--Pool:Workers 1", PoolApiProcess.Diagnostics);

        var answer = (await service.Api.PostWithAsync("/v1/diagnostics/noop", null, "Prefer: respond-async", "Idempotency-Key: 1")).MustBe(200);

        Assert.Equal("done\n", answer.Text);
        Assert.Null(answer.Header("Preference-Applied"));
        foreach (string path in new[] { "/v1/jobs", $"/v1/jobs/{Guid.CreateVersion7()}", $"/v1/jobs/{Guid.CreateVersion7()}/result" })
            (await service.Api.GetAsync(path)).MustBeProblem(404, "not-found");
        Assert.DoesNotContain("/v1/jobs", (await service.Api.GetAsync("/openapi/v1.json")).MustBe(200).Text, StringComparison.Ordinal);
        Assert.DoesNotContain("poolapi_jobs", (await service.MetricsAsync()).Names);
    }

    [Theory]
    [InlineData("Jobs:Store", "mysql")]
    [InlineData("Jobs:Retention", "-1")]
    [InlineData("Jobs:Lease", "00:00:01")]
    [InlineData("Jobs:Share", "2")]
    [InlineData("Jobs:MaxAttempts", "0")]
    [InlineData("Jobs:MaxPayloadBytes", "x")]
    [InlineData("Jobs:Stroe", "sqlite")]
    public async Task A_wrong_setting_stops_the_start(string key, string value)
    {
        var run = await PoolApiProcess.RunToEndAsync(
            ServiceForm.NativeAot, $"--Urls http://127.0.0.1:{FreePorts.Next()}", $"--Management:Urls http://127.0.0.1:{FreePorts.Next()}", $"--{key} {value}");

        Assert.Equal(78, run.ExitCode);
        Assert.Contains(run.Lines, line => line.Contains(key, StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_unusable_database_connection_stops_the_start_and_its_password_is_not_logged()
    {
        const string Password = "hunter2-and-more";
        foreach (string connection in new[] { $"Host=127.0.0.1;Port={FreePorts.Next()};Username=x;Password={Password}", "", $"Hots=x;Password={Password}" })
        {
            var run = await PoolApiProcess.RunToEndAsync(
                ServiceForm.NativeAot, $"--Urls http://127.0.0.1:{FreePorts.Next()}", $"--Management:Urls http://127.0.0.1:{FreePorts.Next()}",
                "--Jobs:Store postgres", $"--Jobs:ConnectionString {connection}");

            Assert.True(run.ExitCode == 78, run.Text);
            Assert.Contains(run.Lines, line => line.Contains("cannot start", StringComparison.Ordinal));
            Assert.DoesNotContain(Password, run.Text, StringComparison.Ordinal);
        }
    }
}
