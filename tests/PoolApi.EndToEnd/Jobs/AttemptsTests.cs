namespace PoolApi.EndToEnd.Jobs;

/// <summary>A job lists its attempts: the instance, the start, the end and the outcome of each.</summary>
public sealed class AttemptsTests(SharedPostgres postgres)
{
    [Theory]
    [InlineData(ServiceForm.FrameworkDependent, JobStore.Sqlite)]
    [InlineData(ServiceForm.NativeAot, JobStore.Postgres)]
    public async Task A_job_and_its_events_report_each_attempt_and_the_job_list_omits_attempts(ServiceForm form, JobStore store)
    {
        string[] settings = store == JobStore.Postgres ? ["--Jobs:Store postgres", $"--Jobs:ConnectionString {await postgres.NewDatabaseAsync()}"] : [];
        await using var service = await PoolApiProcess.StartAsync(form, ["--Pool:Workers 1", PoolApiProcess.Diagnostics, .. settings]);
        var id = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000");
        var running = await service.Api.SeeJobAsync(id, job => job.State == "running", "the job to run");
        MustBe(Assert.Single(Attempts(running)), running, outcome: null);

        (await service.Api.CancelJobAsync(id)).MustBe(202);
        var cancelled = await service.Api.JobEndsAsync(id);
        MustBe(Assert.Single(Attempts(cancelled)), cancelled, outcome: "cancelled");

        JobRequests.IdOf(await service.Api.RetryJobAsync(id));
        var again = await service.Api.SeeJobAsync(id, job => job.State == "running", "the job to run again");
        Assert.Equal(2, Attempts(again).Length);
        MustBe(Attempts(again)[0], cancelled, outcome: "cancelled");
        MustBe(Attempts(again)[1], again, outcome: null);

        (await service.Api.CancelJobAsync(id)).MustBe(202);
        string events = await service.Api.ReadToEndAsync($"/v1/jobs/{id}/events", static () => { });
        Assert.Equal(3, events[events.LastIndexOf("data:", StringComparison.Ordinal)..].Split("\"outcome\":").Length);
        var listed = await service.Api.JobsAsync("state=cancelled");
        Assert.NotEmpty(listed);
        Assert.All(listed, static job => Assert.False(job.Json.TryGetProperty("attempts", out _)));

        static Attempt[] Attempts(JobView job) => [.. job.Json.GetProperty("attempts").EnumerateArray().Select(static json => new Attempt(
            json.GetProperty("attempt").GetInt32(), json.GetProperty("startedAt").GetDateTimeOffset(),
            json.GetProperty("endedAt") is { ValueKind: System.Text.Json.JsonValueKind.String } ended ? ended.GetDateTimeOffset() : null,
            json.GetProperty("worker").GetString(), json.GetProperty("outcome").GetString()))];

        void MustBe(Attempt attempt, JobView job, string? outcome)
        {
            Assert.Equal(new Attempt(1, job.StartedAt!.Value, job.FinishedAt, job.Worker, outcome), attempt);
            Assert.True(job.IsOf(service));
        }
    }

    private sealed record Attempt(int Number, DateTimeOffset StartedAt, DateTimeOffset? EndedAt, string? Worker, string? Outcome);
}
