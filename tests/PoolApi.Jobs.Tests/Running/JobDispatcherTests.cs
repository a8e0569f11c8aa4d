using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;
using PoolApi.Threading;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>How the dispatcher claims jobs from the store, runs them on the pool, and writes their ends.</summary>
public sealed class JobDispatcherTests
{
    [Fact]
    public async Task A_job_accepted_while_the_dispatcher_is_idle_runs_at_once()
    {
        // The clock stands still, so only a notification starts a job.
        await using Rig rig = await Rig.StartAsync(time: new FakeTimeProvider());
        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        for (int i = 0; i < 5; i++)
        {
            await UntilAsync(() => rig.Dispatcher is { AttemptCount: 0 } && rig.Dispatcher.IsAsleep(TimeSpan.Zero));
            Job job = await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
            Assert.Equal((1, rig.Dispatcher.Owner), (job.Attempt, job.Worker));
        }
    }

    [Fact]
    public async Task With_a_free_worker_a_job_is_claimed_at_acceptance_without_a_claim_call()
    {
        await using Rig rig = await Rig.StartAsync();
        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        await rig.QuietAsync();
        int looks = rig.Store.Calls("claim");
        for (int i = 0; i < 20; i++)
        {
            JobAcceptance acceptance = await rig.Dispatcher.AcceptAsync(Jobs.New(), isWaitedFor: i % 2 == 0, Token);
            Assert.NotNull(acceptance.Claim);
            Job job = await rig.UntilAsync(acceptance.Job.Id, JobState.Succeeded);
            Assert.Equal((1, rig.Dispatcher.Owner), (job.Attempt, job.Worker));
            // A worker may be delayed after it returns its result and before it is idle.
            await UntilAsync(() => rig.Dispatcher.AttemptCount == 0 && rig.Pool.GetSnapshot().Workers.All(static w => w.State == WorkerState.Idle));
            await rig.AsleepAsync();
        }
        Assert.Equal(looks, rig.Store.Calls("claim"));
    }

    [Fact]
    public async Task A_job_accepted_without_a_free_worker_is_queued_and_runs_in_order_of_priority()
    {
        using var gate = new Gate();
        var order = new ConcurrentQueue<Guid>();
        await using Rig rig = await Rig.StartAsync(
            (attempt, token) =>
            {
                order.Enqueue(attempt.Claim.Job.Id);
                return gate.Pass(token);
            },
            workers: 1);
        await rig.QuietAsync();
        Guid first = (await rig.Dispatcher.AcceptAsync(Jobs.New(), isWaitedFor: false, Token)).Job.Id;
        await gate.ArrivalAsync();

        JobAcceptance second = await rig.Dispatcher.AcceptAsync(Jobs.New(), isWaitedFor: false, Token);
        Assert.Null(second.Claim);
        JobAcceptance third = await rig.Dispatcher.AcceptAsync(Jobs.New() with { Priority = WorkPriority.High }, isWaitedFor: false, Token);
        Assert.Null(third.Claim);
        Assert.Equal(JobState.Queued, rig.Look(third.Job.Id).State);
        gate.Open();

        await rig.UntilAsync(second.Job.Id, JobState.Succeeded);
        Assert.Equal([first, third.Job.Id, second.Job.Id], order);
    }

