using System.Net;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using PoolApi.Jobs;
using PoolApi.Jobs.Stores;

namespace PoolApi.Dashboard.Tests;

/// <summary>The list filters jobs, the streams report changes, and one job or all matching jobs can be changed.</summary>
public sealed class JobTests
{
    private static CancellationToken Token => DashboardApp.Token;

    [Fact]
    public async Task Filters_are_combined_and_a_job_is_found_by_the_start_of_its_id()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true);
        Job first = await app.QueueAsync("a", "k1");
        Job second = await app.QueueAsync("b", "k2");
        await app.Jobs.CancelAsync(second.Id, Token);

        Assert.Equal([second.Id, first.Id], await ListAsync(app, ""));
        Assert.Equal([first.Id], await ListAsync(app, "?tag=a"));
        Assert.Equal([second.Id], await ListAsync(app, "?state=cancelled&kind=k2"));
        Assert.Empty(await ListAsync(app, "?state=queued&tag=b"));
        Assert.Equal([first.Id], await ListAsync(app, $"?id={first.Id:D}"));
        Assert.Empty(await ListAsync(app, $"?id={first.Id:D}&state=failed"));
        string common = new([.. first.Id.ToString("D").Zip(second.Id.ToString("D")).TakeWhile(static p => p.First == p.Second).Select(static p => p.First)]);
        Assert.Equal([second.Id, first.Id], await ListAsync(app, $"?id={common}"));
        Assert.Equal([first.Id], await ListAsync(app, $"?id={first.Id.ToString("D")[..(common.Length + 1)].ToUpperInvariant()}"));
        Assert.Empty(await ListAsync(app, "?id=ffff"));
        foreach (string wrong in (string[])["?state=gone", "?id=xyz", "?id=01-23", "?cursor=x"])
        {
            using HttpResponseMessage answer = await app.Client.GetAsync("jobs/list" + wrong, Token);
            Assert.Equal((wrong, HttpStatusCode.BadRequest), (wrong, answer.StatusCode));
        }
    }

    [Fact]
    public async Task Pages_follow_each_other_without_a_gap()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true);
        for (int i = 0; i < 120; i++) await app.QueueAsync();
        var seen = new List<Guid>();
        string? cursor = null;
        do
        {
            JsonElement page = await app.ReadAsync("jobs/list?tag=t" + (cursor is null ? "" : $"&cursor={cursor}"));
            seen.AddRange(page.GetProperty("jobs").EnumerateArray().Select(static j => j.GetProperty("id").GetGuid()));
            cursor = page.GetProperty("next").GetString();
        }
        while (cursor is not null);
        Assert.Equal(120, seen.Distinct().Count());
        Assert.Equal(seen.OrderDescending(), seen);
    }

    [Fact]
    public async Task Cancel_and_retry_of_a_job_are_logged_and_conflicts_get_409()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true);
        Job job = await app.QueueAsync();
        foreach ((string action, int status, string said) in ((string, int, string)[])
            [("retry", 409, "queued"), ("cancel", 200, "cancelled"), ("cancel", 409, "cancelled already"), ("retry", 200, "queued again")])
        {
            using HttpResponseMessage answer = await app.PostAsync("jobs/change", $$"""{"action":"{{action}}","job":"{{job.Id:D}}"}""");
            Assert.Equal((action, status), (action, (int)answer.StatusCode));
            Assert.Contains(said, await answer.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        }
        using HttpResponseMessage none = await app.PostAsync("jobs/change", $$"""{"action":"cancel","job":"{{Guid.NewGuid():D}}"}""");
        Assert.Equal(404, (int)none.StatusCode);

        await using EventReader events = await EventReader.OpenAsync(app.Client, "jobs/stream");
        JsonElement[] log = [.. (await events.NextAsync("jobs")).Data.GetProperty("actions").EnumerateArray()];
        Assert.Equal(["queued again", "conflict: it is cancelled", "cancelled", "conflict: it is queued"], log.Select(static a => a.GetProperty("outcome").GetString()!));
    }

    [Fact]
    public async Task A_bulk_change_covers_all_counted_jobs_and_leaves_later_ones_unchanged()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true);
        var mine = new List<Guid>();
        for (int i = 0; i < 10; i++) mine.Add((await app.QueueAsync("mine")).Id);
        Job others = await app.QueueAsync("others");
        JsonElement counted = await app.ReadAsync("jobs/matching?action=cancel&tag=mine");
        Assert.Equal(10, counted.GetProperty("count").GetInt32());
        Job late = await app.QueueAsync("mine");

        foreach ((string action, JobState state) in ((string, JobState)[])[("cancel", JobState.Cancelled), ("retry", JobState.Queued)])
        {
            using HttpResponseMessage answer = await app.PostAsync(
                "jobs/change", $$$"""{"action":"{{{action}}}","filter":{"tag":"mine"},"through":"{{{counted.GetProperty("through").GetString()}}}"}""");
            JsonElement done = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Token)).RootElement;
            Assert.Equal((action, 10), (action, done.GetProperty("changed").GetInt32()));
            // A retried job is due at once and may have started.
            foreach (Guid id in mine) Assert.Equal(state == JobState.Cancelled, (await app.Jobs.GetAsync(id, Token))!.State == JobState.Cancelled);
            foreach (Guid id in (Guid[])[others.Id, late.Id]) Assert.Equal(JobState.Queued, (await app.Jobs.GetAsync(id, Token))!.State);
        }
    }

    [Fact]
    public async Task A_bulk_change_that_the_store_interrupts_is_logged_with_the_number_of_changed_jobs()
    {
        var calls = new StrongBox<int>();
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true, store: store => FailingStore.Of(store, calls));
        var mine = new List<Guid>();
        for (int i = 0; i < 10; i++) mine.Add((await app.QueueAsync("mine")).Id);
        using HttpResponseMessage answer = await app.PostAsync("jobs/change", $$$"""{"action":"cancel","filter":{"tag":"mine"},"through":"{{{mine[^1]:D}}}"}""");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        JsonElement problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Token)).RootElement;
        const string Outcome = "5 of 10 cancelled, then the store could not be used";
        Assert.Equal(Outcome + ".", problem.GetProperty("detail").GetString());
        Job[] after = [.. (await Task.WhenAll(mine.Select(id => app.Jobs.GetAsync(id, Token).AsTask()))).OfType<Job>()];
        Assert.Equal(5, after.Count(static job => job.State == JobState.Cancelled));
        await using EventReader events = await EventReader.OpenAsync(app.Client, "jobs/stream");
        JsonElement logged = Assert.Single((await events.NextAsync("jobs")).Data.GetProperty("actions").EnumerateArray());
        Assert.Equal(("Cancel jobs with tag mine", Outcome), (logged.GetProperty("what").GetString(), logged.GetProperty("outcome").GetString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("""{"action":"delete","job":"x"}""")]
    [InlineData("""{"action":"cancel"}""")]
    [InlineData("""{"action":"cancel","job":"x"}""")]
    [InlineData("""{"action":"cancel","filter":{}}""")]
    [InlineData("""{"action":"cancel","filter":{"state":"gone"},"through":"0190c5a0-0000-7000-8000-000000000000"}""")]
    [InlineData("""{"action":"cancel","filter":{"tag":42},"through":"f190c5a0-0000-7000-8000-000000000000"}""")]
    [InlineData("""{"action":"cancel","filter":{"tag":null},"through":"f190c5a0-0000-7000-8000-000000000000"}""")]
    [InlineData("""{"action":"cancel","filter":{"tag":"\ud800"},"through":"f190c5a0-0000-7000-8000-000000000000"}""")]
    [InlineData("""{"action":"cancel","filter":{"tags":"nightly"},"through":"f190c5a0-0000-7000-8000-000000000000"}""")]
    [InlineData("""{"action":"cancel","filter":{"\ud800":"nightly"},"through":"f190c5a0-0000-7000-8000-000000000000"}""")]
    [InlineData("""{"action":"cancel","filter":{"tag":"nightly","tag":""},"through":"f190c5a0-0000-7000-8000-000000000000"}""")]
    [InlineData("""{"action":"cancel","job":5,"filter":{},"through":"f190c5a0-0000-7000-8000-000000000000"}""")]
    [InlineData("""{"action":"cancel","job":null,"filter":{},"through":"f190c5a0-0000-7000-8000-000000000000"}""")]
    [InlineData("""{"action":"cancel","\ud800":5,"filter":{},"through":"f190c5a0-0000-7000-8000-000000000000"}""")]
    [InlineData("""{"action":"\ud800","filter":{},"through":"f190c5a0-0000-7000-8000-000000000000"}""")]
    public async Task A_change_that_is_not_understood_is_refused(string body)
    {
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true);
        using HttpResponseMessage answer = await app.PostAsync("jobs/change", body);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task The_stream_of_the_list_sends_only_the_changed_jobs()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true);
        Job first = await app.QueueAsync();
        Job second = await app.QueueAsync();
        await using EventReader events = await EventReader.OpenAsync(app.Client, "jobs/stream?tag=t");
        Assert.Equal(2, (await events.NextAsync("jobs")).Data.GetProperty("jobs").GetArrayLength());
        await app.Jobs.CancelAsync(first.Id, Token);
        JsonElement data = (await events.NextAsync("jobs", static d => d.TryGetProperty("jobs", out JsonElement jobs) && jobs.GetArrayLength() > 0)).Data;
        Assert.Equal(first.Id, Assert.Single(data.GetProperty("jobs").EnumerateArray()).GetProperty("id").GetGuid());
        Assert.Equal([second.Id, first.Id], data.GetProperty("order").EnumerateArray().Select(static i => i.GetGuid()));
    }

    [Fact]
    public async Task The_stream_of_a_job_shows_its_cancellation_and_its_retry()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true);
        Job job = await app.QueueAsync();
        await using EventReader events = await EventReader.OpenAsync(app.Client, $"job/stream?id={job.Id:D}");
        Assert.Equal("queued", State((await events.NextAsync("job")).Data));
        await app.Jobs.CancelAsync(job.Id, Token);
        var (id, cancelled) = await events.NextAsync("job");
        Assert.Equal("cancelled", State(cancelled));
        await app.Jobs.RetryAsync(job.Id, Token);
        // The job is due at once and may have started when the stream reads it.
        Assert.NotEqual("cancelled", State((await events.NextAsync("job")).Data));
        // A client that reconnects with the last id gets only newer states.
        await using EventReader later = await EventReader.OpenAsync(app.Client, $"job/stream?id={job.Id:D}", id);
        Assert.NotEqual("cancelled", State((await later.NextAsync("job")).Data));
    }

    [Fact]
    public async Task An_idle_stream_repeats_the_status_event()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true);
        Job job = await app.QueueAsync();
        foreach (string path in (string[])["jobs/stream", $"job/stream?id={job.Id:D}"])
        {
            await using EventReader events = await EventReader.OpenAsync(app.Client, path);
            for (int i = 0; i < 2; i++) await events.NextAsync("status").Patiently();
        }
    }

    [Fact]
    public async Task A_result_that_has_grown_since_its_length_was_read_is_downloaded_whole()
    {
        byte[] body = [.. Enumerable.Range(0, 100_000).Select(static i => (byte)i)];
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true, store: GrowingStore.Of);
        var job = new NewJob { Kind = "k", MaxAttempts = 1, Payload = new JobPayload(ReadOnlyMemory<byte>.Empty, "POST", "/x", "") };
        JobClaim claim = (await app.Jobs.AcceptAndClaimAsync(job, "elsewhere", TimeSpan.FromMinutes(10), Token)).Claim!;
        await app.Jobs.FinishAsync(claim, new JobEnd(JobState.Succeeded, new JobResult(200, "text/plain", body)), Token);

        Assert.Equal(body, await app.Client.GetByteArrayAsync($"job/result?id={claim.Job.Id:D}", Token));
    }

    /// <summary>A store that fails from the sixth cancellation on.</summary>
