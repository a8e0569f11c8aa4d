using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task A_job_claimed_as_it_is_accepted_runs_like_one_that_was_queued_first()
    {
        await using IJobStore store = await OpenAsync();
        NewJob job = Jobs.New(tags: ["t"], client: "c", maxAttempts: 3, timeout: TimeSpan.FromHours(1), key: "key", body: "body");
        DateTimeOffset before = Jobs.Now;

        JobAcceptance acceptance = await store.AcceptAndClaimAsync(job, "me", Jobs.LongLease, Token);

        Assert.Equal((AcceptOutcome.Created, JobState.Queued, 1, 0), (acceptance.Outcome, acceptance.Job.State, acceptance.Job.Version, acceptance.Job.Attempt));
        JobClaim claim = acceptance.Claim!;
        Assert.Equal((0, true), (claim.Redeliveries, claim.IsFirst));
        Assert.Equal((IEnumerable<string?>)job.Payload.Metadata, claim.Payload.Metadata);
        Assert.Equal(job.Payload.Body, claim.Payload.Body);
        foreach (Job running in new[] { claim.Job, await GetAsync(store, job.Id) })
        {
            Assert.Equal((job.Id, "c", JobState.Running, 1, 3, "me"), (running.Id, running.Client, running.State, running.Attempt, running.MaxAttempts, running.Worker));
            Assert.Equal(["t"], running.Tags);
            Assert.True(running.Version > acceptance.Job.Version);
            AssertBetween(before, Jobs.Now, running.StartedAt);
            AssertSameTime(running.RunAt + TimeSpan.FromHours(1), running.Deadline);
        }
        Assert.Equal(claim.Job.Version, (await GetAsync(store, job.Id)).Version);
        Assert.Empty((await store.ClaimAsync("other", 10, Jobs.LongLease, Token)).Claims);
        Assert.Equal([LeaseState.Held], await store.RenewAsync([claim], Jobs.LongLease, Token));
        Assert.True(await store.FinishAsync(claim, Jobs.Success(), Token));
        Assert.Equal(JobState.Succeeded, (await GetAsync(store, job.Id)).State);
        Assert.Single((await store.ListAsync(new JobQuery { Tag = "t", State = JobState.Succeeded }, Token)).Jobs);
    }

    [Fact]
    public async Task Accept_and_claim_does_not_claim_a_job_that_is_not_due_or_not_new()
    {
        await using IJobStore store = await OpenAsync();
        JobAcceptance later = await store.AcceptAndClaimAsync(Jobs.New(runAt: Jobs.Now + TimeSpan.FromHours(1), key: "key"), "me", Jobs.LongLease, Token);
        Assert.Equal((AcceptOutcome.Created, null), (later.Outcome, later.Claim));
        Assert.Equal((JobState.Queued, 0), ((await GetAsync(store, later.Job.Id)).State, (await GetAsync(store, later.Job.Id)).Attempt));

        JobAcceptance again = await store.AcceptAndClaimAsync(Jobs.New(runAt: Jobs.Now + TimeSpan.FromHours(1), key: "key"), "me", Jobs.LongLease, Token);
        Assert.Equal((AcceptOutcome.Existing, later.Job.Id, null), (again.Outcome, again.Job.Id, again.Claim));
        JobAcceptance other = await store.AcceptAndClaimAsync(Jobs.New(key: "key", fingerprint: "another"), "me", Jobs.LongLease, Token);
        Assert.Equal((AcceptOutcome.OtherRequest, null), (other.Outcome, other.Claim));
    }

    [Fact]
    public async Task A_claim_made_at_acceptance_can_be_handed_back_and_the_next_is_not_the_first()
    {
        await using IJobStore store = await OpenAsync();
        JobClaim claim = (await store.AcceptAndClaimAsync(Jobs.New(body: "body"), "me", Jobs.LongLease, Token)).Claim!;

        await store.HandBackAsync([claim], Token);

        Job queued = await GetAsync(store, claim.Job.Id);
        Assert.Equal((JobState.Queued, 0, null), (queued.State, queued.Attempt, queued.StartedAt));
        JobClaim second = await ClaimOneAsync(store);
        Assert.Equal((claim.Job.Id, 1, false), (second.Job.Id, second.Job.Attempt, second.IsFirst));
        Assert.True(second.Number > claim.Number);
        Assert.Equal(claim.Payload.Body.ToArray(), second.Payload.Body.ToArray());
        Assert.False(await store.FinishAsync(claim, Jobs.Success(), Token));
    }

    [Fact]
    public async Task A_job_claimed_at_acceptance_is_redelivered_when_its_instance_dies()
    {
        await using IJobStore store = await OpenAsync();
        JobClaim claim = (await store.AcceptAndClaimAsync(Jobs.New(), "dead", TimeSpan.FromMilliseconds(100), Token)).Claim!;

        await TendUntilAsync(store, claim.Job.Id, JobState.Queued);

        JobClaim second = await ClaimOneAsync(store, "alive");
        Assert.Equal((claim.Job.Id, 2, 1, false), (second.Job.Id, second.Job.Attempt, second.Redeliveries, second.IsFirst));
    }

    [Fact]
    public async Task A_job_claimed_at_acceptance_can_be_cancelled_like_any_running_job()
    {
        await using IJobStore store = await OpenAsync();
        JobClaim claim = (await store.AcceptAndClaimAsync(Jobs.New(), "me", Jobs.LongLease, Token)).Claim!;

        JobTransition cancelled = (await store.CancelAsync(claim.Job.Id, Token))!;

        Assert.Equal((JobState.Running, true), (cancelled.Before, cancelled.After.IsCancelRequested));
        Assert.True(cancelled.After.Version > claim.Job.Version);
        Assert.Equal([LeaseState.CancelRequested], await store.RenewAsync([claim], Jobs.LongLease, Token));
        Assert.True(await store.FinishAsync(claim, new JobEnd(JobState.Cancelled), Token));
    }

    [Fact]
    public async Task Jobs_accepted_and_claimed_concurrently_get_exactly_one_claim_each()
    {
        await using IJobStore one = await OpenAsync();
        IJobStore two = await OtherAsync(one);
        try
        {
            Task<List<JobClaim>>[] all =
            [
                .. Enumerable.Range(0, 200).Select(i => Task.Run(async () =>
                {
                    IJobStore store = i % 2 == 0 ? one : two;
                    List<JobClaim> claims = [];
                    NewJob job = Jobs.New(key: $"{i / 4}");
                    JobAcceptance acceptance = i % 3 == 0 ? await store.AcceptAsync(job, Token) : await store.AcceptAndClaimAsync(job, $"{i}", Jobs.LongLease, Token);
                    if (acceptance.Claim is { } claim) claims.Add(claim);
                    claims.AddRange((await store.ClaimAsync($"{i}", 2, Jobs.LongLease, Token)).Claims);
                    return claims;
                })),
            ];
            List<JobClaim> claims = [.. (await Task.WhenAll(all).Patiently()).SelectMany(static c => c), .. await ClaimAllAsync(one)];
            Assert.Equal(50, claims.Count);
            Assert.Equal(50, claims.Select(static c => c.Job.Id).Distinct().Count());
            Assert.All(claims, static c => Assert.Equal((1, true), (c.Job.Attempt, c.IsFirst)));
            Assert.Equal(50, (await one.CountAsync(Token))[JobState.Running]);
        }
        finally
        {
            if (!ReferenceEquals(one, two)) await two.DisposeAsync();
        }
    }
}
