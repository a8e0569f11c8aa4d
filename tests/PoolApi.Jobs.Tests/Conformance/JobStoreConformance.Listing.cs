using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task An_empty_store_lists_counts_and_tends_nothing()
    {
        await using IJobStore store = await OpenAsync();
        JobPage page = await store.ListAsync(new JobQuery(), Token);
        Assert.Empty(page.Jobs);
        Assert.False(page.HasMore);
        Assert.Equal(0, (await store.CountAsync(Token)).Values.Sum());
        Assert.Equal((0, 0, 0, 0), await MaintainAsync(store));
    }

    [Fact]
    public async Task Jobs_are_listed_by_every_combination_of_kind_tag_client_and_state()
    {
        await using IJobStore store = await OpenAsync();
        IReadOnlyList<Job> all = await ManyAsync(store);
        string?[] kinds = [null, "a", "b/c", "unknown"], tags = [null, "x", "y", "X", "x_", "%", "it's", "ü"], clients = [null, "me", "you", "nobody"];
        foreach (string? kind in kinds)
        {
            foreach (string? tag in tags)
            {
                foreach (string? client in clients)
                {
                    foreach (JobState? state in (JobState?[])[null, .. JobStates.All.Cast<JobState?>()])
                    {
                        var query = new JobQuery { Kind = kind, Tag = tag, Client = client, State = state, Limit = 1000 };
                        JobPage page = await store.ListAsync(query, Token);
                        Assert.False(page.HasMore);
                        Assert.Equal(Expected(all, query).Select(static j => j.Id), page.Jobs.Select(static j => j.Id));
                    }
                }
            }
        }
    }

    [Fact]
    public async Task A_listed_job_has_all_its_fields()
    {
        await using IJobStore store = await OpenAsync();
        await ManyAsync(store);
        foreach (Job job in (await store.ListAsync(new JobQuery { Limit = 1000 }, Token)).Jobs)
        {
            Assert.Equivalent(await GetAsync(store, job.Id), job, strict: true);
        }
    }

    [Fact]
    public async Task Pages_of_any_size_add_up_to_the_whole_list()
    {
        await using IJobStore store = await OpenAsync();
        IReadOnlyList<Job> all = await ManyAsync(store);
        foreach (JobQuery query in new[]
        {
            new JobQuery(), new JobQuery { State = JobState.Queued }, new JobQuery { Kind = "a" }, new JobQuery { Tag = "x" }, new JobQuery { Client = "me" },
            new JobQuery { Tag = "x", State = JobState.Succeeded, Kind = "a" },
        })
        {
            Guid[] expected = [.. Expected(all, query).Select(static j => j.Id)];
            foreach (int limit in new[] { 1, 7, expected.Length, expected.Length + 1, 1000 })
            {
                Assert.Equal(expected, (await PagesAsync(store, query with { Limit = limit })).Select(static j => j.Id));
            }
        }
    }

    [Fact]
    public async Task Newer_jobs_are_listed_first()
    {
        await using IJobStore store = await OpenAsync();
        var ids = new List<Guid>();
        DateTimeOffset time = Jobs.Now - TimeSpan.FromHours(1);
        for (int i = 0; i < 10; i++) ids.Add((await AcceptAsync(store, Jobs.New() with { Id = Guid.CreateVersion7(time.AddMilliseconds(i)) })).Id);
        ids.Reverse();

        Assert.Equal(ids, (await store.ListAsync(new JobQuery(), Token)).Jobs.Select(static j => j.Id));
    }

    [Fact]
    public async Task Paging_neither_skips_nor_repeats_a_job_while_others_are_accepted_and_end()
    {
        await using IJobStore store = await OpenAsync();
        var before = new HashSet<Guid>();
        for (int i = 0; i < 60; i++) before.Add((await AcceptAsync(store, Jobs.New(tags: ["x"]))).Id);
        DateTimeOffset later = Jobs.Now + TimeSpan.FromMinutes(1); // of the ids of the jobs that are accepted between the pages
        var seen = new List<Guid>();
        JobPage page;
        Guid? after = null;
        do
        {
            page = await store.ListAsync(new JobQuery { Tag = "x", Limit = 7, After = after }, Token);
            seen.AddRange(page.Jobs.Select(static j => j.Id));
            after = page.Jobs[^1].Id;
            // Between the pages, jobs are accepted, finished and cancelled, also the last job of the page.
            await AcceptAsync(store, Jobs.New(tags: ["x"]) with { Id = Guid.CreateVersion7(later) });
            await store.CancelAsync(after.Value, Token);
            foreach (JobClaim claim in (await store.ClaimAsync("me", 3, Jobs.LongLease, Token)).Claims) await store.FinishAsync(claim, Jobs.Success(), Token);
        }
        while (page.HasMore);

        Assert.Equal(seen.Count, seen.Distinct().Count());
        Assert.Equal(before, [.. seen.Where(before.Contains)]);
    }

    [Fact]
    public async Task A_list_continues_after_the_id_of_a_job_that_does_not_exist()
    {
        await using IJobStore store = await OpenAsync();
        var ids = new List<Guid>();
        DateTimeOffset time = Jobs.Now - TimeSpan.FromHours(1);
        for (int i = 0; i < 5; i++) ids.Add((await AcceptAsync(store, Jobs.New() with { Id = Guid.CreateVersion7(time.AddMilliseconds(10 * i)) })).Id);
        ids.Reverse();

        JobPage page = await store.ListAsync(new JobQuery { After = Guid.CreateVersion7(time.AddMilliseconds(25)) }, Token);

        Assert.Equal(ids[2..], page.Jobs.Select(static j => j.Id));
        Assert.Empty((await store.ListAsync(new JobQuery { After = Guid.Empty }, Token)).Jobs);
        Assert.Equal(ids, (await store.ListAsync(new JobQuery { After = Guid.AllBitsSet }, Token)).Jobs.Select(static j => j.Id));
    }

    [Fact]
    public async Task Jobs_are_counted_by_state()
    {
        await using IJobStore store = await OpenAsync();
        IReadOnlyList<Job> all = await ManyAsync(store);

        async Task AssertCountsAsync(Func<JobState, int> expected) => await UntilAsync(async () =>
        {
            IReadOnlyDictionary<JobState, long> counts = await store.CountAsync(Token);
            return JobStates.All.All(s => counts.GetValueOrDefault(s) == expected(s));
        }, "The right count");

        await AssertCountsAsync(state => all.Count(j => j.State == state));
        int claimed = (await ClaimAllAsync(store)).Count;
        Assert.True(claimed > 0);
        await AssertCountsAsync(state => all.Count(j => j.State == state) + (state == JobState.Queued ? -claimed : state == JobState.Running ? claimed : 0));
    }

    [Fact]
    public async Task The_version_grows_with_every_visible_change_and_with_nothing_else()
    {
        await using IJobStore store = await OpenAsync();
        Job job = await AcceptAsync(store, Jobs.New(maxAttempts: 9));
        long version = job.Version;

        async Task GrowsAsync()
        {
            long now = (await GetAsync(store, job.Id)).Version;
            Assert.True(now > version, $"{now} after {version}");
            version = now;
        }

        JobClaim claim = await ClaimOneAsync(store);
        await GrowsAsync();
        await store.ReportProgressAsync(claim, 0.5, Token);
        await GrowsAsync();
        await store.RenewAsync([claim], Jobs.LongLease, Token);
        await MaintainAsync(store);
        await store.AcceptAsync(Jobs.New(runAt: Jobs.Now + TimeSpan.FromHours(1)), Token);
        Assert.Equal(version, (await GetAsync(store, job.Id)).Version);
        await store.HandBackAsync([claim], Token);
        await GrowsAsync();
        claim = await ClaimOneAsync(store);
        await GrowsAsync();
        await store.FinishAsync(claim, new JobEnd(JobState.Queued), Token);
        await GrowsAsync();
        await ClaimOneAsync(store, "dead", TimeSpan.FromMilliseconds(50));
        await GrowsAsync();
        await TendUntilAsync(store, job.Id, JobState.Queued);
        await GrowsAsync();
        claim = await ClaimOneAsync(store);
        await GrowsAsync();
        await store.CancelAsync(job.Id, Token);
        await GrowsAsync();
        await store.FinishAsync(claim, new JobEnd(JobState.Cancelled), Token);
        await GrowsAsync();
        await store.RetryAsync(job.Id, Token);
        await GrowsAsync();
        await store.CancelAsync(job.Id, Token);
        await GrowsAsync();
    }

    private static IEnumerable<Job> Expected(IEnumerable<Job> all, JobQuery query) => all
        .Where(j => query.Client is null || j.Client == query.Client)
        .Where(j => query.State is null || j.State == query.State)
        .Where(j => query.Kind is null || j.Kind == query.Kind)
        .Where(j => query.Tag is null || j.Tags.Contains(query.Tag))
        .OrderByDescending(static j => j.Id);

    private static async Task<List<Job>> PagesAsync(IJobStore store, JobQuery query)
    {
        var all = new List<Job>();
        JobPage page;
        do
        {
            page = await store.ListAsync(query, Token);
            Assert.True(page.Jobs.Count == query.Limit || !page.HasMore);
            all.AddRange(page.Jobs);
            if (page.Jobs.Count > 0) query = query with { After = page.Jobs[^1].Id };
        }
        while (page.HasMore);
        return all;
    }

    /// <summary>Eighty jobs of two kinds, of two clients or none, with various tags and in all states.</summary>
    private static async Task<IReadOnlyList<Job>> ManyAsync(IJobStore store)
    {
        string[][] tags = [[], ["x"], ["y", "x"], ["X"], ["xx", "x_"], ["%", "y"], ["it's"], ["ü", "x"]];
        string?[] clients = ["me", "you", null];
        var ids = new List<Guid>();
        for (int i = 0; i < 80; i++)
        {
            Job job = await AcceptAsync(store, Jobs.New(i % 5 < 2 ? "a" : "b/c", client: clients[i % 3], tags: tags[i % 8]));
            ids.Add(job.Id);
            if (i % 7 == 0) continue;
            JobClaim claim = await ClaimOneAsync(store);
            JobState state = JobStates.All[(i / 3) % 6];
            if (state == JobState.Queued) await store.FinishAsync(claim, new JobEnd(JobState.Queued, RetryAfter: TimeSpan.FromHours(1)), Token);
            else if (state != JobState.Running) await store.FinishAsync(claim, new JobEnd(state), Token);
        }
        var all = new List<Job>();
        foreach (Guid id in ids) all.Add(await GetAsync(store, id));
        return all;
    }
}
