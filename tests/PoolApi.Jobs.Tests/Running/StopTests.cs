using PoolApi.Jobs.Running;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>How a dispatcher stops: no job is lost, and none runs twice.</summary>
public sealed class StopTests
{
    /// <summary>Jobs of the kind <c>unstarted</c> never reach the pool. Those with more than three attempts fail when they are stopped.</summary>
    private sealed class HoldingExecutor(ScriptedExecutor inner) : IJobExecutor
    {
        private int _held;

        public int Held => Volatile.Read(ref _held);

        public async ValueTask<AttemptEnd> ExecuteAsync(JobAttempt attempt, CancellationToken cancellation)
        {
            if (attempt.Claim.Job.Kind != "unstarted") return await inner.ExecuteAsync(attempt, cancellation);
            Interlocked.Increment(ref _held);
            await Task.Delay(Timeout.Infinite, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return attempt.Claim.Job.MaxAttempts > 3 ? AttemptEnd.Failed : AttemptEnd.Stopped;
        }
    }

    [Fact]
    public async Task A_closing_dispatcher_hands_back_unstarted_jobs_at_once_and_lets_running_jobs_finish()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync(
            pool => new HoldingExecutor(new ScriptedExecutor(pool, (_, token) => gate.Pass(token))), workers: 3);
        Job running = await rig.AcceptAsync();
        await gate.ArrivalAsync();
        Job claimed = await rig.AcceptAsync(Jobs.New("unstarted", maxAttempts: 3));
        await UntilAsync(() => ((HoldingExecutor)rig.Executor).Held == 1);
        Assert.Equal(JobState.Running, rig.Look(claimed.Id).State);

        rig.Dispatcher.Close();

        Assert.Equal(0, (await rig.UntilAsync(claimed.Id, JobState.Queued)).Attempt);
        Job late = await rig.AcceptAsync();
        Assert.Equal(JobState.Running, rig.Look(running.Id).State);
        Task stop = rig.Dispatcher.StopAsync(Token);
        Assert.False(stop.IsCompleted);

        gate.Open();

        await stop.Patiently();
        Assert.Equal((JobState.Succeeded, JobState.Queued), (rig.Look(running.Id).State, rig.Look(late.Id).State));
        Assert.Equal(1, gate.Arrived);
        Assert.Equal(0, rig.Dispatcher.AttemptCount);
    }

    [Fact]
    public async Task A_job_that_is_handed_back_is_run_by_another_instance()
    {
        var jobs = new InMemoryJobs();
        await using Rig leaving = await Rig.StartAsync(
            pool => new HoldingExecutor(new ScriptedExecutor(pool, static (_, _) => ScriptedExecutor.Success)), jobs: jobs, isShared: true);
        Job job = await leaving.AcceptAsync(Jobs.New("unstarted"));
        await UntilAsync(() => ((HoldingExecutor)leaving.Executor).Held == 1);
        await using Rig staying = await Rig.StartAsync(jobs: jobs, isShared: true);

        leaving.Dispatcher.Close();

        Job ended = await staying.UntilAsync(job.Id, JobState.Succeeded);
        Assert.Equal((1, staying.Dispatcher.Owner), (ended.Attempt, ended.Worker));
    }

