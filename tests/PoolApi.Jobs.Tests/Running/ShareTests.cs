using Microsoft.Extensions.Time.Testing;
using PoolApi.Jobs.Running;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>The share of the workers' time that jobs get while requests keep all workers busy.</summary>
public sealed class ShareTests
{
    private const int Clients = 40;

    private static readonly TimeSpan Piece = TimeSpan.FromMilliseconds(5);

    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(0.05, 1)]
    [InlineData(0.05, 2)]
    [InlineData(0.5, 2)]
    public async Task Jobs_get_their_share_of_time_while_requests_keep_all_workers_busy(double share, int workers)
    {
        (int jobs, int requests) = await SaturateAsync(share, workers, pieces: 1000);
        Assert.InRange(jobs / (double)(jobs + requests), share * 0.8, share * 1.2);
    }

    [Fact]
    public async Task Jobs_without_a_share_do_not_run_while_requests_keep_all_workers_busy()
    {
        (int jobs, int requests) = await SaturateAsync(0, workers: 2, pieces: 200);
        Assert.Equal((0, 200), (jobs, requests));
    }

    [Fact]
    public void Credit_accumulates_while_jobs_wait_and_any_credit_makes_a_job_due()
    {
        var share = new JobShare(0.1, workers: 2, _time);
        Assert.False(IsDue(share));
        Pass(0.01);
        Assert.True(IsDue(share));
    }

    [Fact]
    public void A_running_job_uses_up_the_credit()
    {
        var share = new JobShare(0.1, workers: 2, _time); // 0.2 workers
        IsDue(share);
        Pass(1); // 0.2 s saved
        share.Started(); // it uses 1 worker and the share is 0.2: the credit falls by 0.8 s each second
        Pass(0.2);
        Assert.True(IsDue(share));
        Pass(0.1);
        Assert.False(IsDue(share));
        share.Ended(); // 0.04 s owed
        Pass(0.15);
        Assert.False(IsDue(share));
        Pass(0.1);
        Assert.True(IsDue(share));
    }

    [Fact]
    public void Credit_is_limited_to_one_second()
    {
        var share = new JobShare(0.5, workers: 2, _time); // one worker
        IsDue(share);
        Pass(1000);
        share.Started();
        share.Started(); // one more than the share allows
        Pass(0.9);
        Assert.True(IsDue(share));
        Pass(0.2);
        Assert.False(IsDue(share));
    }

    [Fact]
    public void Debt_is_limited_to_ten_seconds()
    {
        var share = new JobShare(0.5, workers: 2, _time);
        IsDue(share);
        share.Started();
        share.Started();
        Pass(1000);
        share.Ended();
        share.Ended();
        Pass(9.9);
        Assert.False(IsDue(share));
        Pass(0.2);
        Assert.True(IsDue(share));
    }

    [Fact]
    public void A_resting_share_neither_accumulates_nor_loses_credit()
    {
        var share = new JobShare(0.5, workers: 2, _time);
        IsDue(share);
        share.Rest();
        Pass(100);
        Assert.False(IsDue(share));
        Pass(0.5);
        share.Started();
        share.Rest();
        Pass(100);
        Assert.True(IsDue(share));
        share.Ended();
    }

    [Fact]
    public void A_used_up_share_is_not_due_despite_a_rounding_error()
    {
        var share = new JobShare(0.28, workers: 25, _time); // 7 workers, and a rounding error of 1e-15
        IsDue(share);
        for (int i = 0; i < 8; i++) share.Started();
        Pass(1);
        share.Ended();
        Assert.Null(share.DueIn());
    }

    [Fact]
    public void A_share_of_zero_is_never_due()
    {
        var share = new JobShare(0, workers: 8, _time);
        for (int i = 0; i < 10; i++)
        {
            Assert.False(IsDue(share));
            Pass(100);
        }
    }

    private static bool IsDue(JobShare share) => share.DueIn() == TimeSpan.Zero;

    private void Pass(double seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));

    /// <summary>Counts pieces of work of the same size, of jobs and of requests, while both wait for the workers.</summary>
    /// <remarks>
    /// A piece takes time by the test's clock only. The clock advances when each worker has a piece, and when the clients and the dispatcher have
    /// handled the earlier pieces. So the load of the machine makes no difference.
    /// </remarks>
    private async Task<(int Jobs, int Requests)> SaturateAsync(double share, int workers, int pieces)
    {
        int jobs = 0, requests = 0;
        Rig? rig = null;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var all = new Barrier(workers, _ =>
        {
            Until(() => rig!.Pool.GetSnapshot().QueueLength >= Clients - workers && rig.Store.Calls("finish") >= jobs && rig.Dispatcher.IsAsleep(TimeSpan.Zero));
            if (jobs + requests >= pieces) done.SetResult();
            else Task.Run(() => _time.Advance(Piece)).GetAwaiter().GetResult(); // not on a worker: the clock runs due timers on this thread
        });
        void Work(ref int count)
        {
            if (done.Task.IsCompleted) return;
            all.SignalAndWait();
            if (!done.Task.IsCompleted) Interlocked.Increment(ref count);
        }
        await using Rig started = await Rig.StartAsync(
            (_, _) =>
            {
                Work(ref jobs);
                return ScriptedExecutor.Success;
            },
            workers, Rig.Options with { Share = share }, time: _time);
        rig = started;
        using var gate = new Gate();
        Task<AttemptEnd>[] first = [.. Enumerable.Range(0, workers).Select(_ => rig.Pool.RunAsync(() => gate.Pass()).AsTask())];
        await gate.ArrivalAsync(workers);
        Task[] clients = [.. Enumerable.Range(0, Clients).Select(async _ =>
        {
            while (!done.Task.IsCompleted) await rig.Pool.RunAsync(() => Work(ref requests));
        })];
        for (int i = 0; i < pieces; i++) await rig.AcceptAsync();

        gate.Open();

        await done.Task.WaitAsync(MachineLoad.Stretch(Long), Token); // up to a thousand steps, one after another
        rig.Dispatcher.Close();
        await Task.WhenAll([.. first, .. clients]).Patiently();
        return (jobs, requests);
    }
}
