using Microsoft.Extensions.Time.Testing;
using PoolApi.Jobs.Running;
using PoolApi.Threading;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>What jobs can count on while requests have all workers.</summary>
public sealed class ShareTests
{
    private static readonly TimeSpan Piece = TimeSpan.FromMilliseconds(5);

    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(0.05)]
    [InlineData(0.5)]
    public async Task While_requests_have_all_workers_jobs_have_about_their_share(double share)
    {
        // A dispatcher that comes late to its claims has saved some of its share: a second of it at most.
        (double jobs, double requests) = await SaturateAsync(share, TimeSpan.FromSeconds(3));
        Assert.InRange(jobs, share / 4 * (jobs + requests), (share * 1.2 * (jobs + requests)) + (TimeSpan.FromSeconds(1) / Piece));
    }

    [Fact]
    public async Task Jobs_with_no_share_have_nothing_while_requests_have_all_workers()
    {
        (double jobs, double requests) = await SaturateAsync(0, TimeSpan.FromSeconds(1));
        Assert.Equal(0, jobs);
        Assert.True(requests > 0);
    }

    [Fact]
    public void It_adds_up_while_jobs_wait_and_is_due_when_there_is_any()
    {
        var share = new JobShare(0.1, workers: 2, _time);
        Assert.False(IsDue(share));
        Pass(0.01);
        Assert.True(IsDue(share));
    }

    [Fact]
    public void What_a_job_uses_is_taken_from_it_while_it_runs()
    {
        var share = new JobShare(0.1, workers: 2, _time); // 0.2 workers
        IsDue(share);
        Pass(1); // 0.2 s saved
        share.Started(); // uses 1, has 0.2: 0.8 s/s less
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
    public void No_more_is_saved_than_a_second()
    {
        var share = new JobShare(0.5, workers: 2, _time); // one worker
        IsDue(share);
        Pass(1000);
        share.Started();
        share.Started(); // one more than there is
        Pass(0.9);
        Assert.True(IsDue(share));
        Pass(0.2);
        Assert.False(IsDue(share));
    }

    [Fact]
    public void No_more_is_owed_than_ten_seconds()
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
    public void While_it_rests_nothing_adds_up_and_nothing_is_taken()
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
    public void No_share_is_never_due()
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

    /// <summary>
    /// Counts pieces of work of the same size, of jobs and of requests, while both wait. A piece that ran while no request waited
    /// does not count: on a busy machine the clients may be slower than the workers, and an idle worker is free for jobs.
    /// </summary>
    private static async Task<(double Jobs, double Requests)> SaturateAsync(double share, TimeSpan time)
    {
        int jobs = 0, requests = 0;
        bool counts = false;
        FixedThreadPool? pool = null;
        void Work(ref int count)
        {
            bool requestsWait = pool?.GetSnapshot().QueueLength > 0;
            Thread.Sleep(Piece);
            if (requestsWait && Volatile.Read(ref counts)) Interlocked.Increment(ref count);
        }
        await using Rig rig = await Rig.StartAsync(
            (_, _) =>
            {
                Work(ref jobs);
                return ScriptedExecutor.Success;
            },
            options: Rig.Options with { Share = share });
        pool = rig.Pool;
        using var over = new CancellationTokenSource();

        async Task RequestAsync()
        {
            while (!over.IsCancellationRequested)
            {
                await rig.Pool.RunAsync(() => Work(ref requests));
            }
        }
        Task[] clients = [.. Enumerable.Range(0, 40).Select(_ => RequestAsync())];
        await UntilAsync(() => rig.Pool.GetSnapshot().QueueLength > 20);
        for (int i = 0; i < 2000; i++) await rig.AcceptAsync();
        Volatile.Write(ref counts, true);
        await Task.Delay(time, Token);
        Volatile.Write(ref counts, false);
        rig.Dispatcher.Close();
        await over.CancelAsync();
        await Task.WhenAll(clients).Patiently();
        return (jobs, requests);
    }
}