    [Fact]
    public async Task A_job_that_is_cancelled_at_the_deadline_of_the_stop_is_handed_back()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token));
        Job job = await rig.AcceptAsync(Jobs.New(maxAttempts: 3));
        await gate.ArrivalAsync();
        rig.Dispatcher.Close();
        Task stop = rig.Dispatcher.StopAsync(Token);

        rig.Pool.CancelAll();

        await stop.Patiently();
        Assert.Equal((JobState.Queued, 0), (rig.Look(job.Id).State, rig.Look(job.Id).Attempt));
    }

    [Fact]
    public async Task A_stop_waits_until_the_ends_are_written()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token));
        Job job = await rig.AcceptAsync();
        await gate.ArrivalAsync();
        rig.Store.Fault = "away";
        gate.Open();
        Task stop = rig.Dispatcher.StopAsync(Token);
        await UntilAsync(() => rig.Store.Calls("finish") >= 2);
        Assert.False(stop.IsCompleted);

        rig.Store.Fault = null;

        await stop.Patiently();
        Assert.Equal(JobState.Succeeded, rig.Look(job.Id).State);
    }

    [Fact]
    public async Task A_stop_that_is_given_up_ends_while_the_store_is_still_unavailable()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, token) => gate.Pass(token));
        await rig.AcceptAsync();
        await gate.ArrivalAsync();
        rig.Store.Fault = "away";
        gate.Open();
        using var late = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));

        await rig.Dispatcher.StopAsync(late.Token).Patiently();

        Assert.Equal(1, await rig.Dispatcher.CountUnwrittenAsync(Token).Patiently());
        Assert.Equal(0, rig.Dispatcher.AttemptCount);
    }

    [Fact]
    public async Task A_stop_that_is_given_up_waits_for_the_write_under_way_and_for_the_end_that_follows_it()
    {
        await using Rig rig = await Rig.StartAsync(static (run, _) =>
        {
            run.Report(0.5);
            return ScriptedExecutor.Success;
        });
        using var held = new HeldAnswer(rig.Store, "progress");
        Job job = await rig.AcceptAsync();
        await held.ArrivalAsync();
        await UntilAsync(() => rig.Script.InHand == 0);

        Task stop = await GiveUpAsync(rig);

        held.Release();
        await stop.Patiently();
        Assert.Equal(0, await rig.Dispatcher.CountUnwrittenAsync(Token).Patiently());
        Assert.Equal(JobState.Succeeded, rig.Look(job.Id).State);
    }

    [Fact]
    public async Task A_stop_that_is_given_up_hands_back_the_job_of_a_claim_under_way()
    {
        await using Rig rig = await Rig.StartAsync();
        await rig.QuietAsync();
        using var held = new HeldAnswer(rig.Store, "claim");
        Job job = await rig.AcceptAsync();
        await held.ArrivalAsync();
        Assert.Equal(JobState.Running, rig.Look(job.Id).State);

        Task stop = await GiveUpAsync(rig);

        held.Release();
        await stop.Patiently();
        Assert.Equal((JobState.Queued, 0), (rig.Look(job.Id).State, rig.Look(job.Id).Attempt));
    }

    [Fact]
    public async Task A_stop_that_is_given_up_does_not_wait_for_work_that_still_runs()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, _) => gate.Pass(CancellationToken.None));
        await rig.AcceptAsync();
        await gate.ArrivalAsync();
        using var late = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));

        await rig.Dispatcher.StopAsync(late.Token).Patiently();

        Assert.Equal(1, rig.Dispatcher.AttemptCount);
        gate.Open();
    }

    [Fact]
    public async Task Unstarted_and_written_jobs_are_not_counted_as_unwritten()
    {
        await using Rig rig = await Rig.StartAsync(
            pool => new HoldingExecutor(new ScriptedExecutor(pool, static (_, _) => ScriptedExecutor.Success)));
        Job done = await rig.AcceptAsync();
        await rig.UntilAsync(done.Id, JobState.Succeeded);
        await rig.AcceptAsync(Jobs.New("unstarted"));
        await UntilAsync(() => ((HoldingExecutor)rig.Executor).Held == 1);
        rig.Store.Fault = "away"; // the job cannot be handed back either
        using var late = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));

        await rig.Dispatcher.StopAsync(late.Token).Patiently();

        Assert.Equal(0, await rig.Dispatcher.CountUnwrittenAsync(Token).Patiently());
    }

    [Fact]
    public async Task A_failure_while_the_instance_stops_does_not_cost_the_attempts_that_are_left()
    {
        using Gate gate = new();
        await using Rig rig = await Rig.StartAsync((_, _) =>
        {
            gate.Pass(CancellationToken.None);
            return AttemptEnd.Failed;
        });
        Job job = await rig.AcceptAsync(Jobs.New(maxAttempts: 3));
        await gate.ArrivalAsync();
        rig.Dispatcher.Close();
        gate.Open();
        await rig.Dispatcher.StopAsync(Token).Patiently();
        Assert.Equal((JobState.Queued, 1), (rig.Look(job.Id).State, rig.Look(job.Id).Attempt));
    }

    [Fact]
    public async Task An_attempt_that_fails_because_the_instance_stops_does_not_cost_the_attempts_that_are_left()
    {
        await using Rig rig = await Rig.StartAsync(
            pool => new HoldingExecutor(new ScriptedExecutor(pool, static (_, _) => ScriptedExecutor.Success)));
        Job job = await rig.AcceptAsync(Jobs.New("unstarted", maxAttempts: 5));
        await UntilAsync(() => ((HoldingExecutor)rig.Executor).Held == 1);

        await rig.Dispatcher.StopAsync(Token).Patiently();

        Assert.Equal((JobState.Queued, 1), (rig.Look(job.Id).State, rig.Look(job.Id).Attempt));
    }

    /// <summary>Gives up a stop during a write, and waits until the dispatcher no longer repeats writes. The store is closed after the stop.</summary>
    private static async Task<Task> GiveUpAsync(Rig rig)
    {
        using var late = new CancellationTokenSource();
        Task stop = StopAsync(late.Token);
        await late.CancelAsync();
        await UntilAsync(() => stop.IsCompleted || rig.Dispatcher.IsStopped, "That the stop is given up");
        Assert.False(stop.IsCompleted);
        return stop;

        async Task StopAsync(CancellationToken cancellation)
        {
            await rig.Dispatcher.StopAsync(cancellation);
            await rig.Store.DisposeAsync();
        }
    }

    /// <summary>Holds the first answer to an operation.</summary>
    private sealed class HeldAnswer : IDisposable
    {
        private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public HeldAnswer(InMemoryJobStore store, string held) => store.After = operation =>
            operation == held && _arrived.TrySetResult() ? _released.Task : Task.CompletedTask;

        public Task ArrivalAsync() => _arrived.Task.Patiently();

        public void Release() => _released.TrySetResult();

        public void Dispose() => Release();
    }

    [Fact]
    public async Task Jobs_accepted_while_two_of_three_instances_stop_each_run_once()
    {
        var jobs = new InMemoryJobs();
        var ended = new System.Collections.Concurrent.ConcurrentDictionary<Guid, int>();
        AttemptEnd Run(JobAttempt attempt, CancellationToken token)
        {
            Thread.Sleep(1); // the work
            ended.AddOrUpdate(attempt.Claim.Job.Id, 1, static (_, n) => n + 1);
            return ScriptedExecutor.Success;
        }
        await using Rig one = await Rig.StartAsync(Run, jobs: jobs, isShared: true);
        await using Rig two = await Rig.StartAsync(Run, jobs: jobs, isShared: true);
        await using Rig three = await Rig.StartAsync(Run, jobs: jobs, isShared: true);
        var ids = new List<Guid>();
        for (int i = 0; i < 300; i++)
        {
            ids.Add((await three.AcceptAsync()).Id);
            if (i == 100) one.Dispatcher.Close();
            if (i == 200) two.Dispatcher.Close();
        }
        await one.Dispatcher.StopAsync(Token).Patiently();
        await two.Dispatcher.StopAsync(Token).Patiently();

        foreach (Guid id in ids) Assert.Equal(1, (await three.UntilAsync(id, JobState.Succeeded)).Attempt);
        // A job that starts during the close may be cancelled, handed back and run again. This script ignores the cancellation.
        Assert.All(ended.Values, static n => Assert.Equal(1, n));
    }
}
