using System.Net;
using System.Text.Json;
using PoolApi.Jobs;

namespace PoolApi.Dashboard.Tests;

/// <summary>What the job page and the job list show besides the job's state: attempts, lease, worker, trace, payload and key.</summary>
public sealed class JobPageTests
{
    private static CancellationToken Token => DashboardApp.Token;

    [Fact]
    public async Task A_job_lists_its_earlier_attempts_and_the_trace_id_of_its_request()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true);
        JobClaim claim = await ClaimAsync(app, TimeSpan.FromMinutes(10));
        await app.Jobs.FinishAsync(claim, new JobEnd(JobState.Queued, null, new JobError("busy", "Later."), TimeSpan.FromDays(1)), Token);

        await using EventReader events = await EventReader.OpenAsync(app.Client, $"job/stream?id={claim.Job.Id:D}");
        JsonElement job = (await events.NextAsync("job")).Data.GetProperty("job");

        JsonElement attempt = Assert.Single(job.GetProperty("earlier").EnumerateArray());
        Assert.Equal((1, "elsewhere", "retried"), (attempt.GetProperty("attempt").GetInt32(), attempt.GetProperty("worker").GetString(), attempt.GetProperty("outcome").GetString()));
        Assert.Equal("busy", attempt.GetProperty("error").GetProperty("name").GetString());
        Assert.True(attempt.GetProperty("endedAt").GetInt64() >= attempt.GetProperty("startedAt").GetInt64());
        Assert.Equal("4bf92f3577b34da6a3ce929d0e0e4736", job.GetProperty("trace").GetString());
    }

    [Fact]
    public async Task A_job_is_shown_as_stale_until_its_instance_renews_the_lease()
    {
        // On a busy machine seconds may pass before the first read.
        await using DashboardApp app = await DashboardApp.StartAsync(
            jobs: true, services: static builder => builder.Services.Configure<PoolApi.Jobs.AspNetCore.JobsOptions>(static o => o.Lease = TimeSpan.FromMinutes(30)));
        JobClaim claim = await ClaimAsync(app, TimeSpan.FromMinutes(8)); // less than a third of the lease
        await using EventReader one = await EventReader.OpenAsync(app.Client, $"job/stream?id={claim.Job.Id:D}"), list = await EventReader.OpenAsync(app.Client, "jobs/stream");
        Assert.True(IsStale((await one.NextAsync("job")).Data.GetProperty("job")));
        Assert.True(IsStale((await list.NextAsync("jobs")).Data.GetProperty("jobs")[0]));

        // The job gets no new version, and the streams must report the change all the same.
        await app.Jobs.RenewAsync([claim], TimeSpan.FromMinutes(20), Token);

        Assert.False(IsStale((await one.NextAsync("job")).Data.GetProperty("job")));
        Assert.False(IsStale((await list.NextAsync("jobs", static d => d.GetProperty("jobs").GetArrayLength() > 0)).Data.GetProperty("jobs")[0]));
    }

    [Fact]
    public async Task A_page_that_reconnects_receives_that_the_job_is_no_longer_stale()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(
            jobs: true, services: static builder => builder.Services.Configure<PoolApi.Jobs.AspNetCore.JobsOptions>(static o => o.Lease = TimeSpan.FromMinutes(30)));
        JobClaim claim = await ClaimAsync(app, TimeSpan.FromMinutes(8)); // less than a third of the lease
        string? seen;
        await using (EventReader first = await EventReader.OpenAsync(app.Client, $"job/stream?id={claim.Job.Id:D}"))
        {
            (seen, JsonElement data) = await first.NextAsync("job");
            Assert.True(IsStale(data.GetProperty("job")));
        }

        // The job gets no new version.
        await app.Jobs.RenewAsync([claim], TimeSpan.FromMinutes(20), Token);

        await using EventReader again = await EventReader.OpenAsync(app.Client, $"job/stream?id={claim.Job.Id:D}", seen);
        var (id, job) = await again.NextAsync("job").Patiently();
        Assert.Equal((seen, false), (id, IsStale(job.GetProperty("job"))));
    }

    [Fact]
    public async Task A_job_that_runs_on_this_instance_names_its_worker_and_the_worker_names_the_job()
    {
        using var entered = new SemaphoreSlim(0);
        using var leave = new SemaphoreSlim(0);
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true, routes: a => a.MapPost("/block", () =>
        {
            entered.Release();
            leave.Wait();
            return "done";
        }).RunOnPool().AllowJobs("block"));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/block") { Headers = { { "Prefer", "respond-async" } } };
        using HttpResponseMessage accepted = await app.Client.SendAsync(request, Token);
        Guid id = JsonDocument.Parse(await accepted.Content.ReadAsStringAsync(Token)).RootElement.GetProperty("id").GetGuid();
        await entered.WaitAsync(Token);

        await using (EventReader one = await EventReader.OpenAsync(app.Client, $"job/stream?id={id:D}"), pools = await EventReader.OpenAsync(app.Client, "stream"))
        {
            JsonElement job = (await one.NextAsync("job", static d => d.GetProperty("job").GetProperty("lane").ValueKind == JsonValueKind.String)).Data.GetProperty("job");
            JsonElement worker = (await pools.NextAsync("snapshot")).Data.GetProperty("pools")[0].GetProperty("workers").EnumerateArray()
                .Single(static w => w.GetProperty("job").ValueKind == JsonValueKind.String);
            Assert.Equal("cpu", job.GetProperty("pool").GetString());
            Assert.Equal((job.GetProperty("lane").GetString(), id), (worker.GetProperty("name").GetString(), worker.GetProperty("job").GetGuid()));
            Assert.Equal(worker.GetProperty("trace").GetString(), job.GetProperty("trace").GetString());
        }
        leave.Release();
    }

    [Fact]
    public async Task Jobs_are_found_by_their_idempotency_key()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true);
        Job mine = (await app.Jobs.AcceptAsync(New(DateTimeOffset.UtcNow.AddDays(1)) with { Client = "me", Idempotency = new IdempotencyKey("order 7", new byte[] { 1 }) }, Token)).Job;
        await app.QueueAsync();

        foreach ((string query, int count) in ((string, int)[])[("", 1), ("&state=queued", 1), ("&state=failed", 0), ($"&id={mine.Id:D}", 1), ("&tag=other", 0)])
        {
            JsonElement page = await app.ReadAsync("jobs/list?key=order%207" + query);
            Assert.Equal((query, count), (query, page.GetProperty("jobs").GetArrayLength()));
        }
        Assert.Equal(mine.Id, (await app.ReadAsync("jobs/list?key=order%207")).GetProperty("jobs")[0].GetProperty("id").GetGuid());
        Assert.Equal(0, (await app.ReadAsync("jobs/list?key=order%208")).GetProperty("jobs").GetArrayLength());
    }

    [Fact]
    public async Task The_payload_is_downloaded_as_a_file_only_where_changes_are_allowed()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true);
        Job job = (await app.Jobs.AcceptAsync(New(DateTimeOffset.UtcNow.AddDays(1)), Token)).Job;

        using HttpResponseMessage answer = await app.PostAsync($"job/payload?id={job.Id:D}");

        Assert.Equal("<script>", await answer.Content.ReadAsStringAsync(Token));
        Assert.Equal(("application/octet-stream", "attachment"), (answer.Content.Headers.ContentType!.MediaType, answer.Content.Headers.ContentDisposition!.DispositionType));
        using HttpResponseMessage other = await app.PostAsync($"job/payload?id={job.Id:D}", "{}", ("Sec-Fetch-Site", "cross-site"));
        Assert.Equal(HttpStatusCode.Forbidden, other.StatusCode);
        using HttpResponseMessage gone = await app.PostAsync($"job/payload?id={Guid.NewGuid():D}");
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        await using DashboardApp shown = await DashboardApp.StartAsync(static o => o.ReadOnly = true, jobs: true);
        using HttpResponseMessage refused = await shown.PostAsync($"job/payload?id={job.Id:D}");
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
    }

    private static bool IsStale(JsonElement job) => job.GetProperty("stale").GetBoolean();

    /// <summary>Accepts a job that another instance runs.</summary>
    private static async Task<JobClaim> ClaimAsync(DashboardApp app, TimeSpan lease) =>
        (await app.Jobs.AcceptAndClaimAsync(New(null), "elsewhere", lease, Token)).Claim!;

    private static NewJob New(DateTimeOffset? runAt) => new()
    {
        Kind = "k",
        MaxAttempts = 3,
        RunAt = runAt,
        Payload = new JobPayload("<script>"u8.ToArray(), "POST", "/x", "", "text/html", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 {}"),
    };
}
