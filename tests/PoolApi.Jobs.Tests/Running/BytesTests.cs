using System.Collections.Concurrent;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>The bodies of claimed jobs, and results until they are written, fit into a budget.</summary>
public class BytesTests
{
    private static readonly JobOptions Options = Rig.Options with { MemoryBytes = 1000 };

    [Fact]
    public async Task Claimed_bodies_never_exceed_the_budget_and_all_jobs_run()
    {
        int held = 0, most = 0;
        await using Rig rig = await Rig.StartAsync(
            (run, _) =>
            {
                int length = run.Claim.Payload.Body.Length;
                int now = Interlocked.Add(ref held, length);
                for (int seen = most; now > seen && Interlocked.CompareExchange(ref most, now, seen) != seen; seen = most)
                {
                }
                Thread.Sleep(5); // the work
                Interlocked.Add(ref held, -length);
                return ScriptedExecutor.Success;
            },
            workers: 4, options: Options);
        var jobs = new List<Job>();
        for (int i = 0; i < 20; i++)
        {
            // Half of them as a client's request does it: they are claimed at acceptance, if their bodies fit.
            NewJob job = WithBody(i % 3 == 0 ? 600 : 200);
            jobs.Add(i % 2 == 0 ? await rig.AcceptAsync(job) : (await rig.Dispatcher.AcceptAsync(job, isWaitedFor: false, Token)).Job);
        }

        foreach (Job job in jobs) await rig.UntilAsync(job.Id, JobState.Succeeded);

        Assert.InRange(most, 600, 1000);
    }

