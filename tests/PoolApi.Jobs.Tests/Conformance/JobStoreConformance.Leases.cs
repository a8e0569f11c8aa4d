using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task A_job_whose_lease_lasts_is_left_to_its_owner()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store);
        JobClaim claim = await ClaimOneAsync(store);

        Assert.Equal((0, 0, 0, 0), await MaintainAsync(store));

        Assert.Equivalent(claim.Job, await GetAsync(store, job.Id), strict: true);
        Assert.Empty((await store.ClaimAsync("other", 1, Jobs.LongLease, Token)).Claims);
    }

    [Fact]
    public async Task A_job_whose_lease_has_run_out_is_queued_again_and_runs_elsewhere()
    {
        await using IJobStore store = await OpenAsync();
        (Job job, JobClaim dead) = await OrphanAsync(store, Jobs.New("a-kind", body: "body"));
        int redelivered = 0;
        await UntilAsync(async () =>
        {
            MaintenanceReport report = await store.MaintainAsync(KeepAll, Token);
            redelivered += report.Redelivered.GetValueOrDefault("a-kind");
            Assert.Equal(report.Redelivered.Values.Sum(), report.Redelivered.GetValueOrDefault("a-kind"));
            return redelivered > 0;
        });
        Assert.Equal(1, redelivered);
        Job queued = await GetAsync(store, job.Id);
        Assert.Equal((JobState.Queued, 1), (queued.State, queued.Attempt));
        Assert.True(queued.Version > dead.Job.Version);

        JobClaim second = await ClaimOneAsync(store, "alive");

        Assert.Equal((job.Id, 2, 1, "alive"), (second.Job.Id, second.Job.Attempt, second.Redeliveries, second.Job.Worker));
        Assert.True(second.Number > dead.Number);
        Assert.Equal("body"u8.ToArray(), second.Payload.Body.ToArray());
        Assert.Equal((0, 0, 0, 0), await MaintainAsync(store));
    }

    [Fact]
    public async Task A_job_whose_lease_has_run_out_is_left_alone_in_a_round_that_redelivers_none()
    {
        await using IJobStore store = await OpenAsync();
        (Job job, JobClaim claim) = await OrphanAsync(store);
        Job late = await AcceptAsync(store, Jobs.New(timeout: TimeSpan.FromMilliseconds(1)));
        await PassAsync(300);

        Assert.Equal((1, 0, 0, 0), await MaintainAsync(store, KeepAll with { MayRedeliver = false }));

        Assert.Equal(JobState.Expired, (await GetAsync(store, late.Id)).State);
        Assert.Equal([LeaseState.Held], await store.RenewAsync([claim], TimeSpan.FromMilliseconds(1), Token));
        Assert.Equal(1, (await TendUntilAsync(store, job.Id, JobState.Queued)).Attempt);
    }

    [Fact]
    public async Task A_job_that_is_queued_again_keeps_its_place()
    {
        await using IJobStore store = await OpenAsync();
        (Job job, _) = await OrphanAsync(store, Jobs.New("first"));
        await PassAsync(20);
        await AcceptAsync(store, Jobs.New("second"));

        await TendUntilAsync(store, job.Id, JobState.Queued);

        Assert.Equal(["first", "second"], (await ClaimAllAsync(store, max: 1)).Select(static c => c.Job.Kind));
    }

    [Fact]
    public async Task A_lease_that_is_renewed_does_not_run_out()
    {
        await using IJobStore store = await OpenAsync();
        (Job job, JobClaim claim) = await OrphanAsync(store);

        Assert.Equal([LeaseState.Held], await store.RenewAsync([claim], Jobs.LongLease, Token));

        await PassAsync(200);
        Assert.Equal((0, 0, 0, 0), await MaintainAsync(store));
        Assert.Equal(JobState.Running, (await GetAsync(store, job.Id)).State);
        Assert.True(await store.FinishAsync(claim, Jobs.Success(), Token));
    }

    [Fact]
    public async Task An_expired_lease_remains_valid_until_maintenance_redelivers_the_job()
    {
        await using IJobStore store = await OpenAsync();
        (_, JobClaim renewed) = await OrphanAsync(store);
        (_, JobClaim finished) = await OrphanAsync(store);
        await PassAsync(250);

        Assert.Equal([LeaseState.Held], await store.RenewAsync([renewed], Jobs.LongLease, Token));
        Assert.True(await store.FinishAsync(finished, Jobs.Success(), Token));
        Assert.Equal((0, 0, 0, 0), await MaintainAsync(store));
    }

    [Fact]
    public async Task A_lost_claim_writes_nothing_before_and_after_the_job_is_claimed_again()
    {
        await using IJobStore store = await OpenAsync();
        (Job job, JobClaim lost) = await OrphanAsync(store);
        Job queued = await TendUntilAsync(store, job.Id, JobState.Queued);

        await AssertWritesNothingAsync(store, lost);
        Assert.Equivalent(queued, await GetAsync(store, job.Id), strict: true);

        JobClaim second = await ClaimOneAsync(store, "alive");
        await AssertWritesNothingAsync(store, lost);
        Assert.Equivalent(second.Job, await GetAsync(store, job.Id), strict: true);

        Assert.True(await store.FinishAsync(second, Jobs.Success("of the second"), Token));
        Job ended = await GetAsync(store, job.Id);
        await AssertWritesNothingAsync(store, lost);
        Assert.Equivalent(ended, await GetAsync(store, job.Id), strict: true);
        Assert.Equal("of the second"u8.ToArray(), (await store.GetResultAsync(job.Id, Token))!.Result!.Body.ToArray());
    }

    [Fact]
    public async Task An_owner_cannot_write_with_an_old_claim_of_a_job_that_it_claimed_again()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 2));
        JobClaim first = await ClaimOneAsync(store);
        await store.HandBackAsync([first], Token);
        JobClaim second = await ClaimOneAsync(store);

        await AssertWritesNothingAsync(store, first);

        Assert.Equivalent(second.Job, await GetAsync(store, job.Id), strict: true);
    }

    [Fact]
    public async Task A_renewal_reports_the_lease_states_in_the_order_of_the_claims()
    {
        await using IJobStore store = await OpenAsync();
        for (int i = 0; i < 5; i++) await AcceptAsync(store);
        List<JobClaim> claims = await ClaimAllAsync(store);
        await store.FinishAsync(claims[0], Jobs.Success(), Token);
        await store.CancelAsync(claims[1].Job.Id, Token);
        await store.HandBackAsync([claims[3]], Token);
        JobClaim unknown = claims[4] with { Job = claims[4].Job with { Id = Guid.CreateVersion7() } };

        IReadOnlyList<LeaseState> states = await store.RenewAsync([claims[4], claims[3], unknown, claims[0], claims[2], claims[1]], Jobs.LongLease, Token);

        Assert.Equal([LeaseState.Held, LeaseState.Lost, LeaseState.Lost, LeaseState.Lost, LeaseState.Held, LeaseState.CancelRequested], states);
        Assert.Empty(await store.RenewAsync([], Jobs.LongLease, Token));
    }

    [Fact]
    public async Task A_job_whose_instance_dies_too_often_is_failed_as_poison()
    {
        await using IJobStore store = await OpenAsync();
        var rules = new MaintenanceRules(TimeSpan.FromDays(1), MaxRedeliveries: 2);
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 50));
        for (int death = 1; death <= 2; death++)
        {
            Assert.Equal(death - 1, (await ClaimOneAsync(store, $"dead {death}", TimeSpan.FromMilliseconds(50))).Redeliveries);
            await TendUntilAsync(store, job.Id, JobState.Queued, rules);
        }
        JobClaim last = await ClaimOneAsync(store, "dead 3", TimeSpan.FromMilliseconds(50));
        int poisoned = 0, redelivered = 0;
        await UntilAsync(async () =>
        {
            MaintenanceReport report = await store.MaintainAsync(rules, Token);
            poisoned += report.Poisoned;
            redelivered += report.Redelivered.Values.Sum();
            return poisoned > 0;
        });

        Assert.Equal((1, 0), (poisoned, redelivered));
        Job ended = await GetAsync(store, job.Id);
        Assert.Equal(JobState.Failed, ended.State);
        Assert.Equal("poison", ended.Error!.Name);
        Assert.NotNull(ended.FinishedAt);
        Assert.Empty(await ClaimAllAsync(store));
        await AssertWritesNothingAsync(store, last);
    }

    [Fact]
    public async Task With_no_redelivery_allowed_a_job_fails_as_poison_at_the_first_death_of_its_instance()
    {
        await using IJobStore store = await OpenAsync();
        (Job job, _) = await OrphanAsync(store);

        Job ended = await TendUntilAsync(store, job.Id, JobState.Failed, new MaintenanceRules(TimeSpan.FromDays(1), MaxRedeliveries: 0));

        Assert.Equal("poison", ended.Error!.Name);
    }

    [Fact]
    public async Task A_job_with_a_requested_cancellation_is_cancelled_when_its_instance_dies()
    {
        await using IJobStore store = await OpenAsync();
        (Job job, _) = await OrphanAsync(store);
        await store.CancelAsync(job.Id, Token);

        Job ended = await TendUntilAsync(store, job.Id, JobState.Cancelled);

        Assert.NotNull(ended.FinishedAt);
        Assert.False(ended.IsCancelRequested);
        Assert.Empty(await ClaimAllAsync(store));
    }

    [Fact]
    public async Task A_job_past_its_deadline_expires_when_its_instance_dies()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(timeout: TimeSpan.FromSeconds(1)));
        JobClaims claims = await store.ClaimAsync("dead", 1, TimeSpan.FromMilliseconds(1500), Token);
        if (claims.Claims.Count == 0) Assert.Skip("The machine was held up for a second.");

        Job ended = await TendUntilAsync(store, job.Id, JobState.Expired);

        Assert.NotNull(ended.FinishedAt);
    }

    [Fact]
    public async Task Orphaned_jobs_are_each_queued_again_once_in_rounds_of_limited_size()
    {
        await using IJobStore store = await OpenAsync();
        for (int i = 0; i < 25; i++) await AcceptAsync(store);
        Assert.Equal(25, (await store.ClaimAsync("dead", 100, TimeSpan.FromMilliseconds(50), Token)).Claims.Count);
        await PassAsync(200);
        var rules = new MaintenanceRules(TimeSpan.FromDays(1), 3, Limit: 10);
        var rounds = new List<MaintenanceReport>();
        do rounds.Add(await store.MaintainAsync(rules, Token));
        while (rounds[^1].MayBeMore);

        Assert.Equal(25, rounds.Sum(static r => r.Redelivered.Values.Sum()));
        Assert.All(rounds, static r => Assert.True(r.Redelivered.Values.Sum() <= 10));
        Assert.Equal(25, (await ClaimSuspectsAsync(store)).Count);
    }

    [Fact]
    public async Task Concurrent_maintenance_queues_each_orphaned_job_once()
    {
        await using IJobStore one = await OpenAsync();
        IJobStore two = await OtherAsync(one);
        try
        {
            for (int i = 0; i < 100; i++) await AcceptAsync(one);
            Assert.Equal(100, (await one.ClaimAsync("dead", 100, TimeSpan.FromMilliseconds(50), Token)).Claims.Count);
            await PassAsync(200);

            var tended = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Task.Run(() => MaintainAsync(i % 2 == 0 ? one : two)))).Patiently();
            int rest = (await MaintainAsync(one)).Redelivered; // the jobs that each round left to the others

            Assert.Equal(100, tended.Sum(static t => t.Redelivered) + rest);
            List<JobClaim> claims = await ClaimSuspectsAsync(one);
            Assert.Equal(100, claims.Count);
            Assert.All(claims, static c => Assert.Equal(1, c.Redeliveries));
        }
        finally
        {
            if (two != one) await two.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_job_that_ran_when_the_last_instance_died_is_queued_again_after_a_restart()
    {
        Guid id;
        bool isShared;
        await using (IJobStore first = await OpenAsync())
        {
            isShared = first.IsShared;
            id = (await AcceptAsync(first)).Id;
            // No other instance uses an unshared store, so its leases end with the process.
            await ClaimOneAsync(first, "dead", isShared ? TimeSpan.FromMilliseconds(100) : Jobs.LongLease);
        }

        await using IJobStore second = await OpenAnotherAsync();
        await TendUntilAsync(second, id, JobState.Queued);

        Assert.Equal(1, (await ClaimOneAsync(second)).Redeliveries);
    }

    [Fact]
    public async Task A_queued_job_past_its_deadline_expires_and_others_do_not()
    {
        await using IJobStore store = await OpenAsync();
        Job late = await AcceptAsync(store, Jobs.New(timeout: TimeSpan.FromMilliseconds(100)));
        Job good = await AcceptAsync(store, Jobs.New(timeout: TimeSpan.FromHours(1)));
        Job free = await AcceptAsync(store, Jobs.New());
        await PassAsync(200);

        Assert.Equal((1, 0, 0, 0), await MaintainAsync(store));

        Job ended = await GetAsync(store, late.Id);
        Assert.Equal((JobState.Expired, "expired", 0), (ended.State, ended.Error?.Name, ended.Attempt));
        Assert.True(ended.FinishedAt >= late.Deadline - TimeSpan.FromMilliseconds(2));
        Assert.True(ended.Version > late.Version);
        Assert.Equal(JobState.Queued, (await GetAsync(store, good.Id)).State);
        Assert.Equal(JobState.Queued, (await GetAsync(store, free.Id)).State);
        Assert.Equal((0, 0, 0, 0), await MaintainAsync(store));
    }

    [Fact]
    public async Task A_running_job_past_its_deadline_is_left_to_its_instance()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(timeout: TimeSpan.FromSeconds(1)));
        JobClaims claims = await store.ClaimAsync("me", 1, Jobs.LongLease, Token);
        if (claims.Claims.Count == 0) Assert.Skip("The machine was held up for a second.");
        await PassAsync(1100);

        Assert.Equal((0, 0, 0, 0), await MaintainAsync(store));

        Assert.Equal(JobState.Running, (await GetAsync(store, job.Id)).State);
        Assert.True(await store.FinishAsync(claims.Claims[0], Jobs.Success(), Token));
    }

    [Fact]
    public async Task Late_jobs_all_expire_even_if_they_exceed_the_limit_of_one_round()
    {
        await using IJobStore store = await OpenAsync();
        for (int i = 0; i < 25; i++) await AcceptAsync(store, Jobs.New(timeout: TimeSpan.FromMilliseconds(1)));
        await PassAsync(50);

        Assert.Equal((25, 0, 0, 0), await MaintainAsync(store, new MaintenanceRules(TimeSpan.FromDays(1), 3, Limit: 10)));
    }
}
