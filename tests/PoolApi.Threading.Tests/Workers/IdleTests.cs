using System.Globalization;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Tests.Workers;

/// <summary>P6: an idle pool uses no CPU.</summary>
public class IdleTests
{
    [Fact]
    public async Task Sixty_four_idle_workers_use_no_CPU_at_all()
    {
        using FixedThreadPool pool = Pools.Make(64, maxQueueTime: TimeSpan.FromSeconds(30));
        pool.Occupy().Dispose(); // every thread has run
        Patience.Until(() => pool.GetSnapshot().InFlight == 0);
        Pools.AllSleep(pool);
        List<string> threads = Pools.ThreadsNamed($"{pool.Name}-");
        Assert.Equal(64, threads.Count);
        (long Ticks, long Switches) before = Sum(threads);
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken); // the measured interval, not a wait for an event
        (long Ticks, long Switches) after = Sum(threads);
        Assert.Equal(0, after.Ticks - before.Ticks);
        // Switches are finer than ticks. At most one for each thread, because the runtime may stop all threads for a collection.
        Assert.InRange(after.Switches - before.Switches, 0, 64);
    }

    [Fact]
    public async Task A_worker_that_notifies_an_expired_item_of_its_end_does_not_keep_the_next_item_waiting()
    {
        var time = new ZeroClock();
        using FixedThreadPool pool = Pools.Make(time: time);
        using var release = new ManualResetEventSlim();
        Occupation busy = pool.Occupy();
        var expired = new TestItem { WhenEnded = (_, _) => release.WaitPatiently() };
        pool.Accepted(expired, options: new(maxQueueTime: TimeSpan.FromSeconds(1)));
        time.Advance(TimeSpan.FromSeconds(2));
        pool.Resize(2);
        try
        {
            Assert.Equal(WorkOutcome.Expired, await expired.Endings.First); // on the new worker, which stays blocked in the notification
            Task first = pool.RunAsync(static () => { }).AsTask();
            busy.Dispose();
            await first.Patiently();
            Patience.Until(() => Volatile.Read(ref pool.Core.Workers.All[0].Sleeps));
            await pool.RunAsync(static () => { }).Patiently();
        }
        finally
        {
            release.Set();
        }
    }

    [Fact]
    public void A_worker_that_records_its_measurements_does_not_count_as_idle()
    {
        var core = new PoolCore(Pools.Options(), null!);
        Worker worker = core.Workers.All[0];
        DeferredActions after = default;
        worker.HasMeasured = true;
        Assert.Equal(NextStep.Again, core.Queue.Next(worker, core.Clock.Now, default, out _, ref after));
        Assert.False(worker.Sleeps);
        worker.HasMeasured = false;
        while (core.Queue.Next(worker, core.Clock.Now, default, out _, ref after) == NextStep.Spin) Assert.False(worker.Sleeps);
        Assert.True(worker.Sleeps);
    }

    private static (long Ticks, long Switches) Sum(List<string> threads)
    {
        long ticks = 0;
        long switches = 0;
        foreach (string thread in threads)
        {
            string[] stat = Pools.ThreadStat(thread);
            ticks += Number(stat[11]) + Number(stat[12]); // utime, stime
            switches += File.ReadLines($"/proc/self/task/{thread}/status")
                .Where(line => line.Contains("ctxt_switches", StringComparison.Ordinal))
                .Sum(line => Number(line.Split('\t')[^1]));
        }
        return (ticks, switches);
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
