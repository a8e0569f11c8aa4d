namespace PoolApi.EndToEnd.Jobs;

/// <summary>A client can access its own jobs and no others.</summary>
public sealed class JobAccessTests(SharedPostgres postgres)
{
    private const string Alice = "X-Api-Key: alices-key_0123456789";
    private const string Bob = "X-Api-Key: bobs-key_0123456789!!";

    private static readonly Dictionary<string, string> Keys = new() { ["Auth__ApiKeys__alice"] = Alice[11..], ["Auth__ApiKeys__bob"] = Bob[11..] };

    [Theory]
    [InlineData(ServiceForm.FrameworkDependent, JobStore.Sqlite)]
    [InlineData(ServiceForm.NativeAot, JobStore.Sqlite)]
    [InlineData(ServiceForm.NativeAot, JobStore.Postgres)]
    public async Task A_client_cannot_see_cancel_or_retry_the_job_of_another_client(ServiceForm form, JobStore store)
    {
        string[] settings = store == JobStore.Postgres ? ["--Jobs:Store postgres", $"--Jobs:ConnectionString {await postgres.NewDatabaseAsync()}"] : [];
        await using var service = await PoolApiProcess.StartAsync(form, onePort: false, Keys, [PoolApiProcess.Diagnostics, "--Pool:Workers 2", .. settings]);
        const string Noop = "/v1/diagnostics/noop", Same = "Idempotency-Key: the-same";
        var alices = await service.Api.AcceptJobAsync(Noop, Alice, Same, "Job-Tags: secret");
        var bobs = await service.Api.AcceptJobAsync(Noop, Bob, Same);

        Assert.NotEqual(alices, bobs);
        Assert.Equal(alices, await service.Api.AcceptJobAsync(Noop, Alice, Same, "Job-Tags: secret"));
        await Eventually.SeesAsync(() => service.Api.ResultAsync(alices, Alice), answer => answer.Status == 200, "the result");
        (await service.Api.GetWithAsync($"/v1/jobs/{alices}", Alice)).MustBe(200);
        foreach (string path in new[] { "", "/result", "/events" })
        {
            (await service.Api.GetWithAsync($"/v1/jobs/{alices}{path}", Bob)).MustBeProblem(404);
            (await service.Api.GetAsync($"/v1/jobs/{alices}{path}")).MustBeProblem(401, "unauthorized");
        }

        (await service.Api.GetWithAsync($"/v1/jobs/{alices}", Bob, "Prefer: wait=60")).MustBeProblem(404);
        (await service.Api.CancelJobAsync(alices, Bob)).MustBeProblem(404);
        (await service.Api.CancelJobAsync(alices)).MustBeProblem(401);
        (await service.Api.PostWithAsync($"/v1/jobs/{alices}:retry", null, Bob)).MustBeProblem(404);
        (await service.Api.GetAsync("/v1/jobs")).MustBeProblem(401);
        foreach (string query in new[] { "", "?tag=secret", "?kind=diagnostics/noop", "?state=succeeded" })
        {
            var list = (await service.Api.GetWithAsync("/v1/jobs" + query, Bob)).MustBe(200).Json().GetProperty("jobs");
            Assert.DoesNotContain(alices, list.EnumerateArray().Select(job => job.GetProperty("id").GetGuid()));
        }

        var own = (await service.Api.GetWithAsync("/v1/jobs", Alice)).MustBe(200).Json().GetProperty("jobs");
        Assert.Equal([alices], own.EnumerateArray().Select(job => job.GetProperty("id").GetGuid()));
    }
}
