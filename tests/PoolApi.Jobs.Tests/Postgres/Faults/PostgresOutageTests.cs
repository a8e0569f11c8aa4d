using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;
using PoolApi.Jobs.Stores;
using PoolApi.Jobs.PostgreSql;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres.Faults;

/// <summary>Tests the store during an outage of the database and after it. The class has its own PostgreSQL, since the tests kill it.</summary>
[Trait("Category", "Slow")]
public sealed class PostgresOutageTests : IAsyncLifetime
{
    /// <summary>An answer takes about five seconds at most; the rest is for a machine that is busy.</summary>
    private static TimeSpan SoonEnough => MachineLoad.Stretch(TimeSpan.FromMinutes(1));

    private readonly PostgresCluster _cluster = new();

    public ValueTask InitializeAsync() => _cluster.InitializeAsync();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task A_server_that_is_killed_is_unavailable_until_it_is_back_and_nothing_is_lost()
    {
        PostgresCluster.Require();
        RecordingListener listener = new();
        await using var store = new PostgreSqlJobStore(_cluster.ConnectionString, "poolapi", PostgresTests.Patient) { Listener = listener };
        await store.OpenAsync(Token);
        Job finished = (await store.AcceptAsync(Jobs.New(), Token)).Job;
        JobClaim done = Assert.Single((await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);
        Assert.True(await store.FinishAsync(done, Jobs.Success(), Token));
        Job running = (await store.AcceptAsync(Jobs.New(), Token)).Job;
        JobClaim claim = Assert.Single((await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);

        var accepted = new ConcurrentBag<Guid>();
        using var over = new CancellationTokenSource();
        Task[] clients = [.. Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            while (!over.IsCancellationRequested)
            {
                try
                {
                    accepted.Add((await store.AcceptAsync(Jobs.New(runAt: Jobs.Now + TimeSpan.FromHours(1)), Token)).Job.Id);
                }
                catch (JobStoreUnavailableException)
                {
                    await Task.Delay(20, Token); // the client's pause before it tries again
                }
            }
        }))];
        await UntilAsync(() => accepted.Count > 100);

