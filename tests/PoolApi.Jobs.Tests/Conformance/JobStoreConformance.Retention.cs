using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    [Theory]
    [MemberData(nameof(FinalStates))]
    public async Task An_ended_job_keeps_its_data_and_result_for_its_retention(JobState state)
    {
        await using IJobStore store = await OpenAsync();
        Job ended = await EndedAsync(store, state);
        JobResult? result = (await store.GetResultAsync(ended.Id, Token))!.Result;

        Assert.Equal((0, 0, 0, 0), await MaintainAsync(store, new MaintenanceRules(TimeSpan.FromMinutes(10), 3)));

        JobWithResult read = (await store.GetResultAsync(ended.Id, Token))!;
        Assert.Equivalent(ended, read.Job, strict: true);
        Assert.Equal(result?.Body.ToArray(), read.Result?.Body.ToArray());
        Assert.False(read.IsSwept);
    }

    [Fact]
    public async Task A_job_past_its_retention_has_no_result_but_is_still_found()
    {
        await using IJobStore store = await OpenAsync();

        JobWithResult swept = await SweptAsync(store, JobState.Succeeded);

        Assert.True(swept.IsSwept);
        Assert.Null(swept.Result);
        Assert.Equal((JobState.Succeeded, "diagnostics/noop"), (swept.Job.State, swept.Job.Kind));
        Assert.Single((await store.ListAsync(new JobQuery { Tag = "t", State = JobState.Succeeded }, Token)).Jobs, j => j.Id == swept.Job.Id);
        JobAcceptance again = await store.AcceptAsync(Jobs.New(key: $"{swept.Job.Id}"), Token);
        Assert.Equal((AcceptOutcome.Existing, swept.Job.Id), (again.Outcome, again.Job.Id));
    }

    [Fact]
    public async Task A_job_past_its_retention_is_not_retried()
    {
        await using IJobStore store = await OpenAsync();
        JobWithResult swept = await SweptAsync(store, JobState.Failed);

        JobTransition transition = (await store.RetryAsync(swept.Job.Id, Token))!;

        Assert.Equal((JobState.Failed, JobState.Failed), (transition.Before, transition.After.State));
        Assert.Empty(await ClaimAllAsync(store));
    }

    [Fact]
    public async Task After_twice_its_retention_a_job_is_gone_and_its_key_is_free()
    {
        await using IJobStore store = await OpenAsync();
        Job ended = await EndedAsync(store, JobState.Succeeded, Jobs.New(key: "key", tags: ["t"]));
        Job young = await EndedAsync(store, JobState.Succeeded);
        Job waiting = await AcceptAsync(store);
        await PassAsync(100);

        await UntilAsync(async () =>
        {
            await MaintainAsync(store, new MaintenanceRules(TimeSpan.FromMilliseconds(20), 3));
            return await store.GetAsync(ended.Id, Token) is null && await store.GetAsync(young.Id, Token) is null;
        });

        Assert.Null(await store.GetResultAsync(ended.Id, Token));
        Assert.Null(await store.CancelAsync(ended.Id, Token));
        Assert.Null(await store.RetryAsync(ended.Id, Token));
        Assert.Equal([waiting.Id], (await store.ListAsync(new JobQuery(), Token)).Jobs.Select(static j => j.Id));
        Assert.Empty((await store.ListAsync(new JobQuery { Tag = "t" }, Token)).Jobs);
        JobAcceptance again = await store.AcceptAsync(Jobs.New(key: "key", fingerprint: "another"), Token);
        Assert.Equal(AcceptOutcome.Created, again.Outcome);
        Assert.NotEqual(ended.Id, again.Job.Id);
    }

    [Fact]
    public async Task A_queued_or_running_job_is_never_swept()
    {
        await using IJobStore store = await OpenAsync();
        Job running = await AcceptAsync(store, Jobs.New(body: "body"));
        JobClaim claim = await ClaimOneAsync(store);
        Job queued = await AcceptAsync(store, Jobs.New(body: "body"));
        await PassAsync(50);

        Assert.Equal((0, 0, 0, 0), await MaintainAsync(store, new MaintenanceRules(TimeSpan.FromMilliseconds(1), 3)));

        Assert.True(await store.FinishAsync(claim, Jobs.Success(), Token));
        Assert.Equal("body"u8.ToArray(), (await ClaimOneAsync(store)).Payload.Body.ToArray());
        Assert.Equal((JobState.Succeeded, JobState.Running), ((await GetAsync(store, running.Id)).State, (await GetAsync(store, queued.Id)).State));
    }

    [Fact]
    public async Task The_retention_of_a_retried_job_starts_at_its_new_end()
    {
        await using IJobStore store = await OpenAsync();
        Job ended = await EndedAsync(store, JobState.Failed);
        await PassAsync(50);
        await store.RetryAsync(ended.Id, Token);

        await MaintainAsync(store, new MaintenanceRules(TimeSpan.FromMilliseconds(1), 3));

        Assert.Equal(JobState.Queued, (await GetAsync(store, ended.Id)).State);
        Assert.True(await store.FinishAsync(await ClaimOneAsync(store), Jobs.Success("new"), Token));
        await MaintainAsync(store, new MaintenanceRules(TimeSpan.FromMinutes(10), 3));
        Assert.Equal("new"u8.ToArray(), (await store.GetResultAsync(ended.Id, Token))!.Result!.Body.ToArray());
    }

    [Fact]
    public async Task Jobs_past_their_retention_are_swept_in_rounds_of_limited_size()
    {
        await using IJobStore store = await OpenAsync();
        for (int i = 0; i < 25; i++) await AcceptAsync(store, Jobs.New(body: "body", tags: ["t", "u"]));
        foreach (JobClaim claim in await ClaimAllAsync(store)) await store.FinishAsync(claim, Jobs.Success(), Token);
        await PassAsync(50);
        var rules = new MaintenanceRules(TimeSpan.FromMilliseconds(1), 3, Limit: 10);
        MaintenanceReport first = await store.MaintainAsync(rules, Token);

        Assert.True(first.MayBeMore);
        Assert.InRange(first.Swept, 1, 20); // at most ten lose their results, and ten are deleted
        Assert.NotEmpty((await store.ListAsync(new JobQuery(), Token)).Jobs);
        await MaintainAsync(store, rules);
        Assert.Empty((await store.ListAsync(new JobQuery(), Token)).Jobs);
    }

    [Fact]
    public async Task Bodies_past_their_retention_are_swept_in_rounds_of_limited_bytes()
    {
        const int Size = 10_000;
        await using IJobStore store = await OpenAsync();
        string body = new('b', Size);
        var ids = new List<Guid>();
        for (int i = 0; i < 12; i++) ids.Add((await AcceptAsync(store, Jobs.New(body: body))).Id);
        ids.Add((await AcceptAsync(store, Jobs.New(body: new string('b', 9 * Size)))).Id); // larger than a round's limit
        foreach (JobClaim claim in await ClaimAllAsync(store)) await store.FinishAsync(claim, Jobs.Success(body), Token);
        await PassAsync(50);
        // A round may sweep the bodies of two jobs, and delete two jobs that were not swept in time.
        var rules = new MaintenanceRules(TimeSpan.FromMilliseconds(1), 3) { SweepBytes = 4 * Size };

        int left = ids.Count, rounds = 0;
        for (bool mayBeMore = true; mayBeMore; rounds++)
        {
            mayBeMore = (await store.MaintainAsync(rules, Token)).MayBeMore;
            int before = left;
            left = 0;
            foreach (Guid id in ids)
            {
                if (await store.GetPayloadAsync(id, 0, Token) is not null) left++;
            }
            Assert.InRange(before - left, 0, 4);
            Assert.True(rounds < 100, "Maintenance never stops reporting that there may be more.");
        }

        Assert.Equal(0, left);
        Assert.InRange(rounds, 4, 100);
    }

    /// <summary>A job that ended between once and twice the retention ago, however busy the machine is.</summary>
    private async Task<JobWithResult> SweptAsync(IJobStore store, JobState state)
    {
        for (int attempt = 0; attempt < 20; attempt++)
        {
            NewJob job = Jobs.New(tags: ["t"]);
            Job ended = await EndedAsync(store, state, job with { Idempotency = new IdempotencyKey($"{job.Id}", "same"u8.ToArray()) });
            await PassAsync(MachineLoad.Stretch(1000)); // the busier the machine, the longer a round takes
            TimeSpan age = Now - ended.FinishedAt!.Value;
            await MaintainAsync(store, new MaintenanceRules(age * 0.65, 3));
            if (await store.GetResultAsync(ended.Id, Token) is { } swept) return swept;
        }
        throw new TimeoutException("Every job was gone before it could be looked at.");
    }
}
