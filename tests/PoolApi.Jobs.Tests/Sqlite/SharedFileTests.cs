using PoolApi.Jobs.Sqlite;
using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Sqlite;

public sealed class SharedFileTests : IDisposable
{
    private static readonly MaintenanceRules Rules = new(TimeSpan.FromDays(1), 3);

    private readonly StorePlace _place = new();

    public void Dispose() => _place.Dispose();

    [Fact]
    public async Task The_second_store_on_a_file_detects_the_first_and_sees_its_jobs()
    {
        await using SqliteJobStore first = await _place.OpenAsync();
        await using SqliteJobStore second = await _place.OpenAsync();
        Assert.False(first.IsShared);
        Assert.True(second.IsShared);

        Job job = (await first.AcceptAsync(Jobs.New(key: "key"), Token)).Job;

        Assert.Equivalent(job, await second.GetAsync(job.Id, Token), strict: true);
        Assert.Equal(AcceptOutcome.Existing, (await second.AcceptAsync(Jobs.New(key: "key"), Token)).Outcome);
        Assert.Equal(1, (await second.CountAsync(Token))[JobState.Queued]);
    }

    [Fact]
    public async Task The_first_store_on_a_file_detects_the_second_once_the_second_has_written()
    {
        await using SqliteJobStore first = await _place.OpenAsync();
        await first.AcceptAsync(Jobs.New(), Token);
        await using (SqliteJobStore second = await _place.OpenAsync())
        {
            await first.AcceptAsync(Jobs.New(), Token);
            Assert.False(first.IsShared);
            await second.AcceptAsync(Jobs.New(), Token);
        }

        await first.MaintainAsync(Rules, Token);

        Assert.True(first.IsShared);
    }

    [Fact]
    public async Task A_watcher_sees_changes_that_another_store_on_the_file_makes_to_its_job()
    {
        await using SqliteJobStore first = await _place.OpenAsync();
        await using SqliteJobStore second = await _place.OpenAsync();
        var watch = new PoolApi.Jobs.Running.JobWatch(first);
        Job job = (await first.AcceptAsync(Jobs.New(), Token)).Job;
        await using IAsyncEnumerator<Job> versions = watch.WatchAsync(job.Id, 0, Token).GetAsyncEnumerator(Token);
        Assert.True(await versions.MoveNextAsync());
        ValueTask<bool> next = versions.MoveNextAsync();

        JobClaim claim = Assert.Single((await second.ClaimAsync("second", 1, Jobs.LongLease, Token)).Claims);
        Assert.True(await next.AsTask().Patiently());
        Assert.Equal(JobState.Running, versions.Current.State);
        await second.FinishAsync(claim, Jobs.Success(), Token);
        Assert.True(await versions.MoveNextAsync().AsTask().Patiently());
        Assert.Equal(JobState.Succeeded, versions.Current.State);
        Assert.False(await versions.MoveNextAsync());
        Assert.Equal(0, watch.Count);
    }

    /// <summary>A watcher joins and reads its job after the list of watched jobs is made. The job changes before the store compares that list.</summary>
    [Fact]
    public async Task A_change_that_precedes_the_last_comparison_is_found_for_a_job_that_was_not_compared()
    {
        await using SqliteJobStore first = await _place.OpenAsync();
        await using SqliteJobStore second = await _place.OpenAsync();
        KnownVersion watched = Known((await first.AcceptAsync(Jobs.New(), Token)).Job);
        KnownVersion joined = Known((await first.AcceptAsync(Jobs.New(), Token)).Job);
        Assert.Empty(await first.FindChangedAsync([watched], Token));
        await second.CancelAsync(joined.Id, Token);

        for (int i = 0; i < 3; i++) Assert.Empty(await first.FindChangedAsync([watched], Token));
        Assert.Equal([1], await first.FindChangedAsync([watched, joined], Token));
        Assert.Equal([0], await first.FindChangedAsync([joined], Token)); // until its version is known
        Assert.Empty(await first.FindChangedAsync([watched, Known((await first.GetAsync(joined.Id, Token))!)], Token));
    }

