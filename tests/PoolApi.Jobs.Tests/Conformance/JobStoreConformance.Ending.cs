using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    [Theory]
    [InlineData(JobState.Succeeded, true, false)]
    [InlineData(JobState.Failed, false, true)]
    [InlineData(JobState.Failed, true, true)]
    [InlineData(JobState.Cancelled, false, false)]
    [InlineData(JobState.Expired, false, true)]
    public async Task The_end_of_an_attempt_sets_the_state_result_and_error_of_its_job(JobState state, bool hasResult, bool hasError)
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store);
        JobClaim claim = await ClaimOneAsync(store);
        DateTimeOffset before = Jobs.Now;
        JobError? error = hasError ? new JobError("a-name", "In words: ünïcode, 'quotes'.") : null;
        JobResult? result = hasResult ? new JobResult(hasError ? 500 : 200, "text/plain", "answer"u8.ToArray()) : null;

        Assert.True(await store.FinishAsync(claim, new JobEnd(state, result, error), Token));

        JobWithResult ended = (await store.GetResultAsync(job.Id, Token))!;
        Assert.Equivalent(await GetAsync(store, job.Id), ended.Job, strict: true);
        Assert.Equal(state, ended.Job.State);
        AssertBetween(before, Jobs.Now, ended.Job.FinishedAt);
        Assert.Equal(error, ended.Job.Error);
        Assert.Equal("me", ended.Job.Worker);
        Assert.Equal(1, ended.Job.Attempt);
        Assert.True(ended.Job.Version > claim.Job.Version);
        Assert.Equal(result?.Status, ended.Result?.Status);
        Assert.Equal(result?.Body.ToArray(), ended.Result?.Body.ToArray());
        Assert.False(ended.IsSwept);
        Assert.Empty(await ClaimAllAsync(store));
    }

    [Theory]
    [InlineData(JobState.Succeeded)]
    [InlineData(JobState.Failed)]
    [InlineData(JobState.Queued)]
    public async Task Repeating_the_write_of_an_end_succeeds_and_changes_nothing(JobState state)
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 3));
        JobClaim claim = await ClaimOneAsync(store);
        var ending = new JobEnd(
            state, state == JobState.Succeeded ? Jobs.Success().Result : null, state == JobState.Succeeded ? null : new JobError("n", "d"), TimeSpan.FromHours(1));
        Assert.True(await store.FinishAsync(claim, ending, Token));
        Job ended = await GetAsync(store, job.Id);

        Assert.True(await store.FinishAsync(claim, ending, Token));

        Assert.Equivalent(ended, await GetAsync(store, job.Id), strict: true);
    }

    [Fact]
    public async Task A_job_with_attempts_left_is_queued_again_and_due_after_the_pause()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 2));
        JobClaim first = await ClaimOneAsync(store);
        var error = new JobError("busy", "Later.");
        DateTimeOffset before = Jobs.Now;

        Assert.True(await store.FinishAsync(first, new JobEnd(JobState.Queued, null, error, TimeSpan.FromMilliseconds(400)), Token));

        Job queued = await GetAsync(store, job.Id);
        Assert.Equal(JobState.Queued, queued.State);
        Assert.Equal(error, queued.Error);
        Assert.Equal(1, queued.Attempt);
        Assert.Null(queued.FinishedAt);
        Assert.True(queued.Version > first.Job.Version);
        AssertBetween(before, Jobs.Now, queued.RunAt - TimeSpan.FromMilliseconds(400));
        JobClaim second = await ClaimOneAsync(store);
        Assert.True(second.Job.StartedAt >= queued.RunAt - TimeSpan.FromMilliseconds(2));
        Assert.Equal((2, 0), (second.Job.Attempt, second.Redeliveries));
        Assert.True(await store.FinishAsync(second, Jobs.Success(), Token));
        Assert.Equal(JobState.Succeeded, (await GetAsync(store, job.Id)).State);
    }

    [Fact]
    public async Task A_claim_reports_the_pause_before_the_next_attempt_as_the_next_due_time()
    {
        await using IJobStore store = await OpenAsync();
        await AcceptAsync(store);
        await store.FinishAsync(await ClaimOneAsync(store), new JobEnd(JobState.Queued, RetryAfter: TimeSpan.FromHours(1)), Token);

        JobClaims claims = await store.ClaimAsync("me", 1, Jobs.LongLease, Token);

        Assert.Empty(claims.Claims);
        Assert.InRange(claims.NextDue!.Value, TimeSpan.FromMinutes(55), TimeSpan.FromMinutes(60.1));
    }

    [Fact]
    public async Task The_error_of_an_attempt_is_gone_when_a_later_one_succeeds()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 2));
        await store.FinishAsync(await ClaimOneAsync(store), new JobEnd(JobState.Queued, null, new JobError("n", "d")), Token);

        await store.FinishAsync(await ClaimOneAsync(store), Jobs.Success(), Token);

        Job ended = await GetAsync(store, job.Id);
        Assert.Equal(JobState.Succeeded, ended.State);
        Assert.Null(ended.Error);
    }

    [Fact]
    public async Task A_job_that_is_handed_back_keeps_its_place_and_counts_no_attempt()
    {
        await using IJobStore store = await OpenAsync();
        DateTimeOffset start = Jobs.Now;
        Job[] jobs = new Job[3];
        for (int i = 0; i < 3; i++)
        {
            jobs[i] = await AcceptAsync(store, Jobs.New($"{i}", runAt: start + TimeSpan.FromMilliseconds(i * 10), timeout: TimeSpan.FromHours(1)));
        }
        await PassAsync(150);
        JobClaims claims = await store.ClaimAsync("me", 2, Jobs.LongLease, Token);
        Assert.Equal(["0", "1"], claims.Claims.Select(static c => c.Job.Kind));

        await store.HandBackAsync(claims.Claims, Token);

        for (int i = 0; i < 2; i++)
        {
            Job back = await GetAsync(store, jobs[i].Id);
            Assert.Equal((JobState.Queued, 0), (back.State, back.Attempt));
            AssertSameTime(jobs[i].RunAt, back.RunAt);
            AssertSameTime(jobs[i].Deadline!.Value, back.Deadline);
            Assert.True(back.Version > claims.Claims[i].Job.Version);
        }
        List<JobClaim> again = await ClaimAllAsync(store, max: 1);
        Assert.Equal(["0", "1", "2"], again.Select(static c => c.Job.Kind));
        Assert.All(again, static c => Assert.Equal((1, 0), (c.Job.Attempt, c.Redeliveries)));
    }

    [Fact]
    public async Task A_later_attempt_that_is_handed_back_leaves_the_earlier_ones_counted()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 3));
        await store.FinishAsync(await ClaimOneAsync(store), new JobEnd(JobState.Queued), Token);

        await store.HandBackAsync([await ClaimOneAsync(store)], Token);

        Assert.Equal(1, (await GetAsync(store, job.Id)).Attempt);
        Assert.Equal(2, (await ClaimOneAsync(store)).Job.Attempt);
    }

    [Fact]
    public async Task A_job_with_a_requested_cancellation_is_cancelled_when_it_is_handed_back()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store);
        JobClaim claim = await ClaimOneAsync(store);
        await store.CancelAsync(job.Id, Token);

        await store.HandBackAsync([claim], Token);

        Job ended = await GetAsync(store, job.Id);
        Assert.Equal((JobState.Cancelled, 1), (ended.State, ended.Attempt));
        Assert.NotNull(ended.FinishedAt);
        Assert.Empty(await ClaimAllAsync(store));
    }

    [Fact]
    public async Task A_job_with_a_requested_cancellation_is_cancelled_instead_of_tried_again()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 3));
        JobClaim claim = await ClaimOneAsync(store);
        await store.CancelAsync(job.Id, Token);

        Assert.True(await store.FinishAsync(claim, new JobEnd(JobState.Queued, null, new JobError("n", "d"), TimeSpan.Zero), Token));

        Job ended = await GetAsync(store, job.Id);
        Assert.Equal(JobState.Cancelled, ended.State);
        Assert.NotNull(ended.FinishedAt);
        Assert.Empty(await ClaimAllAsync(store));
    }

    [Fact]
    public async Task A_job_that_succeeds_despite_a_requested_cancellation_ends_as_succeeded()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store);
        JobClaim claim = await ClaimOneAsync(store);
        await store.CancelAsync(job.Id, Token);

        Assert.True(await store.FinishAsync(claim, Jobs.Success(), Token));

        Job ended = await GetAsync(store, job.Id);
        Assert.Equal(JobState.Succeeded, ended.State);
        Assert.False(ended.IsCancelRequested);
    }

    [Fact]
    public async Task A_claim_that_was_handed_back_writes_nothing_any_more()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store);
        JobClaim claim = await ClaimOneAsync(store);
        await store.HandBackAsync([claim], Token);
        Job queued = await GetAsync(store, job.Id);

        await AssertWritesNothingAsync(store, claim);

        Assert.Equivalent(queued, await GetAsync(store, job.Id), strict: true);
    }

    [Fact]
    public async Task Renewal_hand_back_and_progress_of_an_ended_claim_change_nothing()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store);
        JobClaim claim = await ClaimOneAsync(store);
        await store.FinishAsync(claim, Jobs.Success(), Token);
        Job ended = await GetAsync(store, job.Id);

        Assert.Equal([LeaseState.Lost], await store.RenewAsync([claim], Jobs.LongLease, Token));
        await store.HandBackAsync([claim], Token);
        await store.ReportProgressAsync(claim, 0.5, Token);

        Assert.Equivalent(ended, await GetAsync(store, job.Id), strict: true);
    }

    [Fact]
    public async Task Many_ends_at_once_are_all_written_each_with_its_own_result()
    {
        await using IJobStore store = await OpenAsync();
        for (int i = 0; i < 300; i++) await AcceptAsync(store);
        List<JobClaim> claims = await ClaimAllAsync(store);

        bool[] written = await Task.WhenAll(claims.Select(async c => await store.FinishAsync(c, Jobs.Success($"{c.Job.Id}"), Token))).Patiently();

        Assert.All(written, Assert.True);
        foreach (JobClaim claim in claims)
        {
            JobResult result = (await store.GetResultAsync(claim.Job.Id, Token))!.Result!;
            Assert.Equal($"{claim.Job.Id}", System.Text.Encoding.UTF8.GetString(result.Body.Span));
        }
    }

    [Fact]
    public async Task Progress_is_readable_during_its_attempt_and_cleared_for_the_next_one()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 2));
        JobClaim first = await ClaimOneAsync(store);
        long version = first.Job.Version;
        foreach (double progress in new[] { 0, 0.25, 0.5, 1 })
        {
            await store.ReportProgressAsync(first, progress, Token);
            Job read = await GetAsync(store, job.Id);
            Assert.Equal(progress, read.Progress!.Value, 3);
            Assert.True(read.Version > version);
            version = read.Version;
        }
        await store.FinishAsync(first, new JobEnd(JobState.Queued), Token);

        JobClaim second = await ClaimOneAsync(store);

        Assert.Null(second.Job.Progress);
        Assert.Null((await GetAsync(store, job.Id)).Progress);
        await store.ReportProgressAsync(first, 0.75, Token); // the progress of an attempt that has ended
        Assert.Null((await GetAsync(store, job.Id)).Progress);
    }

    [Fact]
    public async Task A_store_can_be_disposed_of_twice()
    {
        // The caller that opened the store disposes of it, and the container that created it does so again.
        await using IJobStore store = await OpenAsync();
        await AcceptAsync(store);
        await store.DisposeAsync();
        await store.DisposeAsync();
    }

    private static async Task AssertWritesNothingAsync(IJobStore store, JobClaim lost)
    {
        Assert.False(await store.FinishAsync(lost, Jobs.Success("too late"), Token));
        Assert.False(await store.FinishAsync(lost, new JobEnd(JobState.Queued), Token));
        Assert.Equal([LeaseState.Lost], await store.RenewAsync([lost], Jobs.LongLease, Token));
        await store.ReportProgressAsync(lost, 0.9, Token);
        await store.HandBackAsync([lost], Token);
    }
}
