using Microsoft.Extensions.Time.Testing;
using PoolApi.Jobs.Running;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>What an attempt's end means for its job: retries, cancellation, deadlines, lost leases, a store that is away.</summary>
public sealed class AttemptTests
{
    private static readonly JobError Error = new("bad", "It is bad.");

    [Fact]
    public async Task A_failed_attempt_is_repeated_with_growing_pauses_up_to_the_maximum_of_attempts()
    {
        var begun = new List<TimeSpan>();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        await using Rig rig = await Rig.StartAsync(
            (_, _) =>
            {
                lock (begun) begun.Add(clock.Elapsed);
                return new AttemptEnd(AttemptOutcome.Failed, null, Error, MayRetry: true);
            },
            options: Rig.Options with { RetryDelay = TimeSpan.FromMilliseconds(200) });

        Job job = await rig.UntilAsync((await rig.AcceptAsync(Jobs.New(maxAttempts: 3))).Id, JobState.Failed);

        Assert.Equal((3, Error), (job.Attempt, job.Error));
        Assert.Equal(3, begun.Count);
        Assert.True(begun[1] - begun[0] >= TimeSpan.FromMilliseconds(95), $"{begun[1] - begun[0]}"); // at least half of the pause
        Assert.True(begun[2] - begun[1] >= TimeSpan.FromMilliseconds(195), $"{begun[2] - begun[1]}");
    }

    [Fact]
    public async Task A_job_that_succeeds_after_failed_attempts_ends_as_succeeded()
    {
        await using Rig rig = await Rig.StartAsync(static (run, _) => run.Claim.Job.Attempt < 3 ? AttemptEnd.Failed : ScriptedExecutor.Success);
        Job job = await rig.UntilAsync((await rig.AcceptAsync(Jobs.New(maxAttempts: 5))).Id, JobState.Succeeded);
        Assert.Equal((3, null), (job.Attempt, job.Error));
    }

    [Fact]
    public async Task A_failure_that_a_retry_cannot_fix_is_not_tried_again()
    {
        await using Rig rig = await Rig.StartAsync(
            static (_, _) => new AttemptEnd(AttemptOutcome.Failed, new JobResult(422, "application/problem+json", "{}"u8.ToArray()), Error, MayRetry: false));

        Job job = await rig.UntilAsync((await rig.AcceptAsync(Jobs.New(maxAttempts: 5))).Id, JobState.Failed);

        Assert.Equal((1, Error), (job.Attempt, job.Error));
        Assert.Equal(422, (await rig.Store.GetResultAsync(job.Id, Token))!.Result!.Status);
    }

    [Fact]
    public async Task An_exception_fails_the_job_and_its_message_is_hidden_from_the_client()
    {
        await using Rig rig = await Rig.StartAsync(static (_, _) => throw new InvalidOperationException("secret"));

        Job job = await rig.UntilAsync((await rig.AcceptAsync(Jobs.New(maxAttempts: 2))).Id, JobState.Failed);

        Assert.Equal((2, "work-failed"), (job.Attempt, job.Error!.Name));
        Assert.DoesNotContain("secret", job.Error.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_job_that_is_cancelled_before_its_turn_never_runs()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token), workers: 1);
        await rig.AcceptAsync();
        await gate.ArrivalAsync();
        Job job = await rig.AcceptAsync();

