using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    public static TheoryData<JobState> FinalStates => [.. JobStates.All.Where(static s => s.IsFinal())];

    [Fact]
    public async Task A_queued_job_is_cancelled_at_once_and_never_runs()
    {
        await using IJobStore store = await OpenAsync();
        Job due = await AcceptAsync(store), later = await AcceptAsync(store, Jobs.New(runAt: Jobs.Now + TimeSpan.FromHours(1)));
        DateTimeOffset before = Jobs.Now;
        foreach (Job job in new[] { due, later })
        {
            JobTransition transition = (await store.CancelAsync(job.Id, Token))!;

            Assert.Equal((JobState.Queued, JobState.Cancelled), (transition.Before, transition.After.State));
            Assert.Equivalent(transition.After, await GetAsync(store, job.Id), strict: true);
            AssertBetween(before, Jobs.Now, transition.After.FinishedAt);
            Assert.True(transition.After.Version > job.Version);
            Assert.False(transition.After.IsCancelRequested);
            Assert.Equal(0, transition.After.Attempt);
        }
        JobClaims claims = await store.ClaimAsync("me", 10, Jobs.LongLease, Token);
        Assert.Empty(claims.Claims);
        Assert.Null(claims.NextDue);
    }

    [Fact]
    public async Task A_running_job_that_is_cancelled_runs_until_its_instance_has_stopped_it()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store);
        JobClaim claim = await ClaimOneAsync(store);

        JobTransition transition = (await store.CancelAsync(job.Id, Token))!;

        Assert.Equal((JobState.Running, JobState.Running), (transition.Before, transition.After.State));
        Assert.True(transition.After.IsCancelRequested);
        Assert.True(transition.After.Version > claim.Job.Version);
        Assert.Null(transition.After.FinishedAt);
        Assert.Equivalent(transition.After, await GetAsync(store, job.Id), strict: true);
        Assert.Equal([LeaseState.CancelRequested], await store.RenewAsync([claim], Jobs.LongLease, Token));

        JobTransition again = (await store.CancelAsync(job.Id, Token))!;
        Assert.Equal((JobState.Running, JobState.Running, true), (again.Before, again.After.State, again.After.IsCancelRequested));

        Assert.True(await store.FinishAsync(claim, new JobEnd(JobState.Cancelled), Token));
        Job ended = await GetAsync(store, job.Id);
        Assert.Equal((JobState.Cancelled, false), (ended.State, ended.IsCancelRequested));
        Assert.NotNull(ended.FinishedAt);
    }

    [Theory]
    [MemberData(nameof(FinalStates))]
    public async Task A_job_that_has_ended_is_not_cancelled(JobState state)
    {
        await using IJobStore store = await OpenAsync();
        Job ended = await EndedAsync(store, state);

        JobTransition transition = (await store.CancelAsync(ended.Id, Token))!;

        Assert.Equal(state, transition.Before);
        Assert.Equivalent(ended, transition.After, strict: true);
        Assert.Equivalent(ended, await GetAsync(store, ended.Id), strict: true);
    }

    [Theory]
    [InlineData(JobState.Failed)]
    [InlineData(JobState.Cancelled)]
    [InlineData(JobState.Expired)]
    public async Task A_job_that_did_not_succeed_can_be_retried_as_if_it_were_new(JobState state)
    {
        await using IJobStore store = await OpenAsync();
        Job ended = await EndedAsync(store, state, Jobs.New(maxAttempts: 3, timeout: TimeSpan.FromHours(1), tags: ["t"], body: "body"));
        DateTimeOffset before = Jobs.Now;

        JobTransition transition = (await store.RetryAsync(ended.Id, Token))!;

        Assert.Equal(state, transition.Before);
        Job queued = await GetAsync(store, ended.Id);
        Assert.Equivalent(transition.After, queued, strict: true);
        Assert.Equal((JobState.Queued, 0, 3), (queued.State, queued.Attempt, queued.MaxAttempts));
        Assert.True(queued.Version > ended.Version);
        AssertBetween(before, Jobs.Now, queued.RunAt);
        AssertSameTime(queued.RunAt + TimeSpan.FromHours(1), queued.Deadline);
        Assert.Equal(ended.CreatedAt, queued.CreatedAt);
        Assert.Equal(["t"], queued.Tags);
        Assert.Null(queued.StartedAt);
        Assert.Null(queued.FinishedAt);
        Assert.Null(queued.Error);
        Assert.Null(queued.Progress);
        Assert.False(queued.IsCancelRequested);
        Assert.Null((await store.GetResultAsync(ended.Id, Token))!.Result);

        JobClaim claim = await ClaimOneAsync(store);
        Assert.Equal((ended.Id, 1, 0), (claim.Job.Id, claim.Job.Attempt, claim.Redeliveries));
        Assert.Equal("body"u8.ToArray(), claim.Payload.Body.ToArray());
        Assert.True(await store.FinishAsync(claim, Jobs.Success(), Token));
        Assert.NotNull((await store.GetResultAsync(ended.Id, Token))!.Result);
    }

    [Fact]
    public async Task A_retry_gives_a_scheduled_or_waiting_job_its_full_timeout_again()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(runAt: Jobs.Now + TimeSpan.FromMilliseconds(50), timeout: TimeSpan.FromHours(1), maxAttempts: 5));
        JobClaim claim = await ClaimOneAsync(store);
        await store.FinishAsync(claim, new JobEnd(JobState.Queued, RetryAfter: TimeSpan.FromMinutes(30)), Token);
        Job waiting = await GetAsync(store, job.Id);
        AssertSameTime(job.Deadline!.Value, waiting.Deadline); // a further attempt does not extend the deadline
        await store.CancelAsync(job.Id, Token);

        Job retried = (await store.RetryAsync(job.Id, Token))!.After;

        AssertSameTime(retried.RunAt + TimeSpan.FromHours(1), retried.Deadline);
        Assert.Equal(job.Id, (await ClaimOneAsync(store)).Job.Id);
    }

    [Fact]
    public async Task A_retried_job_that_had_no_deadline_has_none()
    {
        await using IJobStore store = await OpenAsync();
        Job ended = await EndedAsync(store, JobState.Failed);
        Assert.Null((await store.RetryAsync(ended.Id, Token))!.After.Deadline);
    }

    [Fact]
    public async Task A_queued_running_or_succeeded_job_is_not_retried()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store);

        async Task AssertLeftAloneAsync(JobState state)
        {
            Job before = await GetAsync(store, job.Id);
            JobTransition transition = (await store.RetryAsync(job.Id, Token))!;
            Assert.Equal(state, transition.Before);
            Assert.Equivalent(before, transition.After, strict: true);
            Assert.Equivalent(before, await GetAsync(store, job.Id), strict: true);
        }

        await AssertLeftAloneAsync(JobState.Queued);
        JobClaim claim = await ClaimOneAsync(store);
        await AssertLeftAloneAsync(JobState.Running);
        await store.FinishAsync(claim, Jobs.Success(), Token);
        await AssertLeftAloneAsync(JobState.Succeeded);
    }

    [Fact]
    public async Task An_attempt_from_before_a_retry_writes_nothing()
    {
        await using IJobStore store = await OpenAsync();
        (Job job, JobClaim lost) = await OrphanAsync(store);
        await TendUntilAsync(store, job.Id, JobState.Failed, new MaintenanceRules(TimeSpan.FromDays(1), 0));
        Job queued = (await store.RetryAsync(job.Id, Token))!.After;

        await AssertWritesNothingAsync(store, lost);
        Assert.Equivalent(queued, await GetAsync(store, job.Id), strict: true);
        JobClaim second = await ClaimOneAsync(store);
        Assert.True(second.Number > lost.Number);
        await AssertWritesNothingAsync(store, lost);
        Assert.Equivalent(second.Job, await GetAsync(store, job.Id), strict: true);
    }

    [Fact]
    public async Task A_poisoned_job_that_is_retried_may_be_redelivered_as_often_as_a_new_one()
    {
        await using IJobStore store = await OpenAsync();
        var rules = new MaintenanceRules(TimeSpan.FromDays(1), 1);
        Job job = await AcceptAsync(store);
        for (int life = 0; life < 2; life++)
        {
            await ClaimOneAsync(store, "dead", TimeSpan.FromMilliseconds(50));
            await TendUntilAsync(store, job.Id, JobState.Queued, rules);
            await ClaimOneAsync(store, "dead", TimeSpan.FromMilliseconds(50));
            await TendUntilAsync(store, job.Id, JobState.Failed, rules);
            await store.RetryAsync(job.Id, Token);
        }
    }

    [Fact]
    public async Task Only_one_of_many_concurrent_cancellations_ends_the_job()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store);

        JobTransition?[] transitions = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(_ => Task.Run(async () => await store.CancelAsync(job.Id, Token)))).Patiently();

        Assert.Single(transitions, static t => t!.Before == JobState.Queued);
        Assert.Equal(19, transitions.Count(static t => t!.Before == JobState.Cancelled));
    }

    [Fact]
    public async Task Operations_on_an_unknown_job_report_that_it_does_not_exist()
    {
        await using IJobStore store = await OpenAsync();
        await AcceptAsync(store);
        JobClaim real = await ClaimOneAsync(store);
        var id = Guid.CreateVersion7();
        JobClaim unknown = real with { Job = real.Job with { Id = id } };

        Assert.Null(await store.GetAsync(id, Token));
        Assert.Null(await store.GetAsync(Guid.Empty, Token));
        Assert.Null(await store.GetResultAsync(id, Token));
        Assert.Null(await store.CancelAsync(id, Token));
        Assert.Null(await store.RetryAsync(id, Token));
        await AssertWritesNothingAsync(store, unknown);
        await store.HandBackAsync([], Token);
    }

    [Fact]
    public async Task A_call_with_a_cancelled_token_throws_and_changes_nothing()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 3));
        JobClaim claim = await ClaimOneAsync(store);
        Job before = await GetAsync(store, job.Id);
        NewJob other = Jobs.New();
        var cancelled = new CancellationToken(canceled: true);

        async Task AssertCancelledAsync(Func<Task> call) => await Assert.ThrowsAnyAsync<OperationCanceledException>(call);

        await AssertCancelledAsync(async () => await store.AcceptAsync(other, cancelled));
        await AssertCancelledAsync(async () => await store.ClaimAsync("me", 1, Jobs.LongLease, cancelled));
        await AssertCancelledAsync(async () => await store.FinishAsync(claim, Jobs.Success(), cancelled));
        await AssertCancelledAsync(async () => await store.HandBackAsync([claim], cancelled));
        await AssertCancelledAsync(async () => await store.RenewAsync([claim], Jobs.LongLease, cancelled));
        await AssertCancelledAsync(async () => await store.ReportProgressAsync(claim, 0.5, cancelled));
        await AssertCancelledAsync(async () => await store.GetAsync(job.Id, cancelled));
        await AssertCancelledAsync(async () => await store.GetResultAsync(job.Id, cancelled));
        await AssertCancelledAsync(async () => await store.ListAsync(new JobQuery(), cancelled));
        await AssertCancelledAsync(async () => await store.CancelAsync(job.Id, cancelled));
        await AssertCancelledAsync(async () => await store.RetryAsync(job.Id, cancelled));
        await AssertCancelledAsync(async () => await store.MaintainAsync(KeepAll, cancelled));
        await AssertCancelledAsync(async () => await store.CountAsync(cancelled));

        Assert.Null(await store.GetAsync(other.Id, Token));
        Assert.Equivalent(before, await GetAsync(store, job.Id), strict: true);
    }

    [Fact]
    public async Task Accepts_that_are_cancelled_under_way_leave_the_store_consistent()
    {
        await using IJobStore store = await OpenAsync();
        NewJob[] jobs = [.. Enumerable.Range(0, 300).Select(static i => Jobs.New(key: $"{i}"))];
        var random = new Random(5);
        bool[] created = await Task.WhenAll(jobs.Select(async job =>
        {
            using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(random.Next(0, 5)));
            try
            {
                return (await store.AcceptAsync(job, soon.Token)).Outcome == AcceptOutcome.Created;
            }
            catch (OperationCanceledException)
            {
                return false; // the store may have accepted the job
            }
        })).Patiently();

        for (int i = 0; i < jobs.Length; i++)
        {
            Job? read = await store.GetAsync(jobs[i].Id, Token);
            if (created[i]) Assert.NotNull(read);
            // The store may accept the job of a cancelled call even later. Then that job has the key.
            JobAcceptance again = await store.AcceptAsync(jobs[i] with { Id = Guid.CreateVersion7() }, Token);
            if (read is not null) Assert.Equal((AcceptOutcome.Existing, jobs[i].Id), (again.Outcome, again.Job.Id));
            else if (again.Outcome == AcceptOutcome.Existing) Assert.Equal(jobs[i].Id, again.Job.Id);
            else Assert.Equal(AcceptOutcome.Created, again.Outcome);
        }
        Assert.Equal(300, (await ClaimAllAsync(store)).Count);
    }

    /// <summary>A job that has ended in a state, with a result and an error that belong to the state.</summary>
    private static async Task<Job> EndedAsync(IJobStore store, JobState state, NewJob? job = null)
    {
        Job accepted = await AcceptAsync(store, job);
        JobClaim claim = await ClaimOneAsync(store);
        Assert.Equal(accepted.Id, claim.Job.Id);
        JobEnd ending = state switch
        {
            JobState.Succeeded => Jobs.Success(),
            JobState.Failed => new JobEnd(JobState.Failed, new JobResult(500, null, "bad"u8.ToArray()), new JobError("work-failed", "It failed.")),
            _ => new JobEnd(state, null, new JobError("name", "detail")),
        };
        Assert.True(await store.FinishAsync(claim, ending, Token));
        return await GetAsync(store, accepted.Id);
    }
}
