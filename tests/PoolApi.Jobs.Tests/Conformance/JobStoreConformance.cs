using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

/// <summary>Tests the contract of every store (<see cref="IJobStore"/>). The test class of each store derives from this class.</summary>
/// <remarks>
/// The store's clock runs as the real one does. So leases and deadlines are short if they must run out, and long otherwise. A delay on a busy
/// machine fails no test.
/// </remarks>
public abstract partial class JobStoreConformance
{
    /// <summary>Opens a store. The first of a test is empty; the test disposes of it.</summary>
    /// <param name="listener">Receives the notifications.</param>
    private protected abstract Task<IJobStore> OpenAsync(IJobStoreListener? listener = null);

    /// <summary>
    /// Opens another store on the data of <see cref="OpenAsync"/>. If the store is shared, the first may still be open, and this is
    /// another instance. Otherwise the first has been closed. The test disposes of it.
    /// </summary>
    /// <param name="listener">Receives the notifications.</param>
    private protected abstract Task<IJobStore> OpenAnotherAsync(IJobStoreListener? listener = null);

    /// <summary>The clock of all stores of a test; <see langword="null"/>: the store uses the clock of its server.</summary>
    private protected virtual PassingClock? Clock => null;

    /// <summary>The time by the store's clock.</summary>
    private DateTimeOffset Now => (Clock ?? TimeProvider.System).GetUtcNow();

    /// <summary>Lets time pass, so that leases and deadlines have run out, or later events have a later time. Waits only for the clock of a server.</summary>
    /// <remarks>A longer wait on a busy machine fails no test.</remarks>
    private async Task PassAsync(int milliseconds)
    {
        if (Clock is { } clock) clock.Pass(TimeSpan.FromMilliseconds(milliseconds));
        else await Task.Delay(milliseconds, Token);
    }

    private static readonly MaintenanceRules KeepAll = new(TimeSpan.FromDays(1), 1_000_000);

    /// <summary>A second instance if the store is shared; otherwise the first, so that the same test covers it.</summary>
    private async Task<IJobStore> OtherAsync(IJobStore first, IJobStoreListener? listener = null) =>
        first.IsShared ? await OpenAnotherAsync(listener) : first;

    private static async Task<Job> AcceptAsync(IJobStore store, NewJob? job = null)
    {
        JobAcceptance acceptance = await store.AcceptAsync(job ?? Jobs.New(), Token);
        Assert.Equal(AcceptOutcome.Created, acceptance.Outcome);
        return acceptance.Job;
    }

    private static Task<JobClaim> ClaimOneAsync(IJobStore store, string owner = "me") => ClaimOneAsync(store, owner, Jobs.LongLease);

    /// <summary>Claims the only job as soon as it is due.</summary>
    private static async Task<JobClaim> ClaimOneAsync(IJobStore store, string owner, TimeSpan lease)
    {
        JobClaim? claim = null;
        await UntilAsync(async () => (claim = (await store.ClaimAsync(owner, 1, lease, Token)).Claims.SingleOrDefault()) is not null, "A due job");
        return claim!;
    }

    /// <summary>Claims all jobs that are due now, one or many at a time.</summary>
    private static async Task<List<JobClaim>> ClaimAllAsync(IJobStore store, int max = 100, string owner = "me")
    {
        var all = new List<JobClaim>();
        while (true)
        {
            JobClaims claims = await store.ClaimAsync(owner, max, Jobs.LongLease, Token);
            Assert.True(claims.Claims.Count <= max);
            all.AddRange(claims.Claims);
            if (claims.Claims.Count == 0) return all;
        }
    }

    /// <summary>Claims all suspects: each for its own instance, since an instance has only one suspect at a time.</summary>
    private static async Task<List<JobClaim>> ClaimSuspectsAsync(IJobStore store)
    {
        var all = new List<JobClaim>();
        while ((await store.ClaimAsync($"instance {all.Count}", 100, Jobs.LongLease, Token)).Claims is [var one]) all.Add(one);
        return all;
    }

    private static async Task<Job> GetAsync(IJobStore store, Guid id)
    {
        Job? job = await store.GetAsync(id, Token);
        Assert.NotNull(job);
        return job;
    }

    /// <summary>Runs rounds of maintenance until a round reports that none is left to do.</summary>
    private static async Task<(int Expired, int Redelivered, int Poisoned, int Swept)> MaintainAsync(IJobStore store, MaintenanceRules? rules = null)
    {
        (int expired, int redelivered, int poisoned, int swept) = (0, 0, 0, 0);
        for (int round = 0; ; round++)
        {
            Assert.True(round < 10_000, "Maintenance never stops reporting that there may be more.");
            MaintenanceReport report = await store.MaintainAsync(rules ?? KeepAll, Token);
            expired += report.Expired;
            redelivered += report.Redelivered.Values.Sum();
            poisoned += report.Poisoned;
            swept += report.Swept;
            if (!report.MayBeMore) return (expired, redelivered, poisoned, swept);
        }
    }

    /// <summary>Maintains the store until a job is in a state.</summary>
    private static async Task<Job> TendUntilAsync(IJobStore store, Guid id, JobState state, MaintenanceRules? rules = null)
    {
        Job? job = null;
        await UntilAsync(
            async () =>
            {
                await MaintainAsync(store, rules);
                job = await store.GetAsync(id, Token);
                return job?.State == state;
            },
            $"That the job is {state}");
        return job!;
    }

    /// <summary>A claimed job whose lease has run out or soon runs out.</summary>
    private static async Task<(Job Job, JobClaim Claim)> OrphanAsync(IJobStore store, NewJob? job = null, string owner = "dead")
    {
        Job accepted = await AcceptAsync(store, job);
        return (accepted, await ClaimOneAsync(store, owner, TimeSpan.FromMilliseconds(100)));
    }

    private static void AssertSameTime(DateTimeOffset expected, DateTimeOffset? actual) =>
        Assert.InRange((actual!.Value - expected).Duration(), TimeSpan.Zero, TimeSpan.FromMilliseconds(2));

    /// <summary>Asserts that a time of the store is between two of this process, to a second: both clocks are of the same machine.</summary>
    private static void AssertBetween(DateTimeOffset from, DateTimeOffset to, DateTimeOffset? actual) =>
        Assert.InRange(actual!.Value, from - TimeSpan.FromSeconds(1), to + TimeSpan.FromSeconds(1));
}
