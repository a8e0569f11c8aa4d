using System.Collections.Concurrent;

namespace PoolApi.Threading.Tests.Workers;

/// <summary>The pool replaces and counts a worker that dies, and loses no item.</summary>
public class WorkerDeathTests
{
    [Fact]
    public async Task A_worker_whose_loop_throws_is_replaced_under_the_same_name_and_its_item_fails()
    {
        var observer = new RecordingObserver();
        FixedThreadPool pool = Pools.Make(observer: observer);
        Thread first = await pool.RunAsync(() => Thread.CurrentThread).Patiently();
        var deadly = new DeadlyItem();
        pool.Accepted(deadly);
        Assert.Equal(WorkOutcome.Failed, await deadly.Endings.First);
        Thread second = await pool.RunAsync(() => Thread.CurrentThread).Patiently();
        first.JoinPatiently();
        Assert.NotSame(first, second);
        Assert.Equal(first.Name, second.Name);
        (int worker, Exception error) = Assert.Single(observer.Replaced);
        Assert.Equal(0, worker);
        Assert.Same(error, deadly.Endings.Error);
        ShutdownReport report = await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        Assert.Equal((1, 2L, 1L), (report.WorkersJoined, report.Counts[WorkOutcome.Completed], report.Counts[WorkOutcome.Failed]));
        Assert.False(second.IsAlive);
        pool.Dispose();
    }

    [Fact]
    public async Task An_interrupt_of_a_sleeping_worker_reaches_no_item()
    {
        var observer = new RecordingObserver();
        using FixedThreadPool pool = Pools.Make(observer: observer);
        Thread thread = await pool.RunAsync(() => Thread.CurrentThread).Patiently();
        for (int i = 0; i < 20; i++)
        {
            Pools.AllSleep(pool);
            thread.Interrupt();
            Assert.Same(thread, await pool.RunAsync(() =>
            {
                Thread.Sleep(1); // a left-over interrupt would take effect here
                return Thread.CurrentThread;
            }).Patiently());
        }
        Assert.Empty(observer.Replaced);
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
    public async Task An_item_that_interrupts_its_own_worker_is_still_notified_of_its_end(bool asynchronous)
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
        // This thread keeps the gate contended, so that some interrupts reach a worker that waits for it.
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
        Assert.Equal(201, pool.GetSnapshot().Counts[WorkOutcome.Completed]);
        Assert.Empty(observer.Replaced);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_pending_interrupt_of_an_item_does_not_reach_the_next_item(bool asynchronous)
    {
        using FixedThreadPool pool = Pools.Make();
        using var queued = new ManualResetEventSlim();
        pool.Accepted(asynchronous ? new AsyncTestItem(_ =>
        {
            Body();
            return Task.CompletedTask;
        }) : new TestItem(_ => Body()));
        var next = new TestItem(static _ => Thread.Sleep(1)); // a left-over interrupt would take effect here
        pool.Accepted(next);
        queued.Set();
        Assert.Equal(WorkOutcome.Completed, await next.Endings.First);

        void Body()
        {
            queued.WaitPatiently();
            Thread.Sleep(1); // so long that the worker clears a pending interrupt after the item
            Thread.CurrentThread.Interrupt();
        }
    }

    [Fact]
    public void Workers_that_die_while_others_are_being_woken_lose_no_wake_up()
    {
        var observer = new RecordingObserver();
        FixedThreadPool pool = Pools.Make(3, observer: observer);
        var threads = new ConcurrentDictionary<int, Thread>();
        var items = new TestItem[2000];
        var deadly = new List<DeadlyItem>();
        for (int i = 0; i < items.Length; i++)
        {
            if (i % 5 == 0)
            {
                deadly.Add(new DeadlyItem());
                pool.Accepted(deadly[^1]);
            }
            // One at a time: each must wake a worker, so a lost wake-up hangs here.
            items[i] = new TestItem(_ => threads[Environment.CurrentManagedThreadId] = Thread.CurrentThread);
            pool.Accepted(items[i]);
            Patience.Until(() => items[i].Endings.Count == 1);
        }
        Patience.Until(() => pool.GetSnapshot().InFlight == 0);
        using (pool.Occupy())
        {
            // The pool is complete: three workers run three items at once.
            Assert.Equal(3, pool.GetSnapshot().InFlight);
        }
        Patience.OnOwnThread(pool.Dispose).JoinPatiently();
        Assert.Equal(deadly.Count, observer.Replaced.Count);
        Assert.All(deadly, item => Assert.Equal([WorkOutcome.Failed], item.Endings.Outcomes));
        Assert.All(items, item => Assert.Equal(1, item.Endings.Count));
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal(snapshot.Accepted, snapshot.Counts.Values.Sum());
        // The pool joins only the last thread of each worker. A thread that dies is replaced a moment before it ends.
        Assert.All(observer.WorkersStarted.GroupBy(static started => started.Worker), static ofOne => Assert.False(ofOne.Last().Thread.IsAlive));
        Assert.All(threads.Values, static thread => thread.JoinPatiently());
        Assert.Equal([0, 1, 2], observer.Joined);
    }
}
