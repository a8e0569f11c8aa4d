using System.Collections.Concurrent;
using PoolApi.Jobs.Stores;
using PoolApi.Threading;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task A_claimed_job_runs_under_its_owner_and_its_attempt_is_counted()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(tags: ["t"], client: "c", maxAttempts: 3));
        DateTimeOffset before = Jobs.Now;

        JobClaims claims = await store.ClaimAsync("instance 1", 5, Jobs.LongLease, Token);

        JobClaim claim = Assert.Single(claims.Claims);
        Assert.Equal(0, claim.Redeliveries);
        foreach (Job running in new[] { claim.Job, await GetAsync(store, job.Id) })
        {
            Assert.Equal(JobState.Running, running.State);
            Assert.Equal(1, running.Attempt);
            Assert.Equal("instance 1", running.Worker);
            AssertBetween(before, Jobs.Now, running.StartedAt);
            Assert.True(running.Version > job.Version);
            Assert.Equal((job.Id, "c", 3), (running.Id, running.Client, running.MaxAttempts));
            Assert.Equal(["t"], running.Tags);
            Assert.Null(running.FinishedAt);
            Assert.Null(running.Progress);
        }
    }

    [Fact]
    public async Task Jobs_are_claimed_by_priority_and_within_a_priority_by_due_time()
    {
        await using IJobStore store = await OpenAsync();
        DateTimeOffset start = Jobs.Now;
        // The order of acceptance differs from the order of the due times.
        foreach (WorkPriority priority in new[] { WorkPriority.Low, WorkPriority.High, WorkPriority.Normal })
        {
            foreach (int due in new[] { 40, 20, 30, 10 })
            {
                await AcceptAsync(store, Jobs.New($"{priority}/{due}", priority, start + TimeSpan.FromMilliseconds(due)));
            }
        }
        await PassAsync(200); // all are due

        List<JobClaim> one = await ClaimAllAsync(store, max: 1);

        Assert.Equal(
            ["High/10", "High/20", "High/30", "High/40", "Normal/10", "Normal/20", "Normal/30", "Normal/40", "Low/10", "Low/20", "Low/30", "Low/40"],
            one.Select(static c => c.Job.Kind));
    }

    [Fact]
    public async Task A_claim_takes_only_the_requested_kinds_and_ignores_due_jobs_of_other_kinds()
    {
        await using IJobStore store = await OpenAsync();
        KindFilter io = KindFilter.Only(["io", "io it's \"quoted\""]), others = KindFilter.AllBut(io.Kinds), none = KindFilter.Only(["none"]);
        string[] kinds = ["io", "cpu", "io it's \"quoted\"", "IO", "unknown"];
        foreach (string kind in kinds) await AcceptAsync(store, Jobs.New(kind, body: "b"));

        JobClaims empty = await ClaimAsync(none, 9);
        Assert.Equal((0, null, false), (empty.Claims.Count, empty.NextDue, empty.IsOutOfBytes));
        JobClaims limited = await store.ClaimAsync("me", 9, 1, Jobs.LongLease, none, Token);
        Assert.Equal((0, null, false), (limited.Claims.Count, limited.NextDue, limited.IsOutOfBytes));
        Assert.Equal(["io"], (await ClaimAsync(io, 1)).Claims.Select(static c => c.Job.Kind));
        Assert.Equal(["cpu", "IO", "unknown"], (await ClaimAsync(others, 9)).Claims.Select(static c => c.Job.Kind));
        Assert.Null((await ClaimAsync(others, 9)).NextDue);
        Assert.Equal(["io it's \"quoted\""], (await ClaimAsync(KindFilter.All, 9)).Claims.Select(static c => c.Job.Kind));

        ValueTask<JobClaims> ClaimAsync(KindFilter kinds, int max) => store.ClaimAsync("me", max, long.MaxValue, Jobs.LongLease, kinds, Token);
    }

    [Fact]
    public async Task A_suspect_is_claimed_only_with_its_kind_and_does_not_block_other_kinds()
    {
        await using IJobStore store = await OpenAsync();
        (Job suspect, _) = await OrphanAsync(store, Jobs.New("io", maxAttempts: 9));
        await TendUntilAsync(store, suspect.Id, JobState.Queued);
        Job other = await AcceptAsync(store, Jobs.New("cpu"));

        JobClaims ofOthers = await store.ClaimAsync("me", 9, long.MaxValue, Jobs.LongLease, KindFilter.AllBut(["io"]), Token);
        Assert.Equal([other.Id], ofOthers.Claims.Select(static c => c.Job.Id));
        JobClaims ofIo = await store.ClaimAsync("me", 9, long.MaxValue, Jobs.LongLease, KindFilter.Only(["io"]), Token);
        Assert.Equal([suspect.Id], ofIo.Claims.Select(static c => c.Job.Id));
    }

    [Fact]
    public async Task The_claims_of_one_call_are_ordered_by_priority_and_due_time()
    {
        await using IJobStore store = await OpenAsync();
        DateTimeOffset start = Jobs.Now;
        foreach (int i in new[] { 2, 0, 1 })
        {
            await AcceptAsync(store, Jobs.New($"normal/{i}", WorkPriority.Normal, start + TimeSpan.FromMilliseconds(i * 10)));
            await AcceptAsync(store, Jobs.New($"high/{i}", WorkPriority.High, start + TimeSpan.FromMilliseconds(i * 10)));
        }
        await PassAsync(200);

        JobClaims first = await store.ClaimAsync("me", 4, Jobs.LongLease, Token);
        JobClaims second = await store.ClaimAsync("me", 4, Jobs.LongLease, Token);

        Assert.Equal(["high/0", "high/1", "high/2", "normal/0"], first.Claims.Select(static c => c.Job.Kind));
        Assert.Equal(["normal/1", "normal/2"], second.Claims.Select(static c => c.Job.Kind));
    }

    [Fact]
    public async Task No_job_is_claimed_before_it_is_due_and_the_claim_reports_the_next_due_time()
    {
        await using IJobStore store = await OpenAsync();
        await AcceptAsync(store, Jobs.New("late", runAt: Jobs.Now + TimeSpan.FromHours(2)));
        await AcceptAsync(store, Jobs.New("soon", WorkPriority.Low, Jobs.Now + TimeSpan.FromHours(1)));

        JobClaims none = await store.ClaimAsync("me", 10, Jobs.LongLease, Token);

        Assert.Empty(none.Claims);
        Assert.InRange(none.NextDue!.Value, TimeSpan.FromMinutes(55), TimeSpan.FromMinutes(60.1));

        await AcceptAsync(store, Jobs.New("now"));
        JobClaims one = await store.ClaimAsync("me", 10, Jobs.LongLease, Token);
        Assert.Equal("now", Assert.Single(one.Claims).Job.Kind);
        Assert.Null(one.NextDue); // the next claim reports it
        Assert.InRange((await store.ClaimAsync("me", 10, Jobs.LongLease, Token)).NextDue!.Value, TimeSpan.FromMinutes(55), TimeSpan.FromMinutes(60.1));
    }

    [Fact]
    public async Task A_scheduled_job_is_claimed_when_it_is_due()
    {
        await using IJobStore store = await OpenAsync();
        DateTimeOffset runAt = Jobs.Now + TimeSpan.FromMilliseconds(300);
        Job job = await AcceptAsync(store, Jobs.New(runAt: runAt));

        JobClaim claim = await ClaimOneAsync(store);

        Assert.Equal(job.Id, claim.Job.Id);
        Assert.True(claim.Job.StartedAt >= runAt - TimeSpan.FromMilliseconds(2), $"{claim.Job.StartedAt:O} is before {runAt:O}");
    }

    [Fact]
    public async Task A_claim_on_an_empty_queue_reports_no_next_due_time()
    {
        await using IJobStore store = await OpenAsync();
        Assert.Null((await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).NextDue);

        await AcceptAsync(store);
        await AcceptAsync(store);
        JobClaims claims = await store.ClaimAsync("me", 3, Jobs.LongLease, Token);
        Assert.Equal(2, claims.Claims.Count);
        Assert.Null((await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).NextDue);

        await store.FinishAsync(claims.Claims[0], Jobs.Success(), Token);
        Assert.Null((await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).NextDue);
    }

    [Fact]
    public async Task A_job_past_its_deadline_is_neither_claimed_nor_reported_as_next_due()
    {
        await using IJobStore store = await OpenAsync();
        Job late = await AcceptAsync(store, Jobs.New(timeout: TimeSpan.FromMilliseconds(50)));
        Job good = await AcceptAsync(store, Jobs.New(timeout: TimeSpan.FromHours(1)));
        await PassAsync(150);

        JobClaims claims = await store.ClaimAsync("me", 10, Jobs.LongLease, Token);

        Assert.Equal(good.Id, Assert.Single(claims.Claims).Job.Id);
        JobClaims none = await store.ClaimAsync("me", 10, Jobs.LongLease, Token);
        Assert.Empty(none.Claims);
        Assert.Null(none.NextDue);
        Assert.NotEqual(JobState.Running, (await GetAsync(store, late.Id)).State);
    }

    [Fact]
    public async Task Concurrent_claims_never_return_the_same_job_and_together_return_all()
    {
        const int Count = 3000;
        await using IJobStore one = await OpenAsync();
        IJobStore two = await OtherAsync(one);
        try
        {
            await Task.WhenAll(Enumerable.Range(0, Count).Select(async i => await one.AcceptAsync(
                Jobs.New(priority: (WorkPriority)((i % 3) - 1)), Token))).Patiently();
            var claimed = new ConcurrentBag<JobClaim>();

            async Task ClaimAsync(int claimer)
            {
                IJobStore store = claimer % 2 == 0 ? one : two;
                var random = new Random(claimer);
                // A claim skips jobs that other claims hold locked, so it may return nothing while jobs are due.
                while (claimed.Count < Count)
                {
                    int max = random.Next(1, 20);
                    JobClaims claims = await store.ClaimAsync($"owner {claimer}", max, Jobs.LongLease, Token);
                    Assert.True(claims.Claims.Count <= max);
                    foreach (JobClaim claim in claims.Claims)
                    {
                        Assert.Equal($"owner {claimer}", claim.Job.Worker);
                        claimed.Add(claim);
                    }
                }
            }
            await Task.WhenAll(Enumerable.Range(0, 12).Select(i => Task.Run(() => ClaimAsync(i)))).Patiently();

            Assert.Equal(Count, claimed.Count);
            Assert.Equal(Count, claimed.Select(static c => c.Job.Id).Distinct().Count());
            Assert.Empty((await one.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);
        }
        finally
        {
            if (two != one) await two.DisposeAsync();
        }
    }

    [Fact]
    public async Task Each_claim_of_a_job_has_a_greater_number_and_counts_an_attempt()
    {
        await using IJobStore store = await OpenAsync();
        await AcceptAsync(store, Jobs.New(maxAttempts: 5));
        long last = long.MinValue;
        for (int attempt = 1; attempt <= 5; attempt++)
        {
            JobClaim claim = await ClaimOneAsync(store);
            Assert.Equal(attempt, claim.Job.Attempt);
            Assert.True(claim.Number > last);
            last = claim.Number;
            Assert.True(await store.FinishAsync(claim, new JobEnd(JobState.Queued), Token));
        }
    }
}
