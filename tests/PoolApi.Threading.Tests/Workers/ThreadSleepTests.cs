using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Tests.Workers;

/// <summary>Without a futex, the pool sleeps on monitors. Runs beside no other test, because the switch is process-wide.</summary>
[CollectionDefinition(nameof(ThreadSleepTests), DisableParallelization = true)]
[Collection(nameof(ThreadSleepTests))]
public class ThreadSleepTests
{
    [Fact]
    public void A_pool_on_monitors_sleeps_wakes_and_ends()
    {
        bool before = ThreadSleep.UsesFutex;
        ThreadSleep.UsesFutex = false;
        try
        {
            FixedThreadPool pool = Pools.Make(4, capacity: 50);
            for (int i = 0; i < 200; i++)
            {
                if (i % 20 == 0) Pools.AllSleep(pool);
                Assert.Equal(i, pool.Run(static x => x, i));
            }
            int completed = 0;
            Thread[] submitters = [.. Enumerable.Range(0, 3).Select(_ => Patience.OnOwnThread(() =>
            {
                for (int i = 0; i < 2000; i++)
                {
                    var item = new TestItem(_ => Interlocked.Increment(ref completed));
                    while (pool.Answer(item) != SubmitResult.Accepted) pool.WaitForSpaceBlocking(Patience.Long);
                }
            }))];
            foreach (Thread submitter in submitters) submitter.JoinPatiently();
            Patience.Until(() => Volatile.Read(ref completed) == 6000);
            pool.Resize(1);
            Patience.Until(() => Pools.ThreadsNamed($"{pool.Name}-").Count == 1);
            pool.Resize(3);
            using (pool.Occupy()) Assert.Equal(3, pool.GetSnapshot().InFlight);
            Patience.OnOwnThread(pool.Dispose).JoinPatiently();
            Pools.NoThreadIsLeft(pool);
        }
        finally
        {
            // Only after every thread has left its monitor: a wake-up by the futex would not reach it there.
            ThreadSleep.UsesFutex = before;
        }
    }

    [Fact]
    public void The_pool_sleeps_on_the_futex_on_Linux()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux has the futex.");
        Assert.True(ThreadSleep.UsesFutex);
    }
}
