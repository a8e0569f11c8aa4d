using System.Text;
using PoolApi.Jobs.Stores;
using PoolApi.Threading;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task An_accepted_job_is_read_back_with_everything_it_was_accepted_with()
    {
        await using IJobStore store = await OpenAsync();
        DateTimeOffset before = Jobs.Now;
        DateTimeOffset runAt = before + TimeSpan.FromMinutes(5);
        var job = new NewJob
        {
            Kind = "commands/pdftotext",
            Client = "Zoë's key",
            Priority = WorkPriority.High,
            Tags = ["été", "quote'\"d", "50%_off", "a,b", "日本", "🐟"],
            RunAt = runAt,
            Timeout = TimeSpan.FromSeconds(90),
            MaxAttempts = 7,
            Payload = new JobPayload(
                new byte[] { 0, 1, 255, 0 }, "PUT", "/v1/commands/pdftotext", "?arg='; DROP TABLE jobs; --&arg=%20", "application/pdf",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        };

        JobAcceptance acceptance = await store.AcceptAsync(job, Token);

        DateTimeOffset after = Jobs.Now;
        Assert.Equal(AcceptOutcome.Created, acceptance.Outcome);
        foreach (Job read in new[] { acceptance.Job, await GetAsync(store, job.Id), (await store.GetResultAsync(job.Id, Token))!.Job })
        {
            Assert.Equal(job.Id, read.Id);
            Assert.Equal("commands/pdftotext", read.Kind);
            Assert.Equal("Zoë's key", read.Client);
            Assert.Equal(JobState.Queued, read.State);
            Assert.Equal(1, read.Version);
            Assert.Equal(0, read.Attempt);
            Assert.Equal(7, read.MaxAttempts);
            Assert.Equal(WorkPriority.High, read.Priority);
            Assert.Equal(job.Tags, read.Tags);
            AssertBetween(before, after, read.CreatedAt);
            AssertSameTime(runAt, read.RunAt);
            AssertSameTime(runAt + TimeSpan.FromSeconds(90), read.Deadline);
            Assert.Null(read.StartedAt);
            Assert.Null(read.FinishedAt);
            Assert.Null(read.Progress);
            Assert.Null(read.Worker);
            Assert.Null(read.Error);
            Assert.False(read.IsCancelRequested);
        }
    }

    [Fact]
    public async Task A_job_without_options_is_due_at_once_with_one_attempt_and_no_deadline()
    {
        await using IJobStore store = await OpenAsync();
        DateTimeOffset before = Jobs.Now;

        Job accepted = await AcceptAsync(store);

        Job read = await GetAsync(store, accepted.Id);
        Assert.Null(read.Client);
        Assert.Null(read.Deadline);
        Assert.Empty(read.Tags);
        Assert.Equal(WorkPriority.Normal, read.Priority);
        Assert.Equal(1, read.MaxAttempts);
        AssertBetween(before, Jobs.Now, read.RunAt);
        Assert.Equal(accepted.Id, (await ClaimOneAsync(store)).Job.Id);
    }

    [Fact]
    public async Task A_timeout_counts_from_when_the_job_is_due()
    {
        await using IJobStore store = await OpenAsync();

        Job job = await AcceptAsync(store, Jobs.New(timeout: TimeSpan.FromHours(2)));

        AssertSameTime(job.RunAt + TimeSpan.FromHours(2), job.Deadline);
        AssertSameTime(job.RunAt + TimeSpan.FromHours(2), (await GetAsync(store, job.Id)).Deadline);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(1_000_000)]
    public async Task The_payload_and_the_result_are_read_back_byte_for_byte(int bytes)
    {
        await using IJobStore store = await OpenAsync();
        byte[] body = new byte[bytes], answer = new byte[bytes];
        new Random(bytes).NextBytes(body);
        new Random(bytes + 1).NextBytes(answer);
        string metadata = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 {\"h\":\"\u00e4\ud83d\ude00\\u0000" + new string('x', 32 * 1024) + "\"}";
        var payload = new JobPayload(body, "POST", "/v1/thumbnails", "?width=1", "image/jpeg", metadata);
        await AcceptAsync(store, Jobs.New() with { Payload = payload });

        JobClaim claim = await ClaimOneAsync(store);
        Assert.Equal(payload.Metadata, claim.Payload.Metadata);
        ReadOnlyMemory<byte>? whole = claim.UnreadBytes == 0 ? claim.Payload.Body : await store.ReadBodyAsync(claim, Token);
        Assert.Equal(body, whole!.Value.ToArray());

        Assert.True(await store.FinishAsync(claim, new JobEnd(JobState.Succeeded, new JobResult(206, "image/webp", answer)), Token));
        JobWithResult read = (await store.GetResultAsync(claim.Job.Id, Token))!;
        Assert.Equal(206, read.Result!.Status);
        Assert.Equal("image/webp", read.Result.ContentType);
        Assert.Equal(answer, read.Result.Body.ToArray());
        Assert.False(read.IsSwept);
    }

    [Fact]
    public async Task Empty_payload_and_result_fields_are_read_back_empty()
    {
        await using IJobStore store = await OpenAsync();
        var payload = new JobPayload(default, null, "", "?");
        await AcceptAsync(store, Jobs.New() with { Payload = payload });

        JobClaim claim = await ClaimOneAsync(store);

        Assert.Equal(["", "", "?", null, null], [claim.Payload.Metadata[0] ?? "", .. claim.Payload.Metadata.Skip(1)]);
        Assert.Equal(0, claim.Payload.Body.Length);
        Assert.True(await store.FinishAsync(claim, new JobEnd(JobState.Succeeded, new JobResult(204, null, default)), Token));
        JobResult result = (await store.GetResultAsync(claim.Job.Id, Token))!.Result!;
        Assert.Equal((204, null, 0), (result.Status, result.ContentType, result.Body.Length));
    }

    [Fact]
    public async Task A_reopened_store_has_all_jobs_payloads_results_and_keys()
    {
        Job queued, ended;
        await using (IJobStore first = await OpenAsync())
        {
            ended = await AcceptAsync(first, Jobs.New(tags: ["x"], key: "key"));
            await first.FinishAsync(await ClaimOneAsync(first), Jobs.Success("bytes"), Token);
            ended = await GetAsync(first, ended.Id);
            queued = await AcceptAsync(first, Jobs.New(tags: ["y", "z"], timeout: TimeSpan.FromHours(1), body: "body"));
        }

        await using IJobStore second = await OpenAnotherAsync();

        Assert.Equivalent(queued, await GetAsync(second, queued.Id), strict: true);
        Assert.Equivalent(ended, await GetAsync(second, ended.Id), strict: true);
        Assert.Equal("bytes"u8.ToArray(), (await second.GetResultAsync(ended.Id, Token))!.Result!.Body.ToArray());
        Assert.Equal(AcceptOutcome.Existing, (await second.AcceptAsync(Jobs.New(key: "key"), Token)).Outcome);
        JobClaim claim = await ClaimOneAsync(second);
        Assert.Equal(queued.Id, claim.Job.Id);
        Assert.Equal("body"u8.ToArray(), claim.Payload.Body.ToArray());
    }

    [Fact]
    public async Task A_request_repeated_with_its_key_returns_the_same_job_in_any_state()
    {
        await using IJobStore store = await OpenAsync();
        Job first = await AcceptAsync(store, Jobs.New(client: "a", key: "key", maxAttempts: 3));

        async Task AssertExistingAsync(JobState state)
        {
            JobAcceptance again = await store.AcceptAsync(Jobs.New(client: "a", key: "key"), Token);
            Assert.Equal((AcceptOutcome.Existing, first.Id, state), (again.Outcome, again.Job.Id, again.Job.State));
        }

        await AssertExistingAsync(JobState.Queued);
        JobClaim claim = await ClaimOneAsync(store);
        await AssertExistingAsync(JobState.Running);
        await store.FinishAsync(claim, Jobs.Failure(), Token);
        await AssertExistingAsync(JobState.Failed);
        await store.RetryAsync(first.Id, Token);
        await AssertExistingAsync(JobState.Queued);
        await store.CancelAsync(first.Id, Token);
        await AssertExistingAsync(JobState.Cancelled);
        Assert.Single((await store.ListAsync(new JobQuery(), Token)).Jobs);
    }

    [Fact]
    public async Task Another_request_with_a_used_key_is_rejected_and_not_stored()
    {
        await using IJobStore store = await OpenAsync();
        Job first = await AcceptAsync(store, Jobs.New(client: "a", key: "key", fingerprint: "one"));
        NewJob other = Jobs.New(client: "a", key: "key", fingerprint: "two");

        JobAcceptance again = await store.AcceptAsync(other, Token);

        Assert.Equal((AcceptOutcome.OtherRequest, first.Id), (again.Outcome, again.Job.Id));
        Assert.Null(await store.GetAsync(other.Id, Token));
        Assert.Single((await store.ListAsync(new JobQuery(), Token)).Jobs);
    }

    [Fact]
    public async Task Keys_are_separate_per_client_and_for_requests_without_a_client()
    {
        await using IJobStore store = await OpenAsync();
        foreach (string? client in new[] { "a", "A", "", null })
        {
            Job created = await AcceptAsync(store, Jobs.New(client: client, key: "key"));
            JobAcceptance again = await store.AcceptAsync(Jobs.New(client: client, key: "key"), Token);
            Assert.Equal((AcceptOutcome.Existing, created.Id), (again.Outcome, again.Job.Id));
        }
        Assert.Equal(4, (await store.ListAsync(new JobQuery(), Token)).Jobs.Count);
    }

    [Fact]
    public async Task Keys_are_compared_by_every_character_and_may_be_long()
    {
        await using IJobStore store = await OpenAsync();
        string[] keys = ["key", "Key", "key ", "ключ", "🔑", "%", new('k', 255), new string('k', 254) + "l"];

        foreach (string key in keys) await AcceptAsync(store, Jobs.New(key: key));

        foreach (string key in keys) Assert.Equal(AcceptOutcome.Existing, (await store.AcceptAsync(Jobs.New(key: key), Token)).Outcome);
    }

    [Fact]
    public async Task Every_request_without_a_key_creates_a_new_job()
    {
        await using IJobStore store = await OpenAsync();
        await AcceptAsync(store, Jobs.New(client: "a"));
        await AcceptAsync(store, Jobs.New(client: "a"));
        Assert.Equal(2, (await store.ListAsync(new JobQuery(), Token)).Jobs.Count);
    }

    [Fact]
    public async Task Exactly_one_of_a_hundred_concurrent_requests_with_the_same_key_creates_a_job()
    {
        await using IJobStore one = await OpenAsync();
        IJobStore two = await OtherAsync(one);
        try
        {
            for (int round = 0; round < 5; round++)
            {
                NewJob[] jobs = [.. Enumerable.Range(0, 100).Select(i => Jobs.New(key: $"key {round}", client: round % 2 == 0 ? "a" : null, body: $"{i}"))];
                JobAcceptance[] answers = await Task.WhenAll(
                    jobs.Select((job, i) => Task.Run(async () => await (i % 2 == 0 ? one : two).AcceptAsync(job, Token)))).Patiently();
                Assert.Single(answers, static a => a.Outcome == AcceptOutcome.Created);
                Assert.Equal(99, answers.Count(static a => a.Outcome == AcceptOutcome.Existing));
                Assert.Single(answers.Select(static a => a.Job.Id).Distinct());
            }
            Assert.Equal(5, (await one.ListAsync(new JobQuery(), Token)).Jobs.Count);
        }
        finally
        {
            if (two != one) await two.DisposeAsync();
        }
    }

    [Fact]
    public async Task Concurrent_different_requests_with_one_key_create_one_job_and_report_the_conflict()
    {
        await using IJobStore store = await OpenAsync();

        JobAcceptance[] answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(
            i => Task.Run(async () => await store.AcceptAsync(Jobs.New(key: "key", fingerprint: $"{i % 3}"), Token)))).Patiently();

        Assert.Single(answers, static a => a.Outcome == AcceptOutcome.Created);
        Assert.Equal(19, answers.Count(static a => a.Outcome == AcceptOutcome.Existing));
        Assert.Equal(40, answers.Count(static a => a.Outcome == AcceptOutcome.OtherRequest));
    }

    [Fact]
    public async Task Many_accepts_at_once_are_all_stored_each_with_its_own_payload()
    {
        await using IJobStore store = await OpenAsync();
        NewJob[] jobs = [.. Enumerable.Range(0, 1000).Select(static i => Jobs.New(body: $"body {i}"))];

        JobAcceptance[] answers = await Task.WhenAll(jobs.Select(async job => await store.AcceptAsync(job, Token))).Patiently();

        Assert.All(answers, static a => Assert.Equal(AcceptOutcome.Created, a.Outcome));
        Dictionary<Guid, string> bodies = (await ClaimAllAsync(store)).ToDictionary(static c => c.Job.Id, static c => Encoding.UTF8.GetString(c.Payload.Body.Span));
        Assert.Equal(jobs.ToDictionary(static j => j.Id, static j => Encoding.UTF8.GetString(j.Payload.Body.Span)), bodies);
    }
}