        await rig.Store.CancelAsync(job.Id, Token);
        gate.Open();

        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        Assert.Equal(JobState.Cancelled, rig.Look(job.Id).State);
        Assert.DoesNotContain(job.Id, rig.Script.Begun);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_running_job_that_is_cancelled_here_or_on_another_instance_is_stopped(bool elsewhere)
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token), isShared: true);
        await using InMemoryJobStore other = await rig.OpenAnotherAsync();
        Job job = await rig.AcceptAsync(Jobs.New(maxAttempts: 3));
        await gate.ArrivalAsync();

        await (elsewhere ? other : rig.Store).CancelAsync(job.Id, Token);

        await rig.UntilAsync(job.Id, JobState.Cancelled);
        Assert.Equal(1, gate.Arrived);
    }

    [Fact]
    public async Task A_cancellation_before_the_answer_to_the_claim_stops_the_job()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token), isShared: true);
        await using InMemoryJobStore other = await rig.OpenAnotherAsync();
        Guid id = Guid.CreateVersion7();
        rig.Store.After = async operation =>
        {
            if (operation == "claim" && rig.Jobs.Rows.ContainsKey(id)) await other.CancelAsync(id, Token);
        };

        await rig.AcceptAsync(Jobs.New() with { Id = id });

        await rig.UntilAsync(id, JobState.Cancelled); // the first renewal of the lease, in ten minutes, would be too late
    }

    [Fact]
    public async Task A_cancellation_without_notification_is_found_when_changes_may_have_been_missed()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token), isShared: true);
        await using InMemoryJobStore other = await rig.OpenAnotherAsync();
        Job job = await rig.AcceptAsync();
        await gate.ArrivalAsync();
        rig.Store.IsMute = true;
        await other.CancelAsync(job.Id, Token);

        ((IJobStoreListener)rig.Dispatcher).MayHaveMissed();

        await rig.UntilAsync(job.Id, JobState.Cancelled);
    }

    [Fact]
    public async Task A_job_that_runs_past_its_deadline_is_stopped_and_has_expired()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token));

        Job job = await rig.UntilAsync((await rig.AcceptAsync(Jobs.New(timeout: TimeSpan.FromSeconds(1), maxAttempts: 5))).Id, JobState.Expired);

        Assert.Equal("expired", job.Error!.Name);
        Assert.True(job.FinishedAt > job.Deadline - TimeSpan.FromMilliseconds(20), $"{job}"); // a timer's clock is a few milliseconds coarse
    }

    [Fact]
    public async Task A_job_that_ignores_cancellation_and_ends_past_its_deadline_expires()
    {
        await using Rig rig = await Rig.StartAsync(static (_, token) =>
        {
            token.WaitHandle.WaitOne(Long); // the work ends at the cancellation, but successfully
            return ScriptedExecutor.Success;
        });

        Job job = await rig.UntilAsync((await rig.AcceptAsync(Jobs.New(timeout: MachineLoad.Stretch(TimeSpan.FromSeconds(1))))).Id, JobState.Expired);

        Assert.Equal(("expired", 1), (job.Error!.Name, job.Attempt));
        Assert.Null((await rig.Store.GetResultAsync(job.Id, Token))!.Result);
    }

    [Fact]
    public async Task A_job_that_ignores_its_cancellation_and_completes_has_succeeded()
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using Rig rig = await Rig.StartAsync((_, token) =>
        {
            begun.SetResult();
            token.WaitHandle.WaitOne(Long);
            return ScriptedExecutor.Success;
        });
        Job job = await rig.AcceptAsync();
        await begun.Task.Patiently(); // a job that is running may still wait for its worker

        await rig.Store.CancelAsync(job.Id, Token);

        await rig.UntilAsync(job.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task A_retention_of_seconds_ends_at_most_a_few_seconds_late()
    {
        var clock = new FakeTimeProvider(Jobs.Now);
        await using Rig rig = await Rig.StartAsync(options: Rig.Options with { Retention = TimeSpan.FromSeconds(8) }, time: clock);
        Job job = await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        await UntilAsync(() => rig.Dispatcher.AttemptCount == 0);

        await rig.PassAsync(clock, TimeSpan.FromSeconds(7), TimeSpan.FromSeconds(0.5));
        Assert.False(rig.IsSwept(job.Id));
        await rig.PassAsync(clock, TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(0.5)); // the sweep is late by at most a quarter of the retention

        Assert.True(rig.IsSwept(job.Id));
    }

    [Fact]
    public async Task A_job_that_waits_for_a_worker_past_its_deadline_expires_without_running()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token), workers: 1, options: Rig.Options with { Lease = TimeSpan.FromSeconds(1) });
        await rig.AcceptAsync();
        await gate.ArrivalAsync();

        Job job = await rig.UntilAsync((await rig.AcceptAsync(Jobs.New(timeout: TimeSpan.FromMilliseconds(200)))).Id, JobState.Expired);

        Assert.Equal(0, job.Attempt);
    }

    [Fact]
    public async Task A_job_past_its_deadline_expires_without_running_while_requests_occupy_all_workers()
    {
        using Gate gate = new();
        var clock = new FakeTimeProvider(Jobs.Now);
        await using Rig rig = await Rig.StartAsync(workers: 1, options: Rig.Options with { Lease = TimeSpan.FromSeconds(6) }, time: clock);
        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        await UntilAsync(() => rig.Dispatcher.AttemptCount == 0);
        ValueTask<AttemptEnd> request = rig.Pool.RunAsync(() => gate.Pass());
        await gate.ArrivalAsync();
        await rig.PassAsync(clock, TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1)); // maintenance is slow by now, because no job is queued or runs
        Job late = await rig.AcceptAsync(Jobs.New(timeout: TimeSpan.FromMilliseconds(200)));
        await rig.AsleepAsync();

        await rig.PassAsync(clock, TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(0.5)); // less than the interval of slow maintenance

        Assert.Equal(JobState.Expired, rig.Look(late.Id).State);
        gate.Open();
        await request;
    }

    [Fact]
    public async Task A_job_whose_lease_is_lost_is_stopped_and_its_end_is_not_written()
    {
        using Gate gate = new();
        var stopped = new TaskCompletionSource();
        await using Rig rig = await Rig.StartAsync(
            (_, token) =>
            {
                try
                {
                    return gate.Pass(token);
                }
                catch (OperationCanceledException)
                {
                    stopped.TrySetResult();
                    return ScriptedExecutor.Success; // the work had just been completed
                }
            },
            options: Rig.Options with { Lease = TimeSpan.FromMilliseconds(600) }, isShared: true);
        await using InMemoryJobStore other = await rig.OpenAnotherAsync();
        Job job = await rig.AcceptAsync();
        await gate.ArrivalAsync();

        rig.Store.Fault = "cut off";
        var rules = new MaintenanceRules(TimeSpan.FromDays(1), 3);
        await UntilAsync(async () => (await other.MaintainAsync(rules, Token)).Redelivered.Count > 0);
        JobClaim theirs = (await other.ClaimAsync("other", 1, Jobs.LongLease, Token)).Claims.Single();
        rig.Store.Fault = null;

        await stopped.Task.Patiently();
        await UntilAsync(() => rig.Dispatcher.AttemptCount == 0);
        Assert.Equal((JobState.Running, "other"), (rig.Look(job.Id).State, rig.Look(job.Id).Worker));
        Assert.True(await other.FinishAsync(theirs, Jobs.Success("theirs"), Token));
        Assert.Equal("theirs"u8.ToArray(), (await other.GetResultAsync(job.Id, Token))!.Result!.Body.ToArray());
    }

    [Fact]
    public async Task A_long_job_keeps_its_lease()
    {
        using Gate gate = new();
        var clock = new FakeTimeProvider(Jobs.Now);
        await using Rig rig = await Rig.StartAsync(
            (_, token) => gate.Pass(token), options: Rig.Options with { Lease = TimeSpan.FromSeconds(30) }, isShared: true, time: clock);
        await rig.QuietAsync();
        Job job = await rig.AcceptAsync();
        await gate.ArrivalAsync();

        for (int second = 1; second <= 60; second++)
        {
            await rig.PassAsync(clock, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));

            // The store grants 20 s, and at most a quarter of it passes before the next renewal.
            Assert.InRange(LeaseLeft(rig, job.Id, clock), TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(20));
        }

        gate.Open();
        Assert.Equal(1, (await rig.UntilAsync(job.Id, JobState.Succeeded)).Attempt);
    }

    [Fact]
    public async Task A_job_keeps_its_lease_while_the_maintenance_of_the_store_takes_long()
    {
        using Gate gate = new();
        var clock = new ClockOfRounds();
        await using Rig rig = await Rig.StartAsync(
            (_, token) => gate.Pass(token), options: Rig.Options with { Lease = ClockOfRounds.Interval * 6 }, isShared: true, time: clock);
        await rig.QuietAsync(); // the first round has ended: otherwise it would be held, and no further round would begin
        Job job = await rig.AcceptAsync();
        await gate.ArrivalAsync();
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        rig.Store.Before = operation => operation == "maintain" ? end.Task : Task.CompletedTask;
        try
        {
            int rounds = rig.Store.Calls("maintain"), waits = clock.Waits;
            await UntilAsync(() => Passed() && rig.Store.Calls("maintain") > rounds, "A round");
            await UntilAsync(() => clock.Waits > waits, "That the round waits for the store");

            // The store grants four intervals. A renewal in each of ten intervals keeps the lease.
            for (int interval = 1; interval <= 10; interval++)
            {
                (int renewals, waits) = (rig.Store.Calls("renew"), clock.Waits);
                clock.Advance(ClockOfRounds.Interval);
                await UntilAsync(() => rig.Store.Calls("renew") > renewals && clock.Waits > waits, "That the lease is renewed");
                Assert.Equal(ClockOfRounds.Interval * 4, LeaseLeft(rig, job.Id, clock));
            }

            Assert.Equal(rounds + 1, rig.Store.Calls("maintain"));
        }
        finally
        {
            end.SetResult();
        }
        gate.Open();
        Assert.Equal(1, (await rig.UntilAsync(job.Id, JobState.Succeeded)).Attempt);

        bool Passed()
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            return true;
        }
    }

    [Fact]
    public async Task A_job_whose_instance_died_is_run_by_another_instance()
    {
        InMemoryJobs jobs = new();
        await using InMemoryJobStore dying = new(jobs);
        await dying.OpenAsync(Token);
        await dying.AcceptAsync(Jobs.New(), Token);
        JobClaim claim = Assert.Single((await dying.ClaimAsync("dead", 1, TimeSpan.FromMilliseconds(50), Token)).Claims);

        await using Rig rig = await Rig.StartAsync(options: Rig.Options with { Lease = TimeSpan.FromMilliseconds(600) }, jobs: jobs, isShared: true);
        Job job = await rig.UntilAsync(claim.Job.Id, JobState.Succeeded);

        Assert.Equal((2, rig.Dispatcher.Owner), (job.Attempt, job.Worker));
    }

    [Fact]
    public async Task A_job_that_ends_during_a_store_outage_is_recorded_later_and_not_run_again()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token));
        Job job = await rig.AcceptAsync();
        await gate.ArrivalAsync();
        Assert.Null(rig.Dispatcher.StoreFault);
        rig.Store.Fault = "the disk is full";
        gate.Open();
        await UntilAsync(() => rig.Dispatcher.StoreFault == "the disk is full");
        await UntilAsync(() => rig.Store.Calls("finish") >= 3);
        Assert.Equal(JobState.Running, rig.Look(job.Id).State);

        rig.Store.Fault = null;

        await rig.UntilAsync(job.Id, JobState.Succeeded);
        await UntilAsync(() => rig.Dispatcher.StoreFault is null);
        Assert.Equal([job.Id], rig.Script.Begun);
        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
    }

    [Fact]
    public async Task A_store_fault_stays_reported_while_no_worker_is_free()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token), workers: 1, options: Rig.Options with { Lease = TimeSpan.FromMilliseconds(600) });
        await rig.AcceptAsync();
        await gate.ArrivalAsync();
        Job waiting = await rig.AcceptAsync();
        rig.Store.Fault = "away";
        await UntilAsync(() => rig.Dispatcher.StoreFault is not null);
        for (int i = 0; i < 3; i++)
        {
            int calls = rig.Store.Calls();
            await UntilAsync(() => rig.Store.Calls() > calls);
            Assert.Equal("away", rig.Dispatcher.StoreFault);
        }
        rig.Store.Fault = null;
        await UntilAsync(() => rig.Dispatcher.StoreFault is null);
        gate.Open();
        await rig.UntilAsync(waiting.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task Jobs_that_could_not_be_claimed_are_claimed_when_the_store_is_back()
    {
        await using Rig rig = await Rig.StartAsync();
        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        Job job;
        await using (InMemoryJobStore other = await rig.OpenAnotherAsync())
        {
            rig.Store.Fault = "away";
            job = (await other.AcceptAsync(Jobs.New(), Token)).Job; // notifies the listeners of all instances
        }
        await UntilAsync(() => rig.Dispatcher.StoreFault is not null);

        rig.Store.Fault = null;

        await rig.UntilAsync(job.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task An_end_whose_answer_was_lost_is_written_again_and_counts_once()
    {
        await using Rig rig = await Rig.StartAsync();
        rig.Store.LosesAnswersOf["finish"] = true;
        Job job = await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        await UntilAsync(() => rig.Store.Calls("finish") >= 2);

        rig.Store.LosesAnswersOf.Clear();

        await UntilAsync(() => rig.Dispatcher.AttemptCount == 0);
        Assert.Equal(job, rig.Look(job.Id));
        Assert.Equal([job.Id], rig.Script.Begun);
    }

    [Fact]
    public async Task A_renewal_that_finds_no_lease_does_not_stop_the_repeated_write_of_an_end()
    {
        await using Rig rig = await Rig.StartAsync(options: Rig.Options with { Lease = TimeSpan.FromMilliseconds(300) });
        rig.Store.LosesAnswersOf["finish"] = true;
        Job job = await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        int renewals = rig.Store.Calls("renew");
        await UntilAsync(() => rig.Store.Calls("renew") >= renewals + 2);

        int finishes = rig.Store.Calls("finish");
        await UntilAsync(() => rig.Store.Calls("finish") > finishes);
        rig.Store.LosesAnswersOf.Clear();

        await UntilAsync(() => rig.Dispatcher.AttemptCount == 0);
        Assert.Equal(job, rig.Look(job.Id));
        Assert.Equal([job.Id], rig.Script.Begun);
    }

    [Fact]
    public async Task An_unexpected_exception_of_the_store_does_not_end_the_dispatcher()
    {
        await using Rig rig = await Rig.StartAsync();
        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
        int thrown = 0;
        rig.Store.Before = operation =>
        {
            if (operation != "claim" || thrown >= 3) return Task.CompletedTask;
            thrown++;
            throw new InvalidOperationException("Nobody thought of this.");
        };

        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);

        Assert.Equal(3, thrown);
        await UntilAsync(() => rig.Dispatcher.StoreFault is null);
    }

    private static TimeSpan LeaseLeft(Rig rig, Guid id, FakeTimeProvider clock)
    {
        lock (rig.Jobs.Gate) return rig.Jobs.Rows[id].LeaseEnd - clock.GetElapsedTime(0);
    }

    /// <summary>A clock that counts the waits of the maintenance: between two rounds, and for the store during a round.</summary>
    private sealed class ClockOfRounds() : FakeTimeProvider(Jobs.Now)
    {
        /// <summary>A sixth of the lease. No other wait of a dispatcher is as long.</summary>
        public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(5003);

        private int _waits;

        public int Waits => Volatile.Read(ref _waits);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            ITimer timer = base.CreateTimer(callback, state, dueTime, period);
            if (dueTime == Interval) Interlocked.Increment(ref _waits);
            return timer;
        }
    }
}
