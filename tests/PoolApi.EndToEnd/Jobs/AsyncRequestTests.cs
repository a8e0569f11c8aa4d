using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;

namespace PoolApi.EndToEnd.Jobs;

/// <summary>Requests with Prefer: respond-async, and the jobs that they create.</summary>
public sealed class AsyncRequestTests(SharedServices services)
{
    private const string Thumbnail = "/v1/thumbnails?width=64&format=png";

    [Theory, ClassData(typeof(BothForms))]
    public async Task An_async_request_runs_once_and_returns_the_same_bytes_as_a_synchronous_one(ServiceForm form)
    {
        var service = await services.InAsync(form);
        byte[] image = Png.Gradient(300, 200);
        var synchronous = (await service.Api.PostPngAsync(Thumbnail, image)).MustBe(200);

        var accepted = await service.Api.PostWithAsync(Thumbnail, PngOf(image), "Prefer: respond-async");

        var id = JobRequests.IdOf(accepted);
        Assert.Equal("respond-async", accepted.Header("Preference-Applied"));
        var job = await service.Api.JobEndsAsync(id);
        Assert.Equal(("thumbnails", "succeeded", 1), (job.Kind, job.State, job.Attempt));
        Assert.True(job.IsOf(service), job.ToString());
        var result = (await service.Api.ResultAsync(id)).MustBe(200);
        Assert.Equal(("image/png", synchronous.MediaType), (result.MediaType, result.MediaType));
        Assert.Equal(synchronous.Body, result.Body);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_request_that_prefers_to_wait_gets_the_result_or_202_when_the_wait_ends(ServiceForm form)
    {
        var service = await services.InAsync(form);

        var quick = (await service.Api.PostWithAsync("/v1/diagnostics/sleep?ms=20", null, "Prefer: respond-async, wait=300")).MustBe(200);
        Assert.Equal("done\n", quick.Text);
        string location = quick.Follow(quick.Header("Content-Location")!);
        Assert.Equal("done\n", (await service.Api.GetAsync(location)).MustBe(200).Text);

        var clock = Stopwatch.StartNew();
        var slow = await service.Api.PostWithAsync("/v1/diagnostics/sleep?ms=60000", null, "Prefer: respond-async, wait=1");
        Assert.InRange(clock.Elapsed.TotalSeconds, 0.95, 55); // the work takes a minute
        var id = JobRequests.IdOf(slow);
        await service.Api.SeeJobAsync(id, job => job.State == "running", "the job to run");
        (await service.Api.CancelJobAsync(id)).MustBe(202);
        Assert.Equal("cancelled", (await service.Api.JobEndsAsync(id)).State);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task The_result_of_a_failed_job_is_the_problem_of_its_work(ServiceForm form)
    {
        var service = await services.InAsync(form);
        byte[] image = Png.Gradient(300, 200);
        byte[] broken = image[..(image.Length / 2)];

        var id = await service.Api.AcceptJobAsync(Thumbnail, PngOf(broken));

        var job = await service.Api.JobEndsAsync(id);
        // A broken image fails at each attempt, so the job has only one.
        Assert.Equal(("failed", 1, "unprocessable-image"), (job.State, job.Attempt, job.Error));
        (await service.Api.ResultAsync(id)).MustBeProblem(422, "unprocessable-image");

        JobRequests.IdOf(await service.Api.RetryJobAsync(id));
        job = await service.Api.JobEndsAsync(id);
        Assert.Equal("failed", job.State);
        (await service.Api.CancelJobAsync(id)).MustBeProblem(409);
    }

    [Fact]
    public async Task An_unfinished_job_has_no_result_and_a_succeeded_job_cannot_be_cancelled_or_retried()
    {
        var service = await services.InAsync(ServiceForm.Any);
        var waiting = await service.Api.AcceptJobAsync("/v1/diagnostics/noop", In(3600));
        (await service.Api.ResultAsync(waiting)).MustBeProblem(409);
        (await service.Api.ResultAsync(waiting)).MustSayRetryAfter();
        (await service.Api.RetryJobAsync(waiting)).MustBeProblem(409);
        (await service.Api.CancelJobAsync(waiting)).MustBe(204);
        (await service.Api.ResultAsync(waiting)).MustBeProblem(409);

        var done = await service.Api.AcceptJobAsync("/v1/diagnostics/noop");
        Assert.Equal("succeeded", (await service.Api.JobEndsAsync(done)).State);
        (await service.Api.CancelJobAsync(done)).MustBeProblem(409);
        (await service.Api.RetryJobAsync(done)).MustBeProblem(409);
        (await service.Api.ResultAsync(done)).MustBe(200);
    }

    [Fact]
    public async Task A_password_request_is_answered_synchronously_and_not_stored_despite_respond_async()
    {
        var service = await services.InAsync(ServiceForm.NativeAot);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/password-hashes")
        {
            Content = new StringContent("""{"password":"correct horse"}""", MediaTypeHeaderValue.Parse("application/json")),
            Headers = { { "Prefer", "respond-async" }, { "Idempotency-Key", "a-password" } },
        };

        var answer = (await service.Api.SendAsync(request)).MustBe(200);

        Assert.StartsWith("$argon2id$", answer.Json().GetProperty("hash").GetString(), StringComparison.Ordinal);
        Assert.Null(answer.Header("Preference-Applied"));
        Assert.DoesNotContain(await service.Api.JobsAsync("state=succeeded"), job => job.Kind.StartsWith("password", StringComparison.Ordinal));
        (await service.Api.GetAsync("/v1/jobs?kind=password-hashes")).MustBeProblem(400);
    }

    [Fact]
    public async Task A_job_does_not_start_before_Job_Run_At_and_expires_after_Job_Timeout()
    {
        var service = await services.InAsync(ServiceForm.NativeAot);
        var runAt = DateTimeOffset.UtcNow + MachineLoad.Stretch(TimeSpan.FromSeconds(1.5));
        var later = await service.Api.AcceptJobAsync("/v1/diagnostics/noop", $"Job-Run-At: {runAt:O}");
        var tooLong = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000", $"Job-Timeout: {MachineLoad.StretchSeconds(3)}"); // jobs of other tests may run first
        Assert.Equal("queued", (await service.Api.JobAsync(later)).State);

        var expired = await service.Api.JobEndsAsync(tooLong);
        Assert.Equal("expired", expired.State);
        Assert.InRange((expired.FinishedAt!.Value - expired.StartedAt!.Value).TotalSeconds, 0.5, 300); // the work takes ten minutes
        (await service.Api.ResultAsync(tooLong)).MustBeProblem(409);

        var begun = await service.Api.JobEndsAsync(later);
        Assert.Equal("succeeded", begun.State);
        // Both times are of this machine's clock. The reported time is truncated to milliseconds.
        Assert.InRange((begun.StartedAt!.Value - runAt).TotalSeconds, -0.002, 60);
    }

    [Fact]
    public async Task A_job_that_gets_no_worker_before_its_deadline_expires_without_running()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 1", "--Jobs:Share 0", "--Jobs:Lease 00:00:03", PoolApiProcess.Diagnostics);
        var busy = await service.OccupyAsync(1, 600_000);
        var id = await service.Api.AcceptJobAsync("/v1/diagnostics/noop", "Job-Timeout: 1");

        var job = await service.Api.JobEndsAsync(id);

        Assert.Equal(("expired", 0), (job.State, job.Attempt));
        Assert.False(busy[0].IsCompleted);
        await service.KillAsync();
        await Record.ExceptionAsync(() => busy[0]);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task Jobs_are_found_by_state_kind_and_tag_and_no_page_skips_or_repeats_one(ServiceForm form)
    {
        var service = await services.InAsync(form);
        string tag = "page:" + Guid.NewGuid().ToString("N");
        var ids = new List<Guid>();
        for (int i = 0; i < 25; i++)
            ids.Add(await service.Api.AcceptJobAsync("/v1/diagnostics/noop", $"Job-Tags: {tag}, n/{i}", In(3600)));
        var other = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=1", $"Job-Tags: {tag}", In(3600));
        (await service.Api.CancelJobAsync(ids[24])).MustBe(204);

        var seen = new List<JobView>();
        int newer = 0;
        for (string? next = $"/v1/jobs?tag={Uri.EscapeDataString(tag)}&kind=diagnostics/noop&state=queued&limit=10"; next is not null;)
        {
            var answer = (await service.Api.GetAsync(next)).MustBe(200);
            var page = answer.Json();
            seen.AddRange(page.GetProperty("jobs").EnumerateArray().Select(JobView.Read));
            next = page.GetProperty("next").GetString() is { } link ? answer.Follow(link) : null;
            // A job that is added between two pages is newer than the first page. The job that is cancelled here was on the first page.
            await service.Api.AcceptJobAsync("/v1/diagnostics/noop", $"Job-Tags: {tag}", In(3600));
            (await service.Api.CancelJobAsync(ids[23 - newer++])).MustBe(204);
        }

        Assert.Equal(3, newer);
        Assert.Equal(ids.Take(24).Reverse(), seen.Select(job => job.Id));
        Assert.Equal(["n/0", tag], seen[^1].Tags); // sorted
        Assert.Equal([other], (await service.Api.JobsAsync($"tag={Uri.EscapeDataString(tag)}&kind=diagnostics/sleep")).Select(job => job.Id));
        Assert.Equal([ids[24], ids[23], ids[22], ids[21]], (await service.Api.JobsAsync($"state=cancelled&tag={Uri.EscapeDataString(tag)}")).Select(job => job.Id));
        Assert.Equal([ids[7]], (await service.Api.JobsAsync("tag=n/7&state=queued")).Where(job => job.Tags.Contains(tag)).Select(job => job.Id));
    }

    [Fact]
    public async Task Queued_jobs_run_in_order_of_priority()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, "--Pool:Workers 1", "--Jobs:Share 0", PoolApiProcess.Diagnostics);
        var busy = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000");
        await service.Api.SeeJobAsync(busy, job => job.State == "running", "the job to occupy the worker");
        var jobs = new List<Guid>();
        foreach (string priority in (string[])["low", "normal", "high", "low", "normal", "high"])
            jobs.Add(await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=5", $"Job-Priority: {priority}"));
        (await service.Api.CancelJobAsync(busy)).MustBe(202);

        var ended = new List<JobView>();
        foreach (var id in jobs)
            ended.Add(await service.Api.JobEndsAsync(id));

        Assert.Equal(
            ["high", "high", "normal", "normal", "low", "low"],
            ended.OrderBy(job => job.StartedAt).Select(job => job.Json.GetProperty("priority").GetString()!));
        Assert.Equal([jobs[2], jobs[5], jobs[1], jobs[4], jobs[0], jobs[3]], ended.OrderBy(job => job.FinishedAt).Select(job => job.Id));
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task An_unchanged_job_answers_304_and_a_waiting_request_gets_the_next_change(ServiceForm form)
    {
        var service = await services.InAsync(form);
        var id = await service.Api.AcceptJobAsync("/v1/diagnostics/noop", In(3600));
        string path = $"/v1/jobs/{id}";
        string tag = (await service.Api.GetAsync(path)).MustBe(200).Header("ETag")!;

        Assert.Empty((await service.Api.GetWithAsync(path, $"If-None-Match: {tag}")).MustBe(304).Body);
        Assert.Equal(304, (await service.Api.GetWithAsync(path, $"If-None-Match: {tag}", "Prefer: wait=1")).Status);

        var change = service.Api.GetWithAsync(path, $"If-None-Match: {tag}", "Prefer: wait=60");
        (await service.Api.CancelJobAsync(id)).MustBe(204);
        var changed = (await change.Patiently()).MustBe(200);
        Assert.Equal("cancelled", JobView.Read(changed.Json()).State);
        Assert.NotEqual(tag, changed.Header("ETag"));
    }

    [Fact]
    public async Task After_the_retention_a_result_answers_410_and_later_the_job_answers_404()
    {
        // While a job runs, the store is maintained at least six times per lease.
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 2", $"--Jobs:Retention {MachineLoad.Stretch(TimeSpan.FromSeconds(2)):c}", "--Jobs:Lease 00:00:03", PoolApiProcess.Diagnostics);
        var running = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000");
        var id = await service.Api.AcceptJobAsync("/v1/diagnostics/noop");
        Assert.Equal("succeeded", (await service.Api.JobEndsAsync(id)).State);

        var gone = await Eventually.SeesAsync(() => service.Api.ResultAsync(id), answer => answer.Status != 200, "the result to be deleted");
        gone.MustBeProblem(410);
        await Eventually.SeesAsync(() => service.Api.GetAsync($"/v1/jobs/{id}"), answer => answer.Status == 404, "the job to be deleted");
        (await service.Api.ResultAsync(id)).MustBeProblem(404);

        Assert.Equal("running", (await service.Api.JobAsync(running)).State);
        (await service.Api.CancelJobAsync(running)).MustBe(202);
    }

    private static string In(int seconds) => $"Job-Run-At: {DateTimeOffset.UtcNow.AddSeconds(seconds).ToString("O", CultureInfo.InvariantCulture)}";

    private static ByteArrayContent PngOf(byte[] image) => new(image) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } };
}
