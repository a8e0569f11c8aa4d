using System.Collections.Concurrent;

namespace PoolApi.Threading.Tests;

/// <summary>A worker that dies all the same is replaced and counted, and nothing is lost by it.</summary>
public class WorkerDeathTests
{
    [Fact]
    public async Task A_worker_interrupted_in_its_sleep_is_replaced()
    {
        var observer = new RecordingObserver();
        FixedThreadPool pool = Pools.Make(observer: observer);
        Thread first = await pool.RunAsync(() => Thread.CurrentThread).Patiently();
        first.Interrupt();
        first.JoinPatiently();
        Thread second = await pool.RunAsync(() => Thread.CurrentThread).Patiently();
        Assert.NotSame(first, second);
        Assert.Equal(first.Name, second.Name);
        (int worker, Exception error) = Assert.Single(observer.Replaced);
        Assert.Equal(0, worker);
        Assert.IsType<ThreadInterruptedException>(error);
        ShutdownReport report = await pool.ShutdownAsync(ShutdownMode.Drain, Timeout.InfiniteTimeSpan).Patiently();
        Assert.Equal((1, 2L), (report.WorkersJoined, report.Counts.Completed));
        Assert.False(second.IsAlive);
        pool.Dispose();
    }

    [Fact]
    public async Task A_worker_interrupted_inside_an_item_fails_the_item_and_lives()
    {
        var observer = new RecordingObserver();
        using FixedThreadPool pool = Pools.Make(observer: observer);
        using var never = new ManualResetEventSlim();
        using var started = new ManualResetEventSlim();
        Thread? thread = null;
        var item = new TestItem(_ =>
        {
            thread = Thread.CurrentThread;
            started.Set();
            never.WaitPatiently();
        });
        pool.Accepted(item);
        started.WaitPatiently();
        thread!.Interrupt();
        Assert.Equal(WorkOutcome.Failed, await item.Endings.First);
        Assert.IsType<ThreadInterruptedException>(item.Endings.Error);
        Assert.Same(thread, await pool.RunAsync(() => Thread.CurrentThread).Patiently());
        Assert.Empty(observer.Replaced);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_item_that_leaves_an_interrupt_behind_is_still_told_its_end(bool asynchronous)
    {
        var observer = new RecordingObserver();
        FixedThreadPool pool = Pools.Make(observer: observer);
        PoolWorkItem item = asynchronous
            ? new AsyncTestItem(async _ =>
            {
                await Task.Yield();
                Thread.CurrentThread.Interrupt();
            })
            : new TestItem(_ => Thread.CurrentThread.Interrupt());
        Endings endings = item is TestItem sync ? sync.Endings : ((AsyncTestItem)item).Endings;
        using var stop = new ManualResetEventSlim();
        // Somebody always holds or wants the gate, so that the interrupt strikes there now and then.
        Thread noise = Patience.OnOwnThread(() =>
        {
            while (!stop.IsSet) pool.GetSnapshot();
        });
        for (int round = 1; round <= 200; round++)
        {
            pool.Accepted(item);
            Patience.Until(() => endings.Count == round);
        }
        stop.Set();
        noise.JoinPatiently();
        Assert.All(endings.Outcomes, o => Assert.Equal(WorkOutcome.Completed, o));
        Thread last = await pool.RunAsync(() => Thread.CurrentThread).Patiently();
        pool.Dispose();
        Assert.False(last.IsAlive);
        Assert.Equal(201, pool.GetSnapshot().Counts.Completed);
        Assert.InRange(observer.Replaced.Count, 1, 201);
    }

    [Fact]
    public void Workers_that_die_while_they_are_being_woken_lose_no_wake_up()
    {
        var observer = new RecordingObserver();
        FixedThreadPool pool = Pools.Make(3, observer: observer);
        var threads = new ConcurrentDictionary<int, Thread>();
        bool over = false;
        Thread killer = Patience.OnOwnThread(() =>
        {
            while (!Volatile.Read(ref over))
            {
                foreach (Thread thread in threads.Values) thread.Interrupt();
                Thread.Yield();
            }
        });
        var items = new TestItem[2000];
        for (int i = 0; i < items.Length; i++)
        {
            // One at a time: each must wake a worker, so a lost wake-up hangs here.
            items[i] = new TestItem(_ => threads[Environment.CurrentManagedThreadId] = Thread.CurrentThread);
            pool.Accepted(items[i]);
            Patience.Until(() => items[i].Endings.Count == 1);
        }
        Volatile.Write(ref over, true);
        killer.JoinPatiently();
        using (pool.Occupy())
        {
            // Whole: three workers run three items at once.
            Assert.Equal(3, pool.GetSnapshot().InFlight);
        }
        Patience.OnOwnThread(pool.Dispose).JoinPatiently();
        Assert.NotEmpty(observer.Replaced);
        Assert.All(items, item => Assert.Equal(1, item.Endings.Count));
        PoolCounts counts = pool.GetSnapshot().Counts;
        Assert.Equal(counts.Accepted, counts.Ended);
        Assert.All(threads.Values, thread => Assert.False(thread.IsAlive));
        Assert.Equal([0, 1, 2], observer.Joined);
    }
}
