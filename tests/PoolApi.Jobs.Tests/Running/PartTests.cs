using Microsoft.Extensions.Time.Testing;
using PoolApi.Jobs.Running;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>The dispatcher's small parts.</summary>
public sealed class PartTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_pause_doubles_with_each_attempt_up_to_five_minutes()
    {
        double[] seconds = [.. Enumerable.Range(1, 12).Select(static n => Backoff.After(TimeSpan.FromSeconds(1), n, 1).TotalSeconds)];
        Assert.Equal([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300], seconds);
        Assert.Equal(TimeSpan.FromMinutes(5), Backoff.After(TimeSpan.FromSeconds(1), int.MaxValue, 1));
        Assert.Equal(TimeSpan.FromMinutes(5), Backoff.After(TimeSpan.FromDays(1), 1, 1));
    }

    [Fact]
    public void The_longest_pause_that_can_be_set_is_kept()
    {
        TimeSpan longest = JobRanges.RetryDelay.Max;
        Assert.Equal(longest, Backoff.After(longest, 1, 1));
        Assert.False(JobRanges.RetryDelay.Contains(longest + TimeSpan.FromTicks(1)));
    }

    [Fact]
    public void Jitter_shortens_a_pause_by_up_to_half()
    {
        Assert.Equal(TimeSpan.FromSeconds(1), Backoff.After(TimeSpan.FromSeconds(2), 1, 0));
        Assert.Equal(TimeSpan.FromSeconds(1.5), Backoff.After(TimeSpan.FromSeconds(2), 1, 0.5));
        Assert.Equal(TimeSpan.FromSeconds(2), Backoff.After(TimeSpan.FromSeconds(2), 1, 1));
    }

    [Fact]
    public async Task A_signal_wakes_the_waiting_caller()
    {
        var signal = new Signal();
        Task waiting = signal.WaitAsync(null, _time, Token);
        Assert.False(waiting.IsCompleted);
        signal.Set();
        await waiting.Patiently();
    }

    [Fact]
    public async Task Signals_set_while_nobody_waits_release_only_one_wait()
    {
        var signal = new Signal();
        signal.Set();
        signal.Set();
        Assert.True(signal.WaitAsync(null, _time, Token).IsCompleted);
        Task second = signal.WaitAsync(null, _time, Token);
        Assert.False(second.IsCompleted);
        signal.Set();
        await second.Patiently();
    }

    [Fact]
    public async Task A_wait_ends_at_its_timeout_and_leaves_no_signal_behind()
    {
        var signal = new Signal();
        Task waiting = signal.WaitAsync(TimeSpan.FromSeconds(10), _time, Token);
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(waiting.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));
        await waiting.Patiently();

        signal.Set(); // for the next wait
        Assert.True(signal.WaitAsync(null, _time, Token).IsCompleted);
        Assert.False(signal.WaitAsync(TimeSpan.FromDays(365), _time, Token).IsCompleted); // longer than a timer can be set to
    }

    [Fact]
    public async Task A_cancelled_wait_ends_without_an_exception()
    {
        var signal = new Signal();
        using var cancelled = new CancellationTokenSource();
        Task waiting = signal.WaitAsync(null, _time, cancelled.Token);
        await cancelled.CancelAsync();
        await waiting.Patiently();
        await signal.WaitAsync(null, _time, cancelled.Token).Patiently();
    }

    [Fact]
    public async Task No_signal_is_lost_between_two_threads()
    {
        var signal = new Signal();
        int produced = 0, seen = 0;
        Task consumer = Task.Run(
            async () =>
            {
                while (seen < 20_000)
                {
                    await signal.WaitAsync(null, TimeProvider.System, Token);
                    seen = Volatile.Read(ref produced);
                }
            },
            Token);
        for (int i = 0; i < 20_000; i++)
        {
            Interlocked.Increment(ref produced);
            signal.Set();
        }
        await consumer.Patiently();
    }

    [Fact]
    public async Task Progress_writes_are_whole_percents_sequential_throttled_and_stop_at_the_end()
    {
        await using var store = new InMemoryJobStore();
        await store.AcceptAsync(Jobs.New(), Token);
        JobClaim claim = (await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims.Single();
        var reporter = new ProgressReporter(store, claim, _time);

        async Task<double?> SeenAsync()
        {
            await reporter.Written.Patiently();
            return (await store.GetAsync(claim.Job.Id, Token))!.Progress;
        }

        reporter.Report(0.101);
        Assert.Equal(0.1, await SeenAsync());
        reporter.Report(0.4); // too soon: the report waits
        reporter.Report(0.5); // and this one replaces it
        Assert.Equal(0.1, await SeenAsync());
        Assert.Equal(1, store.Calls("progress"));
        _time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(0.5, await SeenAsync());
        _time.Advance(TimeSpan.FromMilliseconds(100));
        reporter.Report(0.509); // the same whole percent as before
        Assert.Equal(2, store.Calls("progress"));
        _time.Advance(TimeSpan.FromSeconds(1));
        var gate = new TaskCompletionSource();
        store.Before = _ => gate.Task;
        reporter.Report(0.6);
        _time.Advance(TimeSpan.FromSeconds(1));
        reporter.Report(0.7); // one write at a time
        Assert.False(reporter.Written.IsCompleted);
        await UntilAsync(() => store.Calls("progress") == 3);
        store.Before = null;
        gate.SetResult();
        await UntilAsync(() => store.Calls("progress") == 4); // the latest report is written, though no other follows it
        Assert.Equal(0.7, await SeenAsync());

        reporter.Report(0.8); // waits for the end of the pause
        await reporter.SettleAsync();
        _time.Advance(TimeSpan.FromSeconds(1));
        reporter.Report(0.9); // by code that still runs
        Assert.Equal(0.7, await SeenAsync()); // waits for a write that has begun
        Assert.Equal(4, store.Calls("progress"));
    }

    [Fact]
    public async Task Progress_whose_write_failed_is_written_again_without_a_further_report()
    {
        await using var store = new InMemoryJobStore();
        await store.AcceptAsync(Jobs.New(), Token);
        JobClaim claim = (await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims.Single();
        var reporter = new ProgressReporter(store, claim, _time);
        reporter.Report(0.1);
        await reporter.Written.Patiently();
        _time.Advance(TimeSpan.FromSeconds(1));
        store.Fault = "The store is away.";

        reporter.Report(0.9);
        await reporter.Written.Patiently();
        store.Fault = null;
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(2, store.Calls("progress")); // a store that is away is not called ten times a second
        _time.Advance(TimeSpan.FromSeconds(1));

        await UntilAsync(() => store.Calls("progress") == 3, "That the progress is written again");
        await reporter.Written.Patiently();
        Assert.Equal(0.9, (await store.GetAsync(claim.Job.Id, Token))!.Progress);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(3, store.Calls("progress"));
    }

    [Fact]
    public async Task The_end_of_an_attempt_does_not_wait_for_its_throttled_progress()
    {
        var clock = new FakeTimeProvider(Jobs.Now);
        await using Rig rig = await Rig.StartAsync(
            (run, _) =>
            {
                run.Report(0.1);
                run.Report(0.5); // waits for a clock that stands still
                return ScriptedExecutor.Success;
            },
            time: clock);

        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_failed_progress_write_throws_nothing_and_later_progress_is_written(bool unexpected)
    {
        await using var store = new InMemoryJobStore();
        await store.AcceptAsync(Jobs.New(), Token);
        JobClaim claim = (await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims.Single();
        var reporter = new ProgressReporter(store, claim, _time);
        if (unexpected) store.Before = static _ => throw new InvalidOperationException("Nobody thought of this.");
        else store.Fault = "away";
        reporter.Report(0.1);
        await reporter.Written.Patiently();

        (store.Before, store.Fault) = (null, null);
        _time.Advance(TimeSpan.FromSeconds(1));
        reporter.Report(0.2);
        await reporter.Written.Patiently();
        Assert.Equal(0.2, (await store.GetAsync(claim.Job.Id, Token))!.Progress);
    }

    [Fact]
    public async Task Progress_is_written_even_if_the_context_of_the_worker_runs_no_continuations()
    {
        await using var store = new InMemoryJobStore();
        await store.AcceptAsync(Jobs.New(), Token);
        JobClaim claim = (await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims.Single();
        var reporter = new ProgressReporter(store, claim, _time);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        store.Before = _ => gate.Task;
        SynchronizationContext? own = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(new JoinedPool());
        reporter.Report(0.5);
        SynchronizationContext.SetSynchronizationContext(own);

        gate.SetResult();

        await reporter.Written.Patiently();
        Assert.Equal(0.5, (await store.GetAsync(claim.Job.Id, Token))!.Progress);
    }

    [Fact]
    public async Task Progress_outside_the_range_from_0_to_1_is_rejected()
    {
        await using Rig rig = await Rig.StartAsync(static (run, _) =>
        {
            foreach (double wrong in new[] { -0.01, 1.01, double.NaN, double.PositiveInfinity })
            {
                Assert.Throws<ArgumentOutOfRangeException>(() => run.Report(wrong));
            }
            run.Report(0);
            run.Report(1);
            return ScriptedExecutor.Success;
        });
        await rig.UntilAsync((await rig.AcceptAsync()).Id, JobState.Succeeded);
    }

    /// <summary>The context of a joined pool, which runs no continuations.</summary>
    private sealed class JoinedPool : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
        }
    }
}