    [Fact]
    public async Task A_burst_of_jobs_is_claimed_at_acceptance_up_to_the_number_of_workers()
    {
        using var gate = new Gate();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token), workers: 3);
        await rig.QuietAsync();

        // The first job is accepted alone. Of concurrent reservations, each may count the others and leave the workers to them.
        JobAcceptance first = await rig.Dispatcher.AcceptAsync(Jobs.New(), false, Token);
        JobAcceptance[] burst =
            [first, .. await Task.WhenAll(Enumerable.Range(0, 49).Select(_ => Task.Run(async () => await rig.Dispatcher.AcceptAsync(Jobs.New(), false, Token))))];

        Assert.InRange(burst.Count(static a => a.Claim is not null), 1, 3);
        await gate.ArrivalAsync(3);
        await rig.AsleepAsync(); // the dispatcher has claimed all that it may
        Assert.Equal((3, 47), (burst.Count(a => rig.Look(a.Job.Id).State == JobState.Running), burst.Count(a => rig.Look(a.Job.Id).State == JobState.Queued)));
        gate.Open();
        foreach (JobAcceptance each in burst) await rig.UntilAsync(each.Job.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task A_claimed_job_that_waits_for_a_worker_runs_on_an_instance_with_a_free_one()
    {
        using var gate = new Gate();
        var jobs = new InMemoryJobs();
        await using Rig busy = await Rig.StartAsync(workers: 1, options: Rig.Options with { Share = 1 }, jobs: jobs, isShared: true);
        await busy.QuietAsync();
        ValueTask<AttemptEnd> request = busy.Pool.RunAsync(() => gate.Pass());
        await gate.ArrivalAsync();
        Job job = await busy.AcceptAsync();
        await busy.UntilAsync(job.Id, JobState.Running); // the job waits in the pool of the busy instance

        await using Rig idle = await Rig.StartAsync(jobs: jobs, isShared: true);
        Job ended = await idle.UntilAsync(job.Id, JobState.Succeeded);

        Assert.Equal((1, idle.Dispatcher.Owner), (ended.Attempt, ended.Worker));
        gate.Open();
        await request;
    }

    [Fact]
    public async Task No_job_is_claimed_at_acceptance_while_a_claim_call_is_under_way()
    {
        await using Rig rig = await Rig.StartAsync(workers: 1);
        await rig.QuietAsync();
        JobAcceptance? low = null;
        rig.Store.Before = async operation =>
        {
            if (operation == "claim") low ??= await rig.Dispatcher.AcceptAsync(Jobs.New() with { Priority = WorkPriority.Low }, isWaitedFor: false, Token);
        };

        Job high = await rig.AcceptAsync(Jobs.New() with { Priority = WorkPriority.High });
        await rig.UntilAsync(high.Id, JobState.Succeeded);

        await UntilAsync(() => low is not null);
        Assert.Null(low!.Value.Claim);
        Assert.True((await rig.UntilAsync(low.Value.Job.Id, JobState.Succeeded)).StartedAt >= rig.Look(high.Id).StartedAt);
    }

    [Fact]
    public async Task In_an_unshared_store_a_job_without_notification_is_found_by_the_next_maintenance()
    {
        await using Rig rig = await Rig.StartAsync(options: Rig.Options with { Retention = TimeSpan.FromSeconds(12) }); // rounds are three seconds apart
        await rig.QuietAsync();
        rig.Store.IsMute = true;
        Job job = await rig.AcceptAsync();
        rig.Store.IsMute = false;

        await rig.UntilAsync(job.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task A_stop_waits_for_an_acceptance_under_way_and_hands_its_job_back()
    {
        await using Rig rig = await Rig.StartAsync();
        await rig.QuietAsync();
        var answer = new TaskCompletionSource();
        var committed = new TaskCompletionSource();
        rig.Store.After = async operation =>
        {
            if (operation != "accept") return;
            committed.TrySetResult();
            await answer.Task;
        };
        Task<JobAcceptance> acceptance = rig.Dispatcher.AcceptAsync(Jobs.New(), isWaitedFor: false, Token).AsTask();
        await committed.Task.Patiently();

        Task<bool> stop = StopAsync();
        // The pool runs many steps. A stop that does not wait would end meanwhile.
        for (int i = 0; i < 100; i++) await rig.Pool.RunAsync(static () => { });
        answer.SetResult();

        Assert.True(await stop.Patiently(), "The stop did not wait.");
        Job job = rig.Look((await acceptance).Job.Id);
        Assert.Equal((JobState.Queued, 0), (job.State, job.Attempt));

        async Task<bool> StopAsync()
        {
            await rig.Dispatcher.StopAsync(Token);
            return answer.Task.IsCompleted;
        }
    }

    [Fact]
    public async Task A_job_cancelled_while_it_is_accepted_and_claimed_is_stopped()
    {
        using var gate = new Gate();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token));
        await rig.QuietAsync();
        InMemoryJobStore other = await rig.OpenAnotherAsync();
        NewJob job = Jobs.New();
        // The acceptance is committed, and its answer is under way.
        rig.Store.After = async operation =>
        {
            if (operation == "accept") await other.CancelAsync(job.Id, Token);
        };

        Assert.NotNull((await rig.Dispatcher.AcceptAsync(job, isWaitedFor: false, Token)).Claim);

        await rig.UntilAsync(job.Id, JobState.Cancelled);
    }

    [Fact]
    public async Task A_job_claimed_at_acceptance_while_the_dispatcher_closes_is_handed_back()
    {
        await using Rig rig = await Rig.StartAsync();
        await rig.QuietAsync();
        rig.Store.After = operation =>
        {
            if (operation == "accept") rig.Dispatcher.Close();
            return Task.CompletedTask;
        };

        JobAcceptance acceptance = await rig.Dispatcher.AcceptAsync(Jobs.New(), isWaitedFor: false, Token);

        Assert.NotNull(acceptance.Claim);
        Assert.Equal(0, (await rig.UntilAsync(acceptance.Job.Id, JobState.Queued)).Attempt);
        Assert.Null((await rig.Dispatcher.AcceptAsync(Jobs.New(), isWaitedFor: false, Token)).Claim);
    }

    [Fact]
    public async Task A_failed_acceptance_releases_the_worker_that_it_reserved()
    {
        await using Rig rig = await Rig.StartAsync(workers: 1);
        await rig.QuietAsync();
        rig.Store.Fault = "away";
        for (int i = 0; i < 3; i++)
            await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await rig.Dispatcher.AcceptAsync(Jobs.New(), isWaitedFor: true, Token));
        rig.Store.Fault = null;

        Assert.NotNull((await rig.Dispatcher.AcceptAsync(Jobs.New(), isWaitedFor: true, Token)).Claim);
    }

    [Fact]
    public async Task Jobs_that_were_there_before_the_start_are_run()
    {
        var jobs = new InMemoryJobs();
        await using var before = new InMemoryJobStore(jobs);
        await before.OpenAsync(Token);
        Job job = (await before.AcceptAsync(Jobs.New(), Token)).Job;

        await using Rig rig = await Rig.StartAsync(jobs: jobs);

        await rig.UntilAsync(job.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task A_result_is_written_with_the_end()
    {
        await using Rig rig = await Rig.StartAsync();
        Job job = await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        Assert.Equal("done"u8.ToArray(), (await rig.Store.GetResultAsync(job.Id, Token))!.Result!.Body.ToArray());
        await UntilAsync(() => rig.Dispatcher.AttemptCount == 0);
    }

    [Fact]
    public async Task The_dispatcher_claims_exactly_as_many_jobs_as_workers_are_free()
    {
        using var gate = new Gate();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token), workers: 3);
        var ids = new List<Guid>();
        for (int i = 0; i < 10; i++) ids.Add((await rig.AcceptAsync()).Id);

        await gate.ArrivalAsync(3);
        await rig.AsleepAsync(); // the dispatcher has claimed all that it may

        Assert.Equal(3, gate.Arrived);
        Assert.Equal(3, ids.Count(id => rig.Look(id).State == JobState.Running));
        Assert.Equal(3, rig.Dispatcher.AttemptCount);
        gate.Open();
        foreach (Guid id in ids) await rig.UntilAsync(id, JobState.Succeeded);
        Assert.Equal(10, rig.Script.Begun.Count);
    }

    [Fact]
    public async Task Workers_that_become_free_one_by_one_are_used_one_by_one()
    {
        using Gate first = new(), second = new();
        await using Rig rig = await Rig.StartAsync((attempt, token) => (attempt.Claim.Job.Kind == "first" ? first : second).Pass(token));
        await rig.AcceptAsync(Jobs.New("first"));
        await first.ArrivalAsync();
        // One worker is held by a job, the other is free.
        await rig.AcceptAsync(Jobs.New("second"));
        await second.ArrivalAsync();
        await rig.AcceptAsync(Jobs.New("second"));
        first.Open();
        await second.ArrivalAsync(2);
    }

    [Fact]
    public async Task While_other_work_has_all_workers_no_job_is_claimed()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync();
        ValueTask<AttemptEnd>[] others = [.. Enumerable.Range(0, 3).Select(_ => rig.Pool.RunAsync(() => gate.Pass()))];
        await gate.ArrivalAsync(2);
        Job job = await rig.AcceptAsync();
        await rig.AsleepAsync();
        Assert.Equal(JobState.Queued, rig.Look(job.Id).State);

        gate.Open();

        await rig.UntilAsync(job.Id, JobState.Succeeded);
        foreach (ValueTask<AttemptEnd> other in others) await other;
    }

    [Fact]
    public async Task The_highest_priority_runs_first()
    {
        using Gate gate = new();
        var order = new ConcurrentQueue<string>();
        await using Rig rig = await Rig.StartAsync(
            (attempt, token) =>
            {
                if (attempt.Claim.Job.Kind == "blocker") return gate.Pass(token);
                order.Enqueue(attempt.Claim.Job.Kind);
                return ScriptedExecutor.Success;
            },
            workers: 1);
        await rig.AcceptAsync(Jobs.New("blocker"));
        await gate.ArrivalAsync();
        foreach (WorkPriority priority in new[] { WorkPriority.Low, WorkPriority.Normal, WorkPriority.High }) await rig.AcceptAsync(Jobs.New($"{priority}", priority));

        gate.Open();

        await UntilAsync(() => order.Count == 3);
        Assert.Equal(["High", "Normal", "Low"], order);
    }

    [Fact]
    public async Task A_scheduled_job_is_run_when_it_is_due()
    {
        await using Rig rig = await Rig.StartAsync();
        Job far = await rig.AcceptAsync(Jobs.New(runAt: Jobs.Now + TimeSpan.FromHours(1)));
        Job near = await rig.AcceptAsync(Jobs.New(runAt: Jobs.Now + TimeSpan.FromMilliseconds(300)));

        Job ran = await rig.UntilAsync(near.Id, JobState.Succeeded);

        Assert.True(ran.StartedAt >= near.RunAt);
        Assert.Equal(JobState.Queued, rig.Look(far.Id).State);
    }

    [Fact]
    public async Task Many_jobs_run_each_once_on_two_dispatchers_over_one_store()
    {
        var jobs = new InMemoryJobs();
        var runs = new ConcurrentDictionary<Guid, int>();
        AttemptEnd Count(JobAttempt attempt, CancellationToken token)
        {
            runs.AddOrUpdate(attempt.Claim.Job.Id, 1, static (_, n) => n + 1);
            return ScriptedExecutor.Success;
        }
        await using Rig one = await Rig.StartAsync(Count, jobs: jobs, isShared: true);
        await using Rig two = await Rig.StartAsync(Count, jobs: jobs, isShared: true);
        NewJob[] all = [.. Enumerable.Range(0, 400).Select(static _ => Jobs.New())];

        await Task.WhenAll(all.Select((job, i) => Task.Run(() => (i % 2 == 0 ? one : two).AcceptAsync(job)))).Patiently();

        foreach (NewJob job in all) await one.UntilAsync(job.Id, JobState.Succeeded);
        Assert.Equal(400, runs.Count);
        Assert.All(runs.Values, static n => Assert.Equal(1, n));
    }

    [Fact]
    public async Task An_idle_dispatcher_calls_the_store_only_twice_a_minute()
    {
        var clock = new FakeTimeProvider(Jobs.Now);
        await using Rig rig = await Rig.StartAsync(time: clock);
        await rig.AcceptAsync(Jobs.New(runAt: clock.GetUtcNow() + TimeSpan.FromHours(1))); // a job that is due later causes no calls either
        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        await UntilAsync(() => rig.Dispatcher.AttemptCount == 0);
        await rig.PassAsync(clock, TimeSpan.FromMinutes(11), TimeSpan.FromSeconds(1)); // while a job runs, rounds are ten minutes apart (Lease / 6)
        int calls = rig.Store.Calls();

        await rig.PassAsync(clock, TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(1));

        // Once a minute the dispatcher maintains the store and claims.
        Assert.True(rig.Store.Calls() - calls is >= 18 and <= 22, $"{rig.Store.Calls() - calls} calls: maintain {rig.Store.Calls("maintain")}, claim {rig.Store.Calls("claim")}");
    }

    [Fact]
    public async Task Jobs_that_wait_for_a_worker_cause_at_most_two_store_calls_a_minute()
    {
        using Gate gate = new();
        var clock = new FakeTimeProvider(Jobs.Now);
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token), time: clock);
        for (int i = 0; i < 5; i++) await rig.AcceptAsync();
        await gate.ArrivalAsync(2);
        await rig.AsleepAsync();
        int calls = rig.Store.Calls();

        await rig.PassAsync(clock, TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1));

        Assert.InRange(rig.Store.Calls() - calls, 0, 2);
    }

    [Fact]
    public async Task A_job_without_notification_is_found_when_changes_may_have_been_missed()
    {
        await using Rig rig = await Rig.StartAsync();
        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        await rig.QuietAsync();
        rig.Store.IsMute = true;
        Job job = await rig.AcceptAsync();
        await rig.AsleepAsync();
        Assert.Equal(JobState.Queued, rig.Look(job.Id).State);

        ((IJobStoreListener)rig.Dispatcher).MayHaveMissed();

        await rig.UntilAsync(job.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task A_job_whose_client_waits_is_claimed_again_promptly_after_the_pool_rejects_it()
    {
        using var gate = new Gate();
        using var release = new SemaphoreSlim(0);
        var handingBack = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        // No job goes first, so without a free worker a job is claimed only if its client waits.
        await using Rig rig = await Rig.StartAsync(static pool => new RefusingFirst(pool), workers: 1);
        await rig.QuietAsync();
        ValueTask<AttemptEnd> request = rig.Pool.RunAsync(() => gate.Pass());
        await gate.ArrivalAsync();
        rig.Store.Before = async operation =>
        {
            if (operation == "hand back" && handingBack.TrySetResult()) await release.WaitAsync(Token);
        };
        Job job = (await rig.Dispatcher.AcceptAsync(Jobs.New(), isWaitedFor: true, Token)).Job;
        await handingBack.Task.Patiently();
        await rig.AsleepAsync(); // the dispatcher has claimed before this job is queued again

        release.Release();

        await ((RefusingFirst)rig.Executor).Second.Patiently(); // though no worker is free
        gate.Open();
        Assert.Equal(1, (await rig.UntilAsync(job.Id, JobState.Succeeded)).Attempt);
        await request;
    }

    /// <summary>Ends the first attempt as if the pool had refused it.</summary>
    private sealed class RefusingFirst(FixedThreadPool pool) : IJobExecutor
    {
        private readonly ScriptedExecutor _others = new(pool, static (_, _) => ScriptedExecutor.Success);
        private readonly TaskCompletionSource _second = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _attempts;

        public Task Second => _second.Task;

        public async ValueTask<AttemptEnd> ExecuteAsync(JobAttempt attempt, CancellationToken cancellation)
        {
            if (Interlocked.Increment(ref _attempts) == 1) return AttemptEnd.Stopped;
            _second.TrySetResult();
            return await _others.ExecuteAsync(attempt, cancellation);
        }
    }

    [Fact]
    public async Task A_job_that_the_pool_rejects_is_handed_back_and_not_claimed_in_a_busy_loop()
    {
        var clock = new FakeTimeProvider(Jobs.Now);
        await using Rig rig = await Rig.StartAsync(workers: 1, time: clock);
        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        await UntilAsync(() => rig.Dispatcher.AttemptCount == 0);
        _ = rig.Pool.CloseAsync();
        int claims = rig.Store.Calls("claim");

        Job job = await rig.AcceptAsync();
        for (int i = 1; i <= 10; i++)
        {
            await UntilAsync(() =>
            {
                clock.Advance(TimeSpan.FromMilliseconds(10));
                return rig.Store.Calls("hand back") >= i;
            });
        }

        Assert.InRange(rig.Store.Calls("claim") - claims, 10, 50); // each time, one claim finds the job, and some find none
        // The stop also waits for a claim under way, whose attempt is not listed yet.
        await rig.Dispatcher.StopAsync(Token).Patiently();
        Assert.Equal((JobState.Queued, 0), (rig.Look(job.Id).State, rig.Look(job.Id).Attempt));
    }

    [Fact]
    public async Task Progress_can_be_seen_while_the_job_runs()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((attempt, token) =>
        {
            attempt.Report(0.5);
            return gate.Pass(token);
        });
        Job job = await rig.AcceptAsync();
        await UntilAsync(() => rig.Look(job.Id).Progress == 0.5);
        gate.Open();
        await rig.UntilAsync(job.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task A_job_whose_client_waits_runs_after_earlier_requests_and_before_later_ones()
    {
        using Gate first = new(), second = new();
        await using Rig rig = await Rig.StartAsync(workers: 1);
        ValueTask<AttemptEnd> running = rig.Pool.RunAsync(() => first.Pass());
        await first.ArrivalAsync();
        ValueTask<AttemptEnd> waiting = rig.Pool.RunAsync(() => second.Pass());
        Job job = await rig.AcceptAsync(Jobs.New(priority: WorkPriority.High));
        rig.Dispatcher.RequestPromptClaim();
        await rig.UntilAsync(job.Id, JobState.Running); // the job is claimed, though no worker is free
        await UntilAsync(() => rig.Pool.GetSnapshot().QueueLength == 2); // the claim is in the store before the job is in the pool's queue
        ValueTask<bool> later = rig.Pool.RunAsync(() => !rig.Script.Begun.IsEmpty);
        Assert.Empty(rig.Script.Begun);

        first.Open();
        await running;
        await second.ArrivalAsync();
        Guid[] begun = [.. rig.Script.Begun];
        second.Open();

        Assert.Empty(begun); // the earlier request had the worker
        await waiting;
        await rig.UntilAsync(job.Id, JobState.Succeeded);
        Assert.True(await later, "The job ran after a later request.");
    }

    [Fact]
    public async Task A_job_that_becomes_due_while_a_request_has_the_worker_runs_after_the_request()
    {
        using Gate gate = new();
        var clock = new FakeTimeProvider(Jobs.Now);
        await using Rig rig = await Rig.StartAsync(workers: 1, time: clock);
        Job job = await rig.AcceptAsync(Jobs.New(runAt: clock.GetUtcNow() + TimeSpan.FromSeconds(2)));
        ValueTask<AttemptEnd> request = rig.Pool.RunAsync(() => gate.Pass());
        await gate.ArrivalAsync();
        await rig.AsleepAsync();
        await rig.PassAsync(clock, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(0.1)); // the job becomes due while the worker is busy
        Assert.Equal(JobState.Queued, rig.Look(job.Id).State);

        gate.Open();

        await request;
        await rig.UntilAsync(job.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task Jobs_with_prompt_claims_all_run_while_requests_keep_every_worker_busy()
    {
        await using Rig rig = await Rig.StartAsync(workers: 1);
        using var over = new CancellationTokenSource();
        Task[] crowd = [.. Enumerable.Range(0, 4).Select(async _ =>
        {
            while (!over.IsCancellationRequested) await rig.Pool.RunAsync(static () => Thread.SpinWait(10_000));
        })];

        var jobs = new List<Job>();
        for (int i = 0; i < 5; i++)
        {
            jobs.Add(await rig.AcceptAsync(Jobs.New(priority: WorkPriority.High)));
            rig.Dispatcher.RequestPromptClaim();
        }

        foreach (Job job in jobs) await rig.UntilAsync(job.Id, JobState.Succeeded);
        await over.CancelAsync();
        await Task.WhenAll(crowd).Patiently();
    }

    [Fact]
    public async Task A_late_cancellation_of_an_earlier_attempt_does_not_stop_the_current_one()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token));
        Job job = await rig.AcceptAsync();
        await gate.ArrivalAsync();

        ((IJobStoreListener)rig.Dispatcher).Changed(new JobChange(job.Id, job.Version, IsCancelRequested: true));
        gate.Open();

        await rig.UntilAsync(job.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task A_log_that_throws_does_not_block_jobs()
    {
        using var log = new ThrowingLog();
        await using Rig rig = await Rig.StartAsync(
            static (attempt, _) => attempt.Claim.Job.Tags.Contains("fails") ? throw new InvalidOperationException("on purpose") : ScriptedExecutor.Success,
            logger: log.For<JobDispatcher>());
        rig.Store.Fault = "The store is away.";
        await UntilAsync(() => rig.Dispatcher.StoreFault is not null, "That the store fails");
        rig.Store.Fault = null;

        Job failing = await rig.AcceptAsync(Jobs.New(tags: ["fails"])), job = await rig.AcceptAsync();

        await rig.UntilAsync(failing.Id, JobState.Failed);
        await rig.UntilAsync(job.Id, JobState.Succeeded);
        await UntilAsync(() => rig.Dispatcher.StoreFault is null, "That the store works");
    }
}
