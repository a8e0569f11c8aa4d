using System.Globalization;

namespace PoolApi.Threading.Tests;

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
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken); // what is measured, not a wait for anything
        (long Ticks, long Switches) after = Sum(threads);
        Assert.Equal(0, after.Ticks - before.Ticks);
        // Finer than ticks: hardly a thread was even woken. (The runtime itself may stop all threads for a collection.)
        Assert.InRange(after.Switches - before.Switches, 0, 64);
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