    /// <summary>The store finds only after the comparison that its file is moved away, and keeps its connection.</summary>
    [Fact]
    public async Task A_change_is_found_again_after_a_comparison_whose_result_was_lost()
    {
        await using SqliteJobStore first = await _place.OpenAsync();
        KnownVersion known = Known((await first.AcceptAsync(Jobs.New(), Token)).Job);
        Assert.Empty(await first.FindChangedAsync([known], Token));
        await first.CancelAsync(known.Id, Token);
        File.Move(_place.File, _place.File + ".away");
        for (int i = 0; i < 3; i++) await Assert.ThrowsAsync<JobStoreUnavailableException>(() => first.FindChangedAsync([known], Token).AsTask());
        File.Move(_place.File + ".away", _place.File);

        Assert.Equal([0], await first.FindChangedAsync([known], Token));
    }

    private static KnownVersion Known(Job job) => new(job.Id, job.Version);

    [Fact]
    public async Task Two_stores_on_one_file_never_claim_the_same_job()
    {
        await using SqliteJobStore first = await _place.OpenAsync();
        await using SqliteJobStore second = await _place.OpenAsync();
        for (int i = 0; i < 200; i++) await first.AcceptAsync(Jobs.New(), Token);

        async Task<List<Guid>> ClaimAllAsync(SqliteJobStore store)
        {
            var ids = new List<Guid>();
            while (true)
            {
                JobClaims claims = await store.ClaimAsync("me", 3, Jobs.LongLease, Token);
                if (claims.Claims.Count == 0) return ids;
                ids.AddRange(claims.Claims.Select(static c => c.Job.Id));
            }
        }

        List<Guid>[] claimed = await Task.WhenAll(ClaimAllAsync(first), ClaimAllAsync(second)).Patiently();

        Assert.Equal(200, claimed.Sum(static c => c.Count));
        Assert.Equal(200, claimed.SelectMany(static c => c).Distinct().Count());
    }

    [Fact]
    public async Task A_running_job_stays_with_its_live_store_when_another_store_opens_the_file()
    {
        await using SqliteJobStore first = await _place.OpenAsync();
        await first.AcceptAsync(Jobs.New(), Token);
        JobClaim claim = Assert.Single((await first.ClaimAsync("first", 1, Jobs.LongLease, Token)).Claims);
        await using SqliteJobStore second = await _place.OpenAsync();

        Assert.Empty((await second.MaintainAsync(Rules, Token)).Redelivered);

        Assert.True(await first.FinishAsync(claim, Jobs.Success(), Token));
    }

    [Fact]
    public async Task A_job_that_ran_when_the_last_store_closed_is_redelivered_at_once_despite_its_lease()
    {
        Job job;
        await using (SqliteJobStore first = await _place.OpenAsync())
        {
            job = (await first.AcceptAsync(Jobs.New(), Token)).Job;
            Assert.Single((await first.ClaimAsync("first", 1, Jobs.LongLease, Token)).Claims);
        }
        await using SqliteJobStore second = await _place.OpenAsync();

        Assert.Equal(1, (await second.MaintainAsync(Rules, Token)).Redelivered[job.Kind]);

        JobClaim claim = Assert.Single((await second.ClaimAsync("second", 1, Jobs.LongLease, Token)).Claims);
        Assert.Equal((job.Id, 1, 2), (claim.Job.Id, claim.Redeliveries, claim.Job.Attempt));
    }

    [Fact]
    public async Task Stores_that_make_the_same_file_at_once_all_open_it()
    {
        SqliteJobStore[] stores = [.. Enumerable.Range(0, 8).Select(_ => _place.Store())];
        try
        {
            await Task.WhenAll(stores.Select(static s => s.OpenAsync(Token))).Patiently();
            await Task.WhenAll(stores.Select(static async s => await s.AcceptAsync(Jobs.New(), Token))).Patiently();
            Assert.Equal(8, (await stores[3].CountAsync(Token))[JobState.Queued]);
        }
        finally
        {
            foreach (SqliteJobStore store in stores) await store.DisposeAsync();
        }
    }
}
