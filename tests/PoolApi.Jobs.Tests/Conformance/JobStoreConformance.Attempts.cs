using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task Every_attempt_before_the_latest_is_kept_with_its_instance_its_times_and_its_outcome()
    {
        await using IJobStore store = await OpenAsync();
        DateTimeOffset start = Jobs.Now;
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 5));
        Assert.Empty((await GetAsync(store, job.Id)).Earlier);

        JobClaim first = await ClaimOneAsync(store, "a");
        await store.FinishAsync(first, new JobEnd(JobState.Queued, null, new JobError("busy", "ünïcode, 'quotes' and \"these\"")), Token);
        JobClaim second = await ClaimOneAsync(store, "b");
        await store.HandBackAsync([second], Token);
        JobClaim third = await ClaimOneAsync(store, "c", TimeSpan.FromMilliseconds(50));
        await TendUntilAsync(store, job.Id, JobState.Queued);
        JobClaim fourth = await ClaimOneAsync(store, "d");

        // A claim includes the earlier attempts. The job itself shows the latest one.
        Assert.Equal(3, fourth.Job.Earlier.Count);
        await store.FinishAsync(fourth, Jobs.Failure(), Token);
        Job ended = await GetAsync(store, job.Id);
        Assert.Equal(
            [(1, "a", PastOutcome.Retried), (2, "b", PastOutcome.HandedBack), (2, "c", PastOutcome.Lost)],
            ended.Earlier.Select(static a => (a.Number, a.Worker!, a.Outcome)));
        Assert.Equal(new JobError("busy", "ünïcode, 'quotes' and \"these\""), ended.Earlier[0].Error);
        Assert.Equal([null, null], ended.Earlier.Skip(1).Select(static a => a.Error));
        foreach (var (attempt, claim) in ended.Earlier.Zip([first, second, third]))
        {
            AssertSameTime(claim.Job.StartedAt!.Value, attempt.StartedAt);
            AssertBetween(start, Jobs.Now, attempt.EndedAt);
            Assert.True(attempt.EndedAt >= attempt.StartedAt);
        }
        Assert.Equal(("d", 3), (ended.Worker, ended.Attempt));
        Job listed = Assert.Single((await store.ListAsync(new JobQuery { State = JobState.Failed }, Token)).Jobs);
        Assert.Equal(ended.Earlier, listed.Earlier);
    }

    [Fact]
    public async Task A_job_that_succeeds_at_its_first_attempt_lists_no_earlier_attempt()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store);
        await store.FinishAsync(await ClaimOneAsync(store), Jobs.Success(), Token);
        Assert.Empty((await GetAsync(store, job.Id)).Earlier);
    }

    [Fact]
    public async Task A_retried_job_keeps_a_record_of_its_previous_end()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 2));
        JobClaim first = await ClaimOneAsync(store, "a");
        await store.FinishAsync(first, Jobs.Failure("broken"), Token);
        DateTimeOffset failedAt = (await GetAsync(store, job.Id)).FinishedAt!.Value;

        JobTransition retried = (await store.RetryAsync(job.Id, Token))!;

        PastAttempt failed = Assert.Single(retried.After.Earlier);
        Assert.Equal((1, "a", PastOutcome.Failed, "broken"), (failed.Number, failed.Worker, failed.Outcome, failed.Error!.Name));
        AssertSameTime(first.Job.StartedAt!.Value, failed.StartedAt);
        AssertSameTime(failedAt, failed.EndedAt);

        // The job is cancelled while it waits for another attempt. The list has the last attempt already, so the end's entry has no attempt.
        await store.FinishAsync(await ClaimOneAsync(store, "b"), new JobEnd(JobState.Queued, null, new JobError("n", "d"), TimeSpan.FromHours(1)), Token);
        await store.CancelAsync(job.Id, Token);
        await store.RetryAsync(job.Id, Token);
        IReadOnlyList<PastAttempt> all = (await GetAsync(store, job.Id)).Earlier;
        Assert.Equal([PastOutcome.Failed, PastOutcome.Retried, PastOutcome.Cancelled], all.Select(static a => a.Outcome));
        Assert.Equal((null, null), (all[2].StartedAt, all[2].Worker));
    }

    [Fact]
    public async Task A_job_keeps_a_bounded_number_of_its_latest_attempts()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 100));
        for (int i = 1; i <= PastAttempts.Most + 3; i++)
            await store.FinishAsync(await ClaimOneAsync(store, $"w{i}"), new JobEnd(JobState.Queued, null, new JobError("n", new string('x', 1000))), Token);

        IReadOnlyList<PastAttempt> kept = (await GetAsync(store, job.Id)).Earlier;

        Assert.Equal(Enumerable.Range(4, PastAttempts.Most), kept.Select(static a => a.Number));
        Assert.All(kept, static a => Assert.Equal(PastAttempts.MostDetail, a.Error!.Detail.Length));
    }

    [Fact]
    public async Task Repeated_hand_backs_by_one_instance_are_listed_as_one_attempt()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store);
        for (int i = 0; i < 3; i++) await store.HandBackAsync([await ClaimOneAsync(store, "a")], Token);
        await store.HandBackAsync([await ClaimOneAsync(store, "b")], Token);

        Assert.Equal(["a", "b"], (await GetAsync(store, job.Id)).Earlier.Select(static a => a.Worker));
    }

    [Fact]
    public async Task A_running_job_shows_the_time_left_of_its_lease()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store);
        Assert.Null((await GetAsync(store, job.Id)).LeaseLeft);
        JobClaim claim = await ClaimOneAsync(store, "a", TimeSpan.FromMinutes(1));
        Assert.InRange((await GetAsync(store, job.Id)).LeaseLeft!.Value, TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(1));

        await store.RenewAsync([claim], TimeSpan.FromHours(1), Token);

        Job listed = Assert.Single((await store.ListAsync(new JobQuery { State = JobState.Running }, Token)).Jobs);
        Assert.InRange(listed.LeaseLeft!.Value, TimeSpan.FromMinutes(50), TimeSpan.FromHours(1));
        await store.FinishAsync(claim, Jobs.Success(), Token);
        Assert.Null((await GetAsync(store, job.Id)).LeaseLeft);
    }

    [Fact]
    public async Task Jobs_of_all_clients_are_found_by_their_key()
    {
        await using IJobStore store = await OpenAsync();
        Job nobodys = await AcceptAsync(store, Jobs.New(key: "k")), mine = await AcceptAsync(store, Jobs.New(client: "me", key: "k"));
        await AcceptAsync(store, Jobs.New(client: "me", key: "other"));
        await AcceptAsync(store, Jobs.New(client: "me"));
        Job yours = await AcceptAsync(store, Jobs.New(client: "you", key: "k"));

        Assert.Equal([yours.Id, mine.Id, nobodys.Id], (await store.FindByKeyAsync("k", Token)).Select(static j => j.Id));
        Assert.Empty(await store.FindByKeyAsync("K", Token));
    }

    [Fact]
    public async Task A_payload_can_be_read_until_the_job_is_past_its_retention()
    {
        await using IJobStore store = await OpenAsync();
        string body = new('b', BodyLimits.Inline + 10);
        Job large = await AcceptAsync(store, Jobs.New("large", body: body)), small = await AcceptAsync(store, Jobs.New("small", body: "body"));

        StoredPayload whole = (await store.GetPayloadAsync(large.Id, long.MaxValue, Token))!, head = (await store.GetPayloadAsync(large.Id, 100, Token))!;

        Assert.Equal((body.Length, 0), (whole.Payload.Body.Length, whole.UnreadBytes));
        Assert.Equal((0, body.Length), (head.Payload.Body.Length, head.UnreadBytes));
        Assert.Equal(["POST", "/v1/large"], head.Payload.Metadata.Take(2));
        Assert.Equal("body"u8.ToArray(), (await store.GetPayloadAsync(small.Id, 4, Token))!.Payload.Body.ToArray());
        Assert.Null(await store.GetPayloadAsync(Guid.NewGuid(), 4, Token));
        await store.CancelAsync(small.Id, Token);
        await UntilAsync(async () =>
        {
            await MaintainAsync(store, new MaintenanceRules(TimeSpan.FromMilliseconds(1), 3));
            return await store.GetPayloadAsync(small.Id, 4, Token) is null;
        }, "That the payload is gone");
    }
}
