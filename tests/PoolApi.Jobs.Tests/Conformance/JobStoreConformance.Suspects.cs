using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    private static readonly TimeSpan ShortLease = TimeSpan.FromMilliseconds(30);

    [Theory]
    [InlineData(1, 2)]
    [InlineData(1, 4)]
    [InlineData(2, 4)]
    public async Task A_crash_loop_fails_the_jobs_that_kill_their_instance_and_no_others(int killers, int workers)
    {
        await using IJobStore store = await OpenAsync();
        var rules = new MaintenanceRules(TimeSpan.FromDays(1), MaxRedeliveries: 2);
        var guilty = new HashSet<Guid>();
        var innocent = new List<Guid>();
        for (int i = 0; i < 30; i++)
        {
            Guid id = (await AcceptAsync(store, Jobs.New(i % 10 == 3 && guilty.Count < killers ? "killer" : "innocent"))).Id;
            if (i % 10 == 3 && guilty.Count < killers) guilty.Add(id);
            else innocent.Add(id);
        }

        int deaths = await CrashLoopAsync(store, rules, guilty, workers);

        foreach (Guid id in guilty) Assert.Equal("poison", (await GetAsync(store, id)).Error?.Name);
        foreach (Guid id in innocent) Assert.Equal(JobState.Succeeded, (await GetAsync(store, id)).State);
        // Each killer causes one death among other jobs, one beside new jobs, and then deaths alone until it fails as poison.
        Assert.InRange(deaths, killers * (rules.MaxRedeliveries + 1), killers * (rules.MaxRedeliveries + 3));
    }

    [Fact]
    public async Task Jobs_that_share_a_dead_instance_are_not_poison_even_with_no_redelivery_allowed()
    {
        await using IJobStore store = await OpenAsync();
        for (int i = 0; i < 6; i++) await AcceptAsync(store);
        for (int i = 0; i < 2; i++) Assert.Equal(3, (await store.ClaimAsync($"dead {i}", 3, ShortLease, Token)).Claims.Count);
        await PassAsync(60);

        Assert.Equal((0, 6, 0, 0), await MaintainAsync(store, new MaintenanceRules(TimeSpan.FromDays(1), MaxRedeliveries: 0)));

        Assert.Equal(6, (await ClaimSuspectsAsync(store)).Count);
    }

    [Fact]
    public async Task An_instance_has_one_suspect_at_a_time_beside_other_jobs()
    {
        await using IJobStore store = await OpenAsync();
        HashSet<Guid> suspects = await DieAsync(store, 3);
        for (int i = 0; i < 3; i++) await AcceptAsync(store, Jobs.New("new"));

        IReadOnlyList<JobClaim> here = (await store.ClaimAsync("here", 4, Jobs.LongLease, Token)).Claims;
        IReadOnlyList<JobClaim> there = (await store.ClaimAsync("there", 4, Jobs.LongLease, Token)).Claims;

        Assert.Equal(4, here.Count);
        Assert.Single(here, c => suspects.Contains(c.Job.Id));
        Assert.Single(there, c => suspects.Contains(c.Job.Id));
        Assert.Empty((await store.ClaimAsync("here", 4, Jobs.LongLease, Token)).Claims);
        await store.FinishAsync(here.Single(c => suspects.Contains(c.Job.Id)), Jobs.Success(), Token);
        Assert.Contains(Assert.Single((await store.ClaimAsync("here", 4, Jobs.LongLease, Token)).Claims).Job.Id, suspects);
    }

    [Fact]
    public async Task A_job_whose_instance_died_twice_is_claimed_alone()
    {
        await using IJobStore store = await OpenAsync();
        HashSet<Guid> others = await DieAsync(store, 2);
        others.Add((await AcceptAsync(store, Jobs.New("new"))).Id);
        JobClaims second = await store.ClaimAsync("second", 2, ShortLease, Token);
        Assert.Equal(2, second.Claims.Count);
        Guid twice = second.Claims.Single(static c => c.Redeliveries == 1).Job.Id;
        await PassAsync(60);
        await MaintainAsync(store);
        others.Remove(twice);
        foreach (Guid other in others) await store.CancelAsync(other, Token);
        for (int i = 0; i < 5; i++) await AcceptAsync(store, Jobs.New("newer"));

        JobClaim alone = Assert.Single((await store.ClaimAsync("third", 8, Jobs.LongLease, Token)).Claims);

        Assert.Equal((twice, 2), (alone.Job.Id, alone.Redeliveries));
        JobClaims none = await store.ClaimAsync("third", 8, Jobs.LongLease, Token);
        Assert.True(none is { Claims: [], IsPaused: true, NextDue: not null });
        Assert.Null((await store.AcceptAndClaimAsync(Jobs.New("newest"), "third", Jobs.LongLease, Token)).Claim);
        Assert.True(await store.FinishAsync(alone, Jobs.Success(), Token));
        Assert.Equal(6, (await store.ClaimAsync("third", 8, Jobs.LongLease, Token)).Claims.Count);
    }

    [Fact]
    public async Task No_job_overtakes_a_suspect_whose_body_does_not_fit()
    {
        await using IJobStore store = await OpenAsync();
        Guid suspect = Assert.Single(await DieAsync(store, 1, bytes: 300));
        for (int i = 0; i < 2; i++) await AcceptAsync(store);

        JobClaims none = await store.ClaimAsync("me", 4, 100, Jobs.LongLease, Token);

        Assert.Equal((0, true), (none.Claims.Count, none.IsOutOfBytes));
        JobClaims all = await store.ClaimAsync("me", 4, 300, Jobs.LongLease, Token);
        Assert.Equal(3, all.Claims.Count);
        Assert.Contains(all.Claims, c => c.Job.Id == suspect);
    }

    [Fact]
    public async Task A_suspect_that_must_run_alone_keeps_its_turn_while_its_body_does_not_fit()
    {
        await using IJobStore store = await OpenAsync();
        Guid suspect = Assert.Single(await DieTwiceAsync(store, 1, bytes: 300));
        for (int i = 0; i < 2; i++) await AcceptAsync(store);

        JobClaims none = await store.ClaimAsync("third", 4, 100, Jobs.LongLease, Token);

        Assert.Equal((0, true), (none.Claims.Count, none.IsOutOfBytes));
        Assert.Equal(suspect, Assert.Single((await store.ClaimAsync("third", 1, Jobs.LongLease, Token)).Claims).Job.Id);
    }

    [Fact]
    public async Task A_claim_reports_out_of_bytes_when_only_a_suspect_that_does_not_fit_is_left()
    {
        await using IJobStore store = await OpenAsync();
        HashSet<Guid> suspects = await DieTwiceAsync(store, 2, bytes: 300);
        JobClaim first = Assert.Single((await store.ClaimAsync("third", 4, Jobs.LongLease, Token)).Claims);
        await PassAsync(1000); // other jobs have the next turn for the same time
        Assert.True(await store.FinishAsync(first, Jobs.Success(), Token));

        JobClaims none = await store.ClaimAsync("third", 4, 100, Jobs.LongLease, Token);

        Assert.Equal((0, true), (none.Claims.Count, none.IsOutOfBytes));
        JobClaim second = Assert.Single((await store.ClaimAsync("third", 4, Jobs.LongLease, Token)).Claims);
        Assert.True(suspects.SetEquals([first.Job.Id, second.Job.Id]));
    }

    [Fact]
    public async Task A_lease_lost_by_a_live_instance_does_not_count_as_a_death()
    {
        await using IJobStore store = await OpenAsync();
        var rules = new MaintenanceRules(TimeSpan.FromDays(1), MaxRedeliveries: 1);
        Guid id = (await AcceptAsync(store)).Id;
        for (int loss = 0; loss < 4; loss++)
        {
            JobClaim lost = await ClaimOneAsync(store, $"away {loss}", ShortLease);
            await TendUntilAsync(store, id, JobState.Queued, rules);
            Assert.Equal([LeaseState.Lost], await store.RenewAsync([lost], Jobs.LongLease, Token));
            Assert.Equal([LeaseState.Lost], await store.RenewAsync([lost], Jobs.LongLease, Token)); // a repeated renewal counts once
        }
        for (int i = 0; i < 3; i++) await AcceptAsync(store);

        Assert.Equal(4, (await store.ClaimAsync("me", 4, Jobs.LongLease, Token)).Claims.Count);
    }

    /// <summary>Creates jobs that ran together when their instance died.</summary>
    private async Task<HashSet<Guid>> DieAsync(IJobStore store, int count, int bytes = 0)
    {
        for (int i = 0; i < count; i++) await AcceptAsync(store, WithBody("diagnostics/noop", bytes));
        IReadOnlyList<JobClaim> claims = (await store.ClaimAsync("dead", count, ShortLease, Token)).Claims;
        Assert.Equal(count, claims.Count);
        await PassAsync(60);
        Assert.Equal((0, count, 0, 0), await MaintainAsync(store));
        return [.. claims.Select(static c => c.Job.Id)];
    }

    /// <summary>Creates jobs that were running at two deaths. At the second death each was the only job of its instance.</summary>
    private async Task<HashSet<Guid>> DieTwiceAsync(IJobStore store, int count, int bytes)
    {
        HashSet<Guid> suspects = await DieAsync(store, count, bytes);
        for (int i = 0; i < count; i++) Assert.Single((await store.ClaimAsync($"second {i}", 1, ShortLease, Token)).Claims);
        await PassAsync(60);
        Assert.Equal((0, count, 0, 0), await MaintainAsync(store));
        return suspects;
    }

    /// <summary>Runs instances one after another. Each finishes its jobs, but with a killer among them it dies with all of them.</summary>
    private async Task<int> CrashLoopAsync(IJobStore store, MaintenanceRules rules, HashSet<Guid> killers, int workers)
    {
        int deaths = 0;
        for (int instance = 0; instance < 200; instance++)
        {
            List<JobClaim> running = [];
            while (true)
            {
                running.AddRange((await store.ClaimAsync($"instance {instance}", workers - running.Count, ShortLease, Token)).Claims);
                if (running.Any(c => killers.Contains(c.Job.Id))) break;
                if (running.Count == 0) return deaths;
                await store.FinishAsync(running[0], Jobs.Success(), Token);
                running.RemoveAt(0);
            }
            deaths++;
            await PassAsync(60);
            await MaintainAsync(store, rules);
        }
        throw new TimeoutException("The crash loop does not end.");
    }
}
