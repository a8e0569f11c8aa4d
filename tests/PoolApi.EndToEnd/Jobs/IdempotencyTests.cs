namespace PoolApi.EndToEnd.Jobs;

/// <summary>Requests with the same key get the same job, however many clients send them, and on any instance.</summary>
public sealed class IdempotencyTests(SharedServices services, SharedPostgres postgres)
{
    private const int Clients = 100;
    private const string Sleep = "/v1/diagnostics/sleep?ms=50";

    [Theory, InlineData(JobStore.Sqlite), InlineData(JobStore.Postgres)]
    public async Task A_hundred_concurrent_requests_with_the_same_key_create_one_job_that_runs_once(JobStore store)
    {
        await using var installation = await Installation.StartAsync(store, postgres, "--Pool:Workers 2");
        const string Key = "Idempotency-Key: \"8e03978e-40d5-43dd-bc93-6894a57f9324\"";

        var answers = await Task.WhenAll(Enumerable.Range(0, Clients).Select(client =>
            installation.Instances[client % installation.Instances.Count].Api.PostWithAsync(Sleep, null, "Prefer: respond-async", Key)));

        var id = Assert.Single(answers.Select(JobRequests.IdOf).Distinct());
        var job = await installation.There.Api.JobEndsAsync(id);
        Assert.Equal(("succeeded", 1), (job.State, job.Attempt));
        Assert.Equal([id], (await installation.Here.Api.JobsAsync("kind=diagnostics/sleep")).Select(each => each.Id));
        double accepted = 0, run = 0;
        foreach (var instance in installation.Instances)
        {
            var metrics = await instance.MetricsAsync();
            accepted += metrics.Sum("poolapi_job_accepted_total");
            run += metrics.Sum("poolapi_work_finished_total", "kind=\"diagnostics/sleep\"");
        }

        Assert.Equal((1, 1), (accepted, run));
        // The key is the same with and without quotes, and it still names the job after the job has ended.
        Assert.Equal(id, await installation.There.Api.AcceptJobAsync(Sleep, "Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324"));

        foreach (string other in (string[])["/v1/diagnostics/sleep?ms=51", "/v1/diagnostics/noop"])
        {
            (await installation.There.Api.PostWithAsync(other, null, "Prefer: respond-async", Key)).MustBeProblem(422, "idempotency-key-reused");
            (await installation.Here.Api.PostWithAsync(other, null, Key)).MustBeProblem(422, "idempotency-key-reused");
        }

        (await installation.Here.Api.PostWithAsync(Sleep, new StringContent("more"), "Prefer: respond-async", Key))
            .MustBeProblem(422, "idempotency-key-reused");
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task A_synchronous_repeat_of_a_key_gets_409_during_the_first_run_and_then_its_answer(ServiceForm form)
    {
        var service = await services.InAsync(form);
        string tag = $"t{Guid.NewGuid():N}";
        string[] fields = [$"Idempotency-Key: {Guid.NewGuid()}", $"Job-Tags: {tag}"];
        string work = PoolApiProcess.Sleep(1500);
        var first = service.Api.PostWithAsync(work, null, fields);
        // The second request must not arrive before the first. The tag is needed because other tests run sleeps on this service too.
        await Eventually.SeesAsync(async () => (await service.Api.JobsAsync($"tag={tag}&state=running")).Count, running => running > 0, "the first to run");

        var conflict = await service.Api.PostWithAsync(work, null, fields);

        conflict.MustBeProblem(409, "idempotency-key-in-progress");
        var answer = (await first).MustBe(200);
        Assert.Equal("done\n", answer.Text);
        var again = (await service.Api.PostWithAsync(work, null, fields)).MustBe(200);
        Assert.Equal((answer.Text, answer.Header("Content-Location")), (again.Text, again.Header("Content-Location")));
    }
}
