using PoolApi.Jobs.PostgreSql;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>The clock of a real server is set by hours while jobs wait, pause and run.</summary>
[Trait("Category", "Slow")]
public sealed class ServerClockTests
{
    private static readonly MaintenanceRules Rules = new(TimeSpan.FromDays(1), MaxRedeliveries: 3);

    [Fact]
    public async Task A_clock_jump_does_not_delay_due_jobs_or_pauses_and_only_dead_instances_lose_leases()
    {
        await using PostgresCluster cluster = await PostgresCluster.StartWithOwnClockAsync();
        await using var store = new PostgreSqlJobStore(cluster.ConnectionString, PostgresTests.NewSchema(), PostgresTests.Patient);
        await store.OpenAsync(Token);

        // After a jump forward, no instance counts as dead for the length of the longest lease. After a jump back, each lease keeps its own length.
        await SetAsync(TimeSpan.FromHours(1), leaseOfTheDead: TimeSpan.FromSeconds(3), leaseOfTheLiving: MachineLoad.Stretch(TimeSpan.FromSeconds(3)));
        await SetAsync(TimeSpan.FromHours(-1), leaseOfTheDead: TimeSpan.FromSeconds(1), leaseOfTheLiving: TimeSpan.FromSeconds(30));

        async Task SetAsync(TimeSpan offset, TimeSpan leaseOfTheDead, TimeSpan leaseOfTheLiving)
        {
            await ClaimNewAsync("dead", leaseOfTheDead);
            JobClaim living = await ClaimNewAsync("living", leaseOfTheLiving);
            JobClaim failed = await ClaimNewAsync("failed", Jobs.LongLease);
            JobClaim handedBack = await ClaimNewAsync("handed back", Jobs.LongLease);
            Assert.True(await store.FinishAsync(failed, new JobEnd(JobState.Queued, Error: new JobError("work-failed", "It failed."), RetryAfter: TimeSpan.FromSeconds(1)), Token));
            await store.HandBackAsync([handedBack], Token);
            await store.AcceptAsync(Jobs.New("waiting"), Token);
            Assert.Equal([LeaseState.Held], await store.RenewAsync([living], leaseOfTheLiving, Token));
            await store.MaintainAsync(Rules, Token);

            await cluster.SetClockAsync(offset);

            var shown = (DateTime)(await cluster.ExecuteAsync("select now()"))!;
            Assert.InRange(shown - DateTime.UtcNow - offset, TimeSpan.FromMinutes(-5), TimeSpan.FromMinutes(5));
            await store.AcceptAsync(Jobs.New("new"), Token);
            List<string> run = await RunAsync();
            Assert.All((string[])["handed back", "waiting", "new"], kind => Assert.Contains(kind, run));

            // This wait is limited to minutes, and the clock was set by an hour or more.
            await UntilAsync(
                async () =>
                {
                    Assert.Equal([LeaseState.Held], await store.RenewAsync([living], leaseOfTheLiving, Token));
                    Assert.DoesNotContain("living", (await store.MaintainAsync(Rules, Token)).Redelivered.Keys);
                    run.AddRange(await RunAsync());
                    return run.Count >= 5;
                },
                $"{offset}: the end of a pause and of a lease");
            Assert.Equal(["dead", "failed", "handed back", "new", "waiting"], run.Order());
            Assert.True(await store.FinishAsync(living, Jobs.Success(), Token));
            Assert.Equal(0, (await store.CountAsync(Token))[JobState.Queued]);
        }

        async Task<JobClaim> ClaimNewAsync(string kind, TimeSpan lease)
        {
            await store.AcceptAsync(Jobs.New(kind, maxAttempts: 3), Token);
            JobClaim claim = Assert.Single((await store.ClaimAsync(kind, 1, lease, Token)).Claims);
            Assert.Equal(kind, claim.Job.Kind);
            return claim;
        }

        async Task<List<string>> RunAsync()
        {
            List<string> kinds = [];
            foreach (JobClaim claim in (await store.ClaimAsync("me", 10, Jobs.LongLease, Token)).Claims)
            {
                Assert.True(await store.FinishAsync(claim, Jobs.Success(), Token));
                kinds.Add(claim.Job.Kind);
            }
            return kinds;
        }
    }
}
