namespace PoolApi.Threading.Tests.Workers;

/// <summary>A resize changes the number of workers and loses no item.</summary>
public class ResizeTests
{
    private readonly RecordingObserver _observer = new();

    [Fact]
    public void Added_workers_start_and_take_queued_items_at_once()
    {
        using FixedThreadPool pool = Pools.Make(1, capacity: 10, observer: _observer);
        using Occupation busy = pool.Occupy();
        var waiting = new TestItem();
        pool.Accepted(waiting);
        pool.Resize(3);
        Assert.Equal(3, pool.Workers);
        Patience.Until(() => waiting.Endings.Count == 1);
        Patience.Until(() => _observer.WorkersStarted.Count == 3);
        Assert.Equal(3, pool.GetSnapshot().Workers.Count);
        Assert.Equal(3, Pools.ThreadsNamed($"{pool.Name}-").Count);
        Assert.Equal(3, pool.TaskScheduler.MaximumConcurrencyLevel);
    }

    [Fact]
    public void Busy_workers_stop_after_their_item_when_the_pool_shrinks()
    {
        FixedThreadPool pool = Pools.Make(4, observer: _observer);
        var items = new TestItem[20];
        using (pool.Occupy())
        {
            for (int i = 0; i < items.Length; i++) pool.Accepted(items[i] = new TestItem());
            pool.Resize(2);
            Assert.Equal(2, pool.Workers);
            Assert.Equal(4, pool.GetSnapshot().InFlight);
            Assert.Empty(_observer.WorkersStopped);
        }
        Patience.Until(() => _observer.WorkersStopped.Count == 2);
        Patience.Until(() => Array.TrueForAll(items, static item => item.Endings.Count == 1));
        Patience.Until(() => Pools.ThreadsNamed($"{pool.Name}-").Count == 2);
        using (pool.Occupy()) Assert.Equal(2, pool.GetSnapshot().InFlight);
        pool.Dispose();
        Assert.All(items, item => Assert.Equal([WorkOutcome.Completed], item.Endings.Outcomes));
        Pools.NoThreadIsLeft(pool);
    }

    [Fact]
    public async Task Sleeping_workers_stop_at_once_when_the_pool_shrinks()
    {
        using FixedThreadPool pool = Pools.Make(8, observer: _observer);
        Pools.AllSleep(pool);
        pool.Resize(1);
        Patience.Until(() => Pools.ThreadsNamed($"{pool.Name}-").Count == 1);
        Patience.Until(() => _observer.WorkersStopped.Count == 7);
        for (int i = 0; i < 100; i++)
        {
            if (i % 10 == 0) Pools.AllSleep(pool);
            Assert.Equal(i, await pool.RunAsync(() => i).Patiently());
        }
    }

    [Fact]
    public void The_bound_of_accepted_items_follows_the_number_of_workers()
    {
        using FixedThreadPool pool = Pools.Make(1, capacity: 2);
        pool.Resize(3);
        using var release = new ManualResetEventSlim();
        for (int i = 0; i < 5; i++) pool.Accepted(new TestItem(_ => release.WaitPatiently()));
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
        release.Set();
        Patience.Until(() => pool.GetSnapshot().Counts.Values.Sum() == 5);
        pool.Resize(1);
        Patience.Until(() => Pools.ThreadsNamed($"{pool.Name}-").Count == 1);
        using Occupation busy = pool.Occupy();
        for (int i = 0; i < 2; i++) pool.Accepted(new TestItem());
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
    }

    [Fact]
    public async Task A_worker_may_resize_its_own_pool()
    {
        using FixedThreadPool pool = Pools.Make(2);
        await pool.RunAsync(() => pool.Resize(1)).Patiently();
        Patience.Until(() => Pools.ThreadsNamed($"{pool.Name}-").Count == 1);
        await pool.RunAsync(() => pool.Resize(3)).Patiently();
        using (pool.Occupy()) Assert.Equal(3, pool.GetSnapshot().InFlight);
    }

    [Fact]
    public void Resize_does_nothing_after_the_pool_is_closed()
    {
        FixedThreadPool pool = Pools.Make(2, observer: _observer);
        _ = pool.CloseAsync();
        pool.Resize(5);
        Assert.Equal(2, pool.Workers);
        pool.Dispose();
        pool.Resize(5);
        Assert.Equal(2, _observer.WorkersStarted.Count);
        Pools.NoThreadIsLeft(pool);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1025)]
    public void A_number_out_of_range_is_refused(int workers)
    {
        using FixedThreadPool pool = Pools.Make(2);
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => pool.Resize(workers));
        Assert.Equal("workers", error.ParamName);
        Assert.StartsWith("workers must be 1 to 1024", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, pool.Workers);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(0)] // 0: another seed each time
    public void No_item_is_lost_or_runs_twice_while_a_loaded_pool_is_resized(int seed)
    {
        if (seed == 0) seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        FixedThreadPool pool = Pools.Make(2, capacity: 64, observer: _observer);
        bool over = false;
        Thread[] submitters = new Thread[2];
        var items = new List<TestItem>[2];
        for (int n = 0; n < 2; n++)
        {
            List<TestItem> mine = items[n] = [];
            submitters[n] = Patience.OnOwnThread(() =>
            {
                while (!Volatile.Read(ref over))
                {
                    var item = new TestItem();
                    if (pool.Answer(item) == SubmitResult.Accepted) mine.Add(item);
                    else pool.WaitForSpaceBlocking(Patience.Long);
                }
            });
        }
        var random = new Random(seed);
        for (int i = 0; i < 100; i++)
        {
            pool.Resize(random.Next(1, 9));
            for (int spins = random.Next(20); spins > 0; spins--) Thread.Yield();
            Pools.AddsUp(pool.GetSnapshot());
        }
        pool.Resize(3);
        Volatile.Write(ref over, true);
        foreach (Thread submitter in submitters) submitter.JoinPatiently();
        Patience.Until(() => Pools.ThreadsNamed($"{pool.Name}-").Count == 3);
        Patience.Until(() => pool.GetSnapshot() is { QueueLength: 0, InFlight: 0 });
        using (pool.Occupy()) Assert.Equal(3, pool.GetSnapshot().InFlight);
        Patience.OnOwnThread(pool.Dispose).JoinPatiently();
        Assert.All(items.SelectMany(i => i), item => Assert.Equal((1, 1), (item.Runs, item.Endings.Count)));
        Assert.Equal(items.Sum(i => i.Count) + 3, pool.GetSnapshot().Counts[WorkOutcome.Completed]);
        Assert.Equal(_observer.WorkersStarted.Count, _observer.WorkersStopped.Count);
        Pools.NoThreadIsLeft(pool);
    }
}