        await _cluster.KillAsync();
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.GetAsync(finished.Id, Token));
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.FinishAsync(claim, Jobs.Success(), Token));
        int before = accepted.Count;
        await _cluster.StartAsync();

        await UntilAsync(() => accepted.Count > before + 100, "That jobs are accepted again");
        await over.CancelAsync();
        await Task.WhenAll(clients).Patiently();
        await UntilAsync(() => listener.Missed > 0, "A notification that changes may have been missed");

        // The end of the attempt that ran meanwhile is written, and counts once.
        Assert.True(await store.FinishAsync(claim, Jobs.Success(), Token));
        Assert.True(await store.FinishAsync(claim, Jobs.Success(), Token));
        Assert.Equal(JobState.Succeeded, (await store.GetAsync(running.Id, Token))!.State);
        Assert.Equal(JobState.Succeeded, (await store.GetAsync(finished.Id, Token))!.State);
        foreach (Guid id in accepted) Assert.NotNull(await store.GetAsync(id, Token));
    }

    [Fact]
    public async Task A_claim_that_a_crash_has_undone_can_still_be_renewed_and_finished()
    {
        PostgresCluster.Require();
        await using var store = new PostgreSqlJobStore(_cluster.ConnectionString, "poolapi", PostgresTests.Patient);
        await store.OpenAsync(Token);
        await store.AcceptAsync(Jobs.New(), Token);
        JobClaim first = Assert.Single((await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);
        await store.HandBackAsync([first], Token);
        // Simulates a claim that a crash of the database has undone.
        JobClaim forgotten = first with { Number = first.Number + 1_000_000 };

        Assert.Equal([LeaseState.Held], await store.RenewAsync([forgotten], Jobs.LongLease, Token));
        Assert.Empty((await store.ClaimAsync("other", 1, Jobs.LongLease, Token)).Claims);
        Assert.Equal([LeaseState.Lost], await store.RenewAsync([first], Jobs.LongLease, Token));
        Assert.True(await store.FinishAsync(forgotten, Jobs.Success(), Token));
        Assert.Equal(1, (await store.GetAsync(first.Job.Id, Token))!.Attempt);
    }

    [Fact]
    public async Task A_network_that_drops_everything_fails_calls_soon_and_the_store_recovers_afterwards()
    {
        PostgresCluster.Require();
        RecordingListener listener = new();
        await using var proxy = new CutOff(_cluster.Port);
        await using var store = new PostgreSqlJobStore($"{_cluster.ConnectionString};Port={proxy.Port}", "poolapi", PostgresTests.Stretched) { Listener = listener };
        await store.OpenAsync(Token);
        Job job = (await store.AcceptAsync(Jobs.New(), Token)).Job;

        proxy.Cut();
        // First on connections that were open, then on new ones.
        for (int i = 0; i < 2; i++)
        {
            long since = Stopwatch.GetTimestamp();
            await Task.WhenAll(
                Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.AcceptAsync(Jobs.New(), Token)),
                Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.ClaimAsync("me", 1, Jobs.LongLease, Token)),
                Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.GetAsync(job.Id, Token)));
            Assert.InRange(Stopwatch.GetElapsedTime(since), TimeSpan.Zero, SoonEnough);
        }
        proxy.Mend();

        await UntilAsync(async () =>
        {
            try
            {
                return (await store.ClaimAsync("me", 10, Jobs.LongLease, Token)).Claims.Any(c => c.Job.Id == job.Id);
            }
            catch (JobStoreUnavailableException)
            {
                return false;
            }
        });
        await UntilAsync(() => listener.Missed > 0, "A notification that changes may have been missed");
    }

    [Fact]
    public async Task A_job_taken_by_an_abandoned_claim_that_arrives_late_is_claimed_again()
    {
        PostgresCluster.Require();
        await using var proxy = new CutOff(_cluster.Port);
        await using var store = new PostgreSqlJobStore($"{_cluster.ConnectionString};Port={proxy.Port}", "poolapi", PostgresTests.Stretched);
        await store.OpenAsync(Token);
        Assert.Empty((await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);

        JobClaims none;
        using (proxy.CutWhatIsOpen())
        {
            await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.ClaimAsync("me", 1, Jobs.LongLease, Token));
            // This claim uses another connection. The abandoned call has not arrived yet.
            none = await store.ClaimAsync("me", 1, Jobs.LongLease, Token);
            Assert.Empty(none.Claims);
            await store.AcceptAsync(Jobs.New(), Token);
        }
        await using var watcher = new PostgreSqlJobStore(_cluster.ConnectionString, "poolapi", PostgresTests.Patient);
        await watcher.OpenAsync(Token);
        await UntilAsync(
            async () => (await watcher.ListAsync(new JobQuery { State = JobState.Running }, Token)).Jobs.Count == 1, "That the late claim takes the job");

        Assert.InRange(none.NextDue!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        JobClaim claim = await UntilClaimedAsync(store);
        Assert.Equal(1, claim.Job.Attempt);
        Assert.True(await store.FinishAsync(claim, Jobs.Success(), Token));
    }

    [Fact]
    public async Task A_job_reclaimed_by_renewal_after_a_crash_is_not_mistaken_for_an_abandoned_claim()
    {
        PostgresCluster.Require();
        await using var proxy = new CutOff(_cluster.Port);
        await using var store = new PostgreSqlJobStore($"{_cluster.ConnectionString};Port={proxy.Port}", "poolapi", PostgresTests.Stretched);
        await store.OpenAsync(Token);
        Assert.Empty((await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);
        using (proxy.CutWhatIsOpen())
        {
            await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.ClaimAsync("me", 1, Jobs.LongLease, Token));
            await store.AcceptAsync(Jobs.New(), Token);
        }
        await using var connection = new NpgsqlConnection(_cluster.ConnectionString + ";Pooling=false");
        await connection.OpenAsync(Token);
        await UntilAsync(async () => await QueryAsync("select count(*) from poolapi.jobs where state = 1") is 1L, "That the late claim takes the job");
        long lost = (long)(await QueryAsync("select claim_call from poolapi.jobs"))!;
        JobClaim claim = await UntilClaimedAsync(store);
        // Simulates a crash that has undone this claim.
        await QueryAsync($"update poolapi.jobs set state = 0, attempt = 0, lease_until = null, claim = claim - 1, claim_call = {lost}");

        Assert.Equal([LeaseState.Held], await store.RenewAsync([claim], Jobs.LongLease, Token));
        Job next = (await store.AcceptAsync(Jobs.New(), Token)).Job;
        JobClaim other = await UntilClaimedAsync(store); // the first claim after a second undoes the claims of the lost call
        await Task.Delay(LostClaims.Pause, Token);
        Assert.Empty((await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);

        Assert.Equal(next.Id, other.Job.Id);
        Assert.Equal(JobState.Running, (await store.GetAsync(claim.Job.Id, Token))!.State);
        Assert.True(await store.FinishAsync(claim, Jobs.Success(), Token));

        async Task<object?> QueryAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            return await command.ExecuteScalarAsync(Token);
        }
    }

    [Fact]
    public async Task A_job_accepted_and_claimed_by_an_abandoned_call_is_claimed_again()
    {
        PostgresCluster.Require();
        await using var proxy = new CutOff(_cluster.Port);
        await using var store = new PostgreSqlJobStore($"{_cluster.ConnectionString};Port={proxy.Port}", "poolapi", PostgresTests.Stretched);
        await store.OpenAsync(Token);
        // Now one connection is open and idle, and the statement is prepared on it.
        Assert.NotNull((await store.AcceptAndClaimAsync(Jobs.New(), "me", Jobs.LongLease, Token)).Claim);
        NewJob job = Jobs.New();

        using (proxy.CutWhatIsOpen())
            await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.AcceptAndClaimAsync(job, "me", Jobs.LongLease, Token));

        // The call arrives now, and no instance runs its job. The job is accepted, so one must run it although the client got no answer.
        JobClaim claim = await UntilClaimedAsync(store);
        Assert.Equal((job.Id, 1), (claim.Job.Id, claim.Job.Attempt));
        Assert.True(await store.FinishAsync(claim, Jobs.Success(), Token));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // the other instance starts after the crash
    public async Task No_instance_claims_a_running_job_whose_claim_was_undone_by_a_crash(bool startsLater)
    {
        PostgresCluster.Require();
        await using var runs = new PostgreSqlJobStore(_cluster.ConnectionString, "poolapi", PostgresTests.Patient);
        await runs.OpenAsync(Token);
        await using var other = new PostgreSqlJobStore(_cluster.ConnectionString, "poolapi", PostgresTests.Patient);
        if (!startsLater) await other.OpenAsync(Token);
        Job job = (await runs.AcceptAsync(Jobs.New(), Token)).Job;
        JobClaim claim = Assert.Single((await runs.ClaimAsync("runs", 1, Jobs.LongLease, Token)).Claims);
        // Simulates a claim that a crash of the database has undone.
        await runs.HandBackAsync([claim], Token);
        claim = claim with { Number = claim.Number + 1_000_000 };
        await _cluster.KillAsync();
        await _cluster.StartAsync();
        if (startsLater) await other.OpenAsync(Token);

        List<string> claimers = [];
        async Task ClaimAsync(PostgreSqlJobStore store, string owner)
        {
            try
            {
                claimers.AddRange((await store.ClaimAsync(owner, 1, Jobs.LongLease, Token)).Claims.Select(_ => owner));
            }
            catch (JobStoreUnavailableException)
            {
                // The store's connections are broken, and it has not noticed that yet.
            }
        }

        // The instance that runs the job renews its lease only after a second.
        long since = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(since) < TimeSpan.FromSeconds(1))
        {
            await ClaimAsync(other, "other");
            if (Stopwatch.GetElapsedTime(since) < TimeSpan.FromSeconds(1)) await ClaimAsync(runs, "runs"); // the first claim may take long
        }
        Assert.Equal(JobState.Queued, (await other.GetAsync(job.Id, Token))!.State);
        Assert.Equal([LeaseState.Held], await runs.RenewAsync([claim], Jobs.LongLease, Token));
        // After the delay the instances claim again.
        Job next = (await runs.AcceptAsync(Jobs.New(), Token)).Job;
        await UntilAsync(
            async () =>
            {
                await ClaimAsync(other, "other");
                return claimers.Count > 0;
            },
            "That jobs are claimed again");
        Assert.Equal(["other"], claimers);
        Assert.Equal(JobState.Running, (await other.GetAsync(next.Id, Token))!.State);
        Assert.True(await runs.FinishAsync(claim, Jobs.Success(), Token));
    }

    /// <summary>Claims as an instance does, and repeats a call that fails.</summary>
    private static async Task<JobClaim> UntilClaimedAsync(PostgreSqlJobStore store)
    {
        JobClaim? claim = null;
        await UntilAsync(
            async () =>
            {
                Exception? failure = await Record.ExceptionAsync(
                    async () => claim = (await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims.SingleOrDefault());
                Assert.True(failure is null or JobStoreUnavailableException, $"{failure}");
                return claim is not null;
            },
            "That the job is run");
        return claim!;
    }
}