#pragma warning disable CA1812, CA1852 // DispatchProxy derives from it, and makes it
    internal class FailingStore : DispatchProxy
#pragma warning restore CA1812, CA1852
    {
        private IJobStore _store = null!;
        private StrongBox<int> _calls = null!;

        public static IJobStore Of(IJobStore store, StrongBox<int> calls)
        {
            IJobStore proxy = Create<IJobStore, FailingStore>();
            var failing = (FailingStore)proxy;
            (failing._store, failing._calls) = (store, calls);
            return proxy;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            if (targetMethod!.Name == nameof(IJobStore.CancelAsync) && Interlocked.Increment(ref _calls.Value) > 5)
                return new ValueTask<JobTransition?>(Task.FromException<JobTransition?>(new JobStoreException("as asked")));
            return targetMethod.Invoke(_store, args);
        }
    }

    /// <summary>A store that at the first read reports a tenth of the length of a result.</summary>
#pragma warning disable CA1812, CA1852 // DispatchProxy derives from it, and makes it
    internal class GrowingStore : DispatchProxy
#pragma warning restore CA1812, CA1852
    {
        private IJobStore _store = null!;
        private bool _wasRead;

        public static IJobStore Of(IJobStore store)
        {
            IJobStore proxy = Create<IJobStore, GrowingStore>();
            ((GrowingStore)proxy)._store = store;
            return proxy;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            object? answer = targetMethod!.Invoke(_store, args);
            if (targetMethod.Name != nameof(IJobStore.GetResultAsync) || _wasRead) return answer;
            _wasRead = true;
            return new ValueTask<JobWithResult?>(ShorterAsync((ValueTask<JobWithResult?>)answer!));
        }

        private static async Task<JobWithResult?> ShorterAsync(ValueTask<JobWithResult?> answer) =>
            await answer is { } found ? found with { UnreadBytes = found.UnreadBytes / 10 } : null;
    }

    private static string? State(JsonElement data) => data.GetProperty("job").GetProperty("state").GetString();

    private static async Task<Guid[]> ListAsync(DashboardApp app, string query) =>
        [.. (await app.ReadAsync("jobs/list" + query)).GetProperty("jobs").EnumerateArray().Select(static j => j.GetProperty("id").GetGuid())];
}