    [Fact]
    public async Task A_job_whose_body_exceeds_the_budget_still_runs()
    {
        await using Rig rig = await Rig.StartAsync(options: Options);
        Job large = await rig.AcceptAsync(WithBody(5000));
        Job small = await rig.AcceptAsync(WithBody(10));

        await rig.UntilAsync(large.Id, JobState.Succeeded);
        await rig.UntilAsync(small.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task A_result_occupies_the_budget_until_it_is_written_then_waiting_jobs_are_claimed()
    {
        var writing = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using Rig rig = await Rig.StartAsync(
            static (_, _) => new AttemptEnd(AttemptOutcome.Succeeded, new JobResult(200, null, new byte[5000]), null, MayRetry: false), options: Options);
        await rig.QuietAsync();
        rig.Store.Before = async operation =>
        {
            if (operation != "finish" || !writing.TrySetResult()) return;
            await written.Task;
        };
        Job first = await rig.AcceptAsync(WithBody(10));
        await writing.Task.WaitAsync(Long, Token);
        int claims = rig.Store.Calls("claim");
        Job second = await rig.AcceptAsync(WithBody(10));
        await rig.Store.GetAsync(second.Id, Token);
        Assert.Equal(JobState.Queued, rig.Look(second.Id).State);
        // One claim for the free worker and one for the new job. Each may be repeated once.
        Assert.InRange(rig.Store.Calls("claim") - claims, 0, 4);

        written.SetResult();

        await rig.UntilAsync(first.Id, JobState.Succeeded);
        await rig.UntilAsync(second.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task A_body_counts_against_the_budget_until_the_code_of_its_attempt_returns()
    {
        var codeEnds = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int attempts = 0;
        await using Rig rig = await Rig.StartAsync(
            (_, _) => Interlocked.Increment(ref attempts) == 1
                ? new AttemptEnd(AttemptOutcome.Failed, null, new JobError("run-timeout", ""), MayRetry: false) { CodeEnds = codeEnds.Task }
                : ScriptedExecutor.Success,
            options: Options);

        Job late = await rig.UntilAsync((await rig.AcceptAsync(WithBody(900))).Id, JobState.Failed);
        await UntilAsync(() => rig.Dispatcher.AttemptCount == 0);
        Assert.Equal(900, rig.Dispatcher.BytesInHand);
        Job waiting = await rig.AcceptAsync(WithBody(900));
        codeEnds.SetResult();

        await rig.UntilAsync(waiting.Id, JobState.Succeeded);
        await UntilAsync(() => rig.Dispatcher.BytesInHand == 0);
        Assert.Equal(JobState.Failed, rig.Look(late.Id).State);
    }

    [Fact]
    public async Task Code_that_returns_while_its_attempt_ends_leaves_no_bytes_and_no_worker_behind()
    {
        var returning = new BlockingCollection<(TaskCompletionSource Ends, int Spins)>();
        var returns = new Thread(() =>
        {
            foreach (var (ends, spins) in returning.GetConsumingEnumerable())
            {
                Thread.SpinWait(spins);
                ends.SetResult();
            }
        });
        returns.Start();
        try
        {
            await using Rig rig = await Rig.StartAsync(
                (_, _) =>
                {
                    var ends = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    returning.Add((ends, Random.Shared.Next(1000)), CancellationToken.None);
                    return new AttemptEnd(AttemptOutcome.Failed, null, new JobError("run-timeout", ""), MayRetry: false) { CodeEnds = ends.Task };
                },
                workers: 4, options: Options);
            Job[] jobs = new Job[10_000];
            for (int i = 0; i < jobs.Length; i++) jobs[i] = await rig.AcceptAsync(WithBody(1));

            foreach (Job job in jobs) await rig.UntilAsync(job.Id, JobState.Failed);

            await UntilAsync(() => rig.Dispatcher.BytesInHand == 0, "That no attempt holds bytes");
        }
        finally
        {
            returning.CompleteAdding();
            returns.Join();
            returning.Dispose();
        }
    }

    [Fact]
    public async Task A_job_whose_client_waits_is_claimed_promptly_after_a_body_larger_than_the_budget()
    {
        using Gate first = new(), second = new();
        await using Rig rig = await Rig.StartAsync(options: Options);
        await rig.QuietAsync();
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var isAnswered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        rig.Store.After = operation =>
        {
            if (operation != "claim") return Task.CompletedTask;
            isAnswered.TrySetResult();
            return answer.Task;
        };
        Task[] requests = [.. Enumerable.Range(0, 2).Select(_ => rig.Pool.RunAsync(token => first.Pass(token), CancellationToken.None).AsTask())];
        await first.ArrivalAsync(2);
        rig.Dispatcher.RequestPromptClaim(); // for no job: the claim finds nothing, and its answer is held until both jobs are accepted
        await isAnswered.Task.Patiently();
        Job large = (await rig.Dispatcher.AcceptAsync(WithBody(5000), isWaitedFor: true, Token)).Job;
        Job small = (await rig.Dispatcher.AcceptAsync(WithBody(10), isWaitedFor: true, Token)).Job;
        rig.Store.After = null;
        answer.SetResult();
        await UntilAsync(() => rig.Pool.GetSnapshot().QueueLength == 1, "That the large job is in the pool's queue");
        requests = [.. requests, .. Enumerable.Range(0, 2).Select(_ => rig.Pool.RunAsync(token => second.Pass(token), CancellationToken.None).AsTask())];

        first.Open();

        await rig.UntilAsync(large.Id, JobState.Succeeded);
        await second.ArrivalAsync(2);
        await rig.UntilAsync(small.Id, JobState.Running); // though no worker is free
        second.Open();
        await Task.WhenAll(requests).Patiently();
        await rig.UntilAsync(small.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task Bytes_that_an_acceptance_returns_while_a_claim_is_under_way_are_used_at_once()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync(
            (run, token) => run.Claim.Payload.Body.Length == 1 ? gate.Pass(token) : ScriptedExecutor.Success,
            workers: 3, options: Rig.Options with { MemoryBytes = 48 });
        NewJob repeated = Jobs.New(key: "key") with { Payload = Jobs.Payload().WithBody(new byte[30]) };
        await rig.UntilAsync((await rig.AcceptAsync(repeated)).Id, JobState.Succeeded);
        await rig.AcceptAsync(WithBody(1));
        await gate.ArrivalAsync();
        await UntilAsync(() => rig.Dispatcher.BytesInHand == 1, "That only the job at the gate holds bytes");
        await rig.AsleepAsync();
        TaskCompletionSource accepting = Held(), accept = Held(), claiming = Held(), claim = Held();
        rig.Store.Before = operation =>
        {
            if (operation is not ("accept" or "claim")) return Task.CompletedTask;
            (operation == "accept" ? accepting : claiming).TrySetResult();
            return operation == "accept" ? accept.Task : claim.Task;
        };
        Task<JobAcceptance> acceptance = rig.Dispatcher.AcceptAsync(repeated, isWaitedFor: false, Token).AsTask();
        await accepting.Task.Patiently();
        Assert.Equal(31, rig.Dispatcher.BytesInHand);
        await using InMemoryJobStore client = await rig.OpenAnotherAsync();
        Job job = (await client.AcceptAsync(WithBody(20), Token)).Job;
        await claiming.Task.Patiently(); // this claim may use only the bytes that the other body leaves free

        accept.SetResult();
        Assert.Equal(AcceptOutcome.Existing, (await acceptance.Patiently()).Outcome);
        claim.SetResult();

        await rig.UntilAsync(job.Id, JobState.Succeeded);
        gate.Open();

        static TaskCompletionSource Held() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    [Fact]
    public async Task A_large_body_is_read_before_the_work_begins()
    {
        var body = new byte[BodyLimits.Inline + 7];
        Random.Shared.NextBytes(body);
        byte[]? seen = null;
        await using Rig rig = await Rig.StartAsync((run, _) =>
        {
            seen = run.Claim.Payload.Body.ToArray();
            return ScriptedExecutor.Success;
        });

        Job job = await rig.AcceptAsync(Jobs.New() with { Payload = Jobs.Payload().WithBody(body) });

        await rig.UntilAsync(job.Id, JobState.Succeeded);
        Assert.Equal(body, seen);
    }

    [Fact]
    public async Task A_failed_read_of_the_body_does_not_count_as_an_attempt()
    {
        await using Rig rig = await Rig.StartAsync();
        int reads = 0;
        rig.Store.Before = operation => operation == "body" && Interlocked.Increment(ref reads) <= 3
            ? throw new JobStoreUnavailableException("The network is slow.")
            : Task.CompletedTask;

        Job job = await rig.AcceptAsync(WithBody(BodyLimits.Inline + 1));

        Assert.Equal(1, (await rig.UntilAsync(job.Id, JobState.Succeeded)).Attempt);
        Assert.Equal(4, reads);
    }

    [Fact]
    public async Task Running_out_of_memory_before_the_work_begins_does_not_count_as_an_attempt()
    {
        await using Rig rig = await Rig.StartAsync();
        int reads = 0;
        rig.Store.Before = operation => operation == "body" && Interlocked.Increment(ref reads) <= 3
            ? throw new InsufficientMemoryException("planted")
            : Task.CompletedTask;

        Job job = await rig.AcceptAsync(WithBody(BodyLimits.Inline + 1));

        Job done = await rig.UntilAsync(job.Id, JobState.Succeeded);
        Assert.Equal((1, null), (done.Attempt, done.Error));
        Assert.Equal(4, reads);
    }

    [Fact]
    public async Task A_failure_before_the_work_begins_is_not_reported_as_a_failure_of_the_work()
    {
        await using Rig rig = await Rig.StartAsync();
        rig.Store.Before = static operation => operation == "body" ? throw new InvalidOperationException("secret") : Task.CompletedTask;

        Job job = await rig.UntilAsync((await rig.AcceptAsync(WithBody(BodyLimits.Inline + 1))).Id, JobState.Failed);

        Assert.Equal("internal-error", job.Error!.Name);
        Assert.Contains("before its work began", job.Error.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", job.Error.Detail, StringComparison.Ordinal);
    }

    private static NewJob WithBody(int length) => Jobs.New() with { Payload = Jobs.Payload().WithBody(new byte[length]) };
}
