using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Jobs.Running;
using PoolApi.Threading;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>An instance whose jobs run on several pools. No pool's jobs wait for another pool's workers, queue or memory.</summary>
public sealed class PoolsTests : IAsyncDisposable
{
    private readonly Meter _meter = new("test");
    private readonly InMemoryJobs _jobs = new();
    private InMemoryJobStore _store;
    private readonly FixedThreadPool _cpu = new(new FixedThreadPoolOptions { Name = "cpu", Workers = 1, QueueCapacity = 4 });
    private readonly FixedThreadPool _io = new(new FixedThreadPoolOptions { Name = "io", Workers = 1, QueueCapacity = 1 });
    private readonly Gate _gate = new();
    private readonly Executor _executor;
    private JobDispatchers? _dispatchers;

    public PoolsTests()
    {
        _store = new InMemoryJobStore(_jobs);
        _executor = new Executor(
            new ScriptedExecutor(_cpu, static (_, _) => ScriptedExecutor.Success), new ScriptedExecutor(_io, (_, cancellation) => _gate.Pass(cancellation)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Jobs_of_a_busy_pool_stay_in_the_store_and_do_not_block_other_pools(bool acceptedHere)
    {
        await StartAsync();
        await AcceptAsync("io", acceptedHere);
        await _gate.ArrivalAsync();
        Job[] waiting = [await AcceptAsync("io", acceptedHere), await AcceptAsync("io", acceptedHere), await AcceptAsync("io", acceptedHere)];

        Job[] others = [await AcceptAsync("cpu", acceptedHere), await AcceptAsync("nobody's", acceptedHere), await AcceptAsync("cpu", acceptedHere)];

        foreach (Job other in others) await UntilAsync(other, JobState.Succeeded);
        Assert.All(waiting, job => Assert.Equal((JobState.Queued, 0), (Look(job).State, Look(job).Attempt)));
        Assert.Equal(1, _executor.Io.InHand);
        _gate.Open();
        foreach (Job job in waiting) await UntilAsync(job, JobState.Succeeded);
    }

    [Fact]
    public async Task A_pool_whose_queue_is_full_does_not_block_the_jobs_of_another_pool()
    {
        await StartAsync(share: 1);
        Task<AttemptEnd> runs = _io.RunAsync(token => _gate.Pass(token), CancellationToken.None).AsTask(), queued = _io.RunAsync(token => _gate.Pass(token), CancellationToken.None).AsTask();
        await _gate.ArrivalAsync();
        Job waits = await AcceptAsync("io", here: true);
        Assert.True(((IPoolAdmission)_io).IsLikelyFull);

        for (int i = 0; i < 20; i++) await UntilAsync(await AcceptAsync("cpu", here: true), JobState.Succeeded);

        Assert.Equal((JobState.Queued, 0), (Look(waits).State, _executor.Io.InHand));
        _gate.Open();
        await Task.WhenAll(runs, queued);
        await UntilAsync(waits, JobState.Succeeded);
    }

    [Fact]
    public async Task The_bodies_of_one_pools_jobs_take_no_memory_from_another_pool()
    {
        await StartAsync(memory: 20);
        await AcceptAsync("io", here: true, body: "0123456789");
        await _gate.ArrivalAsync();

        await UntilAsync(await AcceptAsync("cpu", here: true, body: "0123456789"), JobState.Succeeded);

        // The bytes of the result are returned a moment after its write.
        await Patience.UntilAsync(() => _dispatchers!.BytesInHand == 10, "That only the running job holds bytes");
        Assert.Equal(20, _dispatchers!.MaxBytesInHand);
    }

    [Fact]
    public async Task Dispatchers_sleep_while_the_only_queued_jobs_belong_to_a_busy_pool()
    {
        await StartAsync();
        await AcceptAsync("io", here: true);
        await _gate.ArrivalAsync();
        for (int i = 0; i < 3; i++) await AcceptAsync("io", here: true);
        await UntilAsync(await AcceptAsync("cpu", here: true), JobState.Succeeded);

        await Patience.UntilAsync(() => _dispatchers!.AreAsleep(TimeSpan.FromSeconds(1)), "That both dispatchers sleep");
    }

    [Fact]
    public async Task A_stop_waits_for_a_running_job_and_claims_no_further_job_on_any_pool()
    {
        await StartAsync();
        Job runs = await AcceptAsync("io", here: true);
        await _gate.ArrivalAsync();

        _dispatchers!.Close();
        _gate.Open();
        using var late = new CancellationTokenSource(Long);
        await _dispatchers.StopAsync(late.Token);

        Assert.Equal(JobState.Succeeded, Look(runs).State);
        Assert.Equal(0, await _dispatchers.CountUnwrittenAsync(Token));
        Job after = (await _store.AcceptAsync(Jobs.New("cpu"), Token)).Job;
        Assert.Equal(JobState.Queued, Look(after).State);
    }

    [Fact]
    public async Task An_instance_does_not_rerun_its_own_job_while_the_renewal_of_one_pool_hangs()
    {
        var clock = new FakeTimeProvider(Jobs.Now);
        await StartAsync(lease: TimeSpan.FromSeconds(30), time: clock);
        Job job = await AcceptAsync("io", here: true);
        await _gate.ArrivalAsync();
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int renewals = 0;
        _store.Before = operation => operation == "renew" && Interlocked.Increment(ref renewals) == 1 ? answer.Task : Task.CompletedTask;
        try
        {
            int rounds = Rounds();
            DateTimeOffset until = clock.GetUtcNow() + TimeSpan.FromMinutes(2);
            await Patience.UntilAsync(() =>
            {
                clock.Advance(TimeSpan.FromSeconds(1));
                return clock.GetUtcNow() > until && Rounds() > rounds + 10;
            });

            Assert.Equal((JobState.Running, 1), (Look(job).State, Look(job).Attempt));
        }
        finally
        {
            answer.SetResult();
        }
        _gate.Open();
        await UntilAsync(job, JobState.Succeeded);
        Assert.Equal((1, 1), (Look(job).Attempt, _gate.Arrived));

        int Rounds() => _store.Calls("renew") + _store.Calls("maintain");
    }

    [Fact]
    public async Task While_a_job_of_one_pool_runs_the_store_is_maintained_six_times_per_lease()
    {
        var clock = new FakeTimeProvider(Jobs.Now);
        await StartAsync(lease: TimeSpan.FromSeconds(30), time: clock, isShared: false);
        await PassAsync(clock, TimeSpan.FromSeconds(30));
        await AcceptAsync("io", here: true);
        await _gate.ArrivalAsync();

        int before = _store.Calls("maintain");
        await PassAsync(clock, TimeSpan.FromSeconds(7));
        Assert.InRange(_store.Calls("maintain") - before, 1, 2);
        await PassAsync(clock, TimeSpan.FromSeconds(53));
        Assert.InRange(_store.Calls("maintain") - before, 11, 13);
    }

    public async ValueTask DisposeAsync()
    {
        _gate.Open();
        if (_dispatchers is not null)
        {
            _dispatchers.Close();
            using var late = new CancellationTokenSource(Long);
            await _dispatchers.StopAsync(late.Token, late.Token);
            await _dispatchers.DisposeAsync();
        }
        foreach (FixedThreadPool pool in new[] { _cpu, _io })
        {
            await pool.ShutdownAsync(TimeSpan.Zero, Long);
            await pool.DisposeAsync();
        }
        await _store.DisposeAsync();
        _gate.Dispose();
        _meter.Dispose();
    }

    /// <summary>Advances the clock in steps of a second. After each step the dispatchers complete what is due then.</summary>
    private async Task PassAsync(FakeTimeProvider clock, TimeSpan time)
    {
        for (TimeSpan passed = TimeSpan.Zero; passed < time; passed += TimeSpan.FromSeconds(1))
        {
            await Patience.UntilAsync(() => _dispatchers!.AreAsleep(TimeSpan.Zero), "That both dispatchers sleep");
            clock.Advance(TimeSpan.FromSeconds(1));
        }
        await Patience.UntilAsync(() => _dispatchers!.AreAsleep(TimeSpan.Zero), "That both dispatchers sleep");
    }

    private async Task StartAsync(
        double share = 0, long memory = 1_000_000, TimeSpan? lease = null, TimeProvider? time = null, bool isShared = true)
    {
        _store = new InMemoryJobStore(_jobs, time) { IsShared = isShared };
        _dispatchers = new JobDispatchers(
            _store, _executor, () => [new PoolKinds(_cpu, ["cpu"]), new PoolKinds(_io, ["io"])], new JobWatch(_store),
            Rig.Options with { Share = share, MemoryBytes = memory, Lease = lease ?? Rig.Options.Lease },
            new JobInstruments(_meter, static () => new Dictionary<JobState, long>()), time ?? TimeProvider.System, NullLogger<JobDispatcher>.Instance);
        await _store.OpenAsync(Token);
        _dispatchers.Start();
        await Patience.UntilAsync(() => _store.Calls("claim") >= 2 && _store.Calls("maintain") == 1);
    }

    /// <param name="kind">The kind.</param>
    /// <param name="here">Whether the dispatchers accept the job. Otherwise the store does, as if for another instance, and they claim the job.</param>
    /// <param name="body">The body.</param>
    private async Task<Job> AcceptAsync(string kind, bool here, string body = "")
    {
        NewJob job = Jobs.New(kind, body: body);
        return here ? (await _dispatchers!.AcceptAsync(job, isWaitedFor: false, Token)).Job : (await _store.AcceptAsync(job, Token)).Job;
    }

    private Job Look(Job job)
    {
        lock (_jobs.Gate) return _jobs.Rows[job.Id].Job;
    }

    private Task UntilAsync(Job job, JobState state) => Patience.UntilAsync(() => Look(job).State == state, $"That the job is {state}");

    private sealed class Executor(ScriptedExecutor cpu, ScriptedExecutor io) : IJobExecutor
    {
        public ScriptedExecutor Io => io;

        public ValueTask<AttemptEnd> ExecuteAsync(JobAttempt attempt, CancellationToken cancellation) =>
            (attempt.Claim.Job.Kind == "io" ? io : cpu).ExecuteAsync(attempt, cancellation);
    }
}
