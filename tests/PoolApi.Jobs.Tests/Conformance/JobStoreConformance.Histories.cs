using System.Collections.Concurrent;
using PoolApi.Jobs.Stores;
using PoolApi.Threading;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    /// <summary>Makes the same random calls, one after another, to the store and to the reference. The answers and the jobs must be the same.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_random_history_gives_the_same_answers_and_jobs_as_the_reference_store(int seed)
    {
        await using IJobStore store = await OpenAsync();
        await using var reference = new InMemoryJobStore();
        var random = new Random(seed);
        var ids = new List<Guid>();
        var claims = new List<(JobClaim Here, JobClaim There)>(); // also old claims: both stores must reject them
        for (int step = 0; step < 400; step++)
        {
            Guid id = ids.Count == 0 || random.Next(20) == 0 ? Guid.CreateVersion7() : ids[random.Next(ids.Count)];
            (JobClaim Here, JobClaim There)? claim = claims.Count == 0 ? null : claims[random.Next(Math.Max(0, claims.Count - 12), claims.Count)];
            switch (random.Next(10))
            {
                case 0 or 1 or 2:
                    NewJob job = Jobs.New(
                        maxAttempts: random.Next(1, 4), client: random.Next(2) == 0 ? "a" : null, key: random.Next(3) == 0 ? $"{random.Next(6)}" : null,
                        fingerprint: $"{random.Next(2)}", runAt: random.Next(5) == 0 ? Jobs.Now + TimeSpan.FromHours(1) : null);
                    bool andClaim = random.Next(3) == 0;
                    JobAcceptance here = await AcceptAsync(store), there = await AcceptAsync(reference);
                    Assert.Equal((there.Outcome, there.Job.Id), (here.Outcome, here.Job.Id));
                    Assert.Equal(there.Claim is null, here.Claim is null);
                    if (here.Claim is { } both) claims.Add((both, there.Claim!));

                    ValueTask<JobAcceptance> AcceptAsync(IJobStore to) =>
                        andClaim ? to.AcceptAndClaimAsync(job, "me", Jobs.LongLease, Token) : to.AcceptAsync(job, Token);
                    if (here.Outcome == AcceptOutcome.Created) ids.Add(job.Id);
                    break;
                case 3:
                    await PassAsync(3); // so that the accepted jobs are due by both clocks
                    List<JobClaim> mine = [.. (await ClaimAllAsync(store)).OrderBy(static c => c.Job.Id)];
                    List<JobClaim> its = [.. (await ClaimAllAsync(reference)).OrderBy(static c => c.Job.Id)];
                    Assert.Equal(its.Select(static c => (c.Job.Id, c.Job.Attempt, c.Redeliveries)), mine.Select(static c => (c.Job.Id, c.Job.Attempt, c.Redeliveries)));
                    claims.AddRange(mine.Zip(its));
                    break;
                case 4 or 5 when claim is { } c:
                    JobState state = JobStates.All[random.Next(6)];
                    if (state == JobState.Running) state = JobState.Succeeded;
                    var ending = new JobEnd(
                        state, state == JobState.Succeeded ? Jobs.Success($"{step}").Result : null, state == JobState.Succeeded ? null : new JobError("n", "d"),
                        random.Next(2) == 0 ? TimeSpan.Zero : TimeSpan.FromHours(1));
                    Assert.Equal(await reference.FinishAsync(c.There, ending, Token), await store.FinishAsync(c.Here, ending, Token));
                    break;
                case 6 when claim is { } c:
                    await reference.HandBackAsync([c.There], Token);
                    await store.HandBackAsync([c.Here], Token);
                    break;
                case 7 when claim is { } c:
                    Assert.Equal(await reference.RenewAsync([c.There], Jobs.LongLease, Token), await store.RenewAsync([c.Here], Jobs.LongLease, Token));
                    await reference.ReportProgressAsync(c.There, step / 400.0, Token);
                    await store.ReportProgressAsync(c.Here, step / 400.0, Token);
                    break;
                case 8:
                    AssertAlike(await reference.CancelAsync(id, Token), await store.CancelAsync(id, Token));
                    break;
                case 9:
                    AssertAlike(await reference.RetryAsync(id, Token), await store.RetryAsync(id, Token));
                    break;
            }
        }
        foreach (Guid id in ids)
        {
            JobWithResult there = (await reference.GetResultAsync(id, Token))!, here = (await store.GetResultAsync(id, Token))!;
            AssertAlike(there.Job, here.Job);
            Assert.Equal(there.Result?.Body.ToArray(), here.Result?.Body.ToArray());
        }
    }

    /// <summary>
    /// Many callers make random calls at once. Afterwards every accepted job has ended once, and once more for each retry. No two
    /// callers ever hold the same job at the same time.
    /// </summary>
    [Fact]
    public async Task Under_random_concurrent_operations_every_job_ends_once_and_once_more_per_retry()
    {
        await using IJobStore one = await OpenAsync();
        IJobStore two = await OtherAsync(one);
        try
        {
            var storm = new Storm();
            await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() => storm.RageAsync(i % 2 == 0 ? one : two, i, 250)))).WaitAsync(MachineLoad.Stretch(Long), Token);
            await storm.CalmAsync(one);
            Assert.Equal(storm.Accepted.Count, (await PagesAsync(two, new JobQuery { Limit = 1000 })).Count);
            foreach ((Guid id, Storm.History history) in storm.Accepted)
            {
                Job job = await GetAsync(two, id);
                Assert.True(job.State.IsFinal(), $"{job}");
                // A hand-back ends a job whose cancellation was requested, and its caller does not learn that.
                Assert.InRange(history.Ends, 1 + history.Retries - history.HandedBack, 1 + history.Retries);
            }
        }
        finally
        {
            if (two != one) await two.DisposeAsync();
        }
    }

    private static void AssertAlike(JobTransition? expected, JobTransition? actual)
    {
        Assert.Equal(expected?.Before, actual?.Before);
        if (expected is not null) AssertAlike(expected.After, actual!.After);
    }

    private static void AssertAlike(Job expected, Job actual)
    {
        // Times are of two clocks, and versions need only grow.
        Assert.Equal(
            (expected.Id, expected.State, expected.Attempt, expected.IsCancelRequested, expected.FinishedAt is null),
            (actual.Id, actual.State, actual.Attempt, actual.IsCancelRequested, actual.FinishedAt is null));
        if (expected.State == JobState.Running) Assert.Equal(expected.Progress, actual.Progress);
        if (expected.State is JobState.Succeeded or JobState.Failed or JobState.Expired) Assert.Equal(expected.Error, actual.Error);
    }

    private sealed class Storm
    {
        private readonly ConcurrentDictionary<Guid, int> _inHand = new();

        public ConcurrentDictionary<Guid, History> Accepted { get; } = new();

        public async Task RageAsync(IJobStore store, int seed, int steps)
        {
            var random = new Random(seed);
            var held = new List<JobClaim>();
            var known = new List<Guid>();
            for (int step = 0; step < steps; step++)
            {
                switch (random.Next(9))
                {
                    case 0 or 1 or 2:
                        NewJob job = Jobs.New(
                            priority: (WorkPriority)random.Next(-1, 2), maxAttempts: 3, tags: ["storm"], key: random.Next(2) == 0 ? $"{random.Next(200)}" : null);
                        // Recorded before the call: others may claim the job and end it before the call returns.
                        Accepted[job.Id] = new History();
                        JobAcceptance accepted = random.Next(2) == 0
                            ? await store.AcceptAsync(job, Token) : await store.AcceptAndClaimAsync(job, $"{seed}", Jobs.LongLease, Token);
                        if (accepted.Claim is { } own)
                        {
                            Assert.True(_inHand.TryAdd(job.Id, seed), "Two callers hold the same job.");
                            held.Add(own);
                        }
                        if (accepted.Outcome != AcceptOutcome.Created) Accepted.TryRemove(job.Id, out _);
                        known.Add(accepted.Job.Id);
                        break;
                    case 3 or 4:
                        foreach (JobClaim claim in (await store.ClaimAsync($"{seed}", random.Next(1, 5), Jobs.LongLease, Token)).Claims)
                        {
                            Assert.True(_inHand.TryAdd(claim.Job.Id, seed), "Two callers hold the same job.");
                            held.Add(claim);
                        }
                        break;
                    case 5 or 6 when held.Count > 0:
                        await EndAsync(store, Take(held, random), random.Next(6) == 0 ? JobState.Queued : JobStates.All[random.Next(2, 6)]);
                        break;
                    case 7 when held.Count > 0:
                        JobClaim back = Take(held, random);
                        Interlocked.Increment(ref Accepted[back.Job.Id].HandedBack);
                        await store.HandBackAsync([back], Token);
                        break;
                    case 8 when known.Count > 0:
                        Guid id = known[random.Next(known.Count)];
                        if (random.Next(2) == 0)
                        {
                            if (await store.CancelAsync(id, Token) is { Before: JobState.Queued }) Interlocked.Increment(ref Accepted[id].Ends);
                        }
                        else if (await store.RetryAsync(id, Token) is { Before: JobState.Failed or JobState.Cancelled or JobState.Expired })
                        {
                            Interlocked.Increment(ref Accepted[id].Retries);
                        }
                        Assert.All(await store.RenewAsync(held, Jobs.LongLease, Token), static s => Assert.NotEqual(LeaseState.Lost, s));
                        break;
                }
            }
            foreach (JobClaim claim in held.ToList())
            {
                held.Remove(claim);
                await EndAsync(store, claim, JobState.Succeeded);
            }
        }

        /// <summary>Finishes the remaining jobs.</summary>
        public async Task CalmAsync(IJobStore store)
        {
            foreach (JobClaim claim in await ClaimAllAsync(store)) await EndAsync(store, claim, JobState.Succeeded);
        }

        private JobClaim Take(List<JobClaim> held, Random random)
        {
            JobClaim claim = held[random.Next(held.Count)];
            held.Remove(claim);
            _inHand.TryRemove(claim.Job.Id, out _); // before the store releases it: another caller may claim it at once
            return claim;
        }

        private async Task EndAsync(IJobStore store, JobClaim claim, JobState state)
        {
            _inHand.TryRemove(claim.Job.Id, out _);
            Assert.True(await store.FinishAsync(claim, new JobEnd(state), Token));
            if (state != JobState.Queued) Interlocked.Increment(ref Accepted[claim.Job.Id].Ends);
            else Interlocked.Increment(ref Accepted[claim.Job.Id].HandedBack); // or cancelled, if that was requested
        }

        public sealed class History
        {
            public int Ends;
            public int Retries;
            public int HandedBack;
        }
    }
}
