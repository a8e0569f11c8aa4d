namespace PoolApi.Threading.Tests.Queue;

/// <summary>Items of a higher priority start first, and items of a lower priority do not starve.</summary>
public class PriorityTests
{
    private static readonly WorkPriority[] All = [WorkPriority.Low, WorkPriority.Normal, WorkPriority.High];

    [Fact]
    public void Items_start_by_priority_except_for_the_turns_reserved_for_lower_priorities()
    {
        int strict = 0;
        using FixedThreadPool pool = Pools.Make();
        for (int round = 0; round < 64; round++)
        {
            var order = new List<(WorkPriority Priority, int Number)>(); // only one worker writes
            using var done = new CountdownEvent(6);
            using (pool.Occupy())
            {
                for (int i = 1; i <= 2; i++)
                {
                    foreach (WorkPriority priority in All)
                    {
                        int number = i;
                        var item = new TestItem(_ => order.Add((priority, number))) { WhenEnded = (_, _) => done.Signal() };
                        pool.Accepted(item, options: new(priority: priority));
                    }
                }
            }
            Assert.True(done.Wait(Patience.Long, TestContext.Current.CancellationToken));
            foreach (WorkPriority priority in All) Assert.Equal([1, 2], order.Where(o => o.Priority == priority).Select(o => o.Number));
            // Of six consecutive starts, at most two precede an item of a higher priority.
            int before = order.Where((o, i) => order.Skip(i + 1).Any(later => later.Priority > o.Priority)).Count();
            Assert.InRange(before, 0, 2);
            if (before == 0) strict++;
        }
        Assert.InRange(strict, 1, 64);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(0)] // 0: another seed each time
    public void Sixteen_consecutive_starts_include_one_low_and_three_normal_items_while_such_items_wait(int seed)
    {
        if (seed == 0) seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var order = new List<WorkPriority>();
        WorkPriority[] all = [.. All.SelectMany(p => Enumerable.Repeat(p, 150))];
        random.Shuffle(all);
        FixedThreadPool pool = Pools.Make();
        // The check starts at a random turn.
        for (int i = random.Next(16); i > 0; i--) pool.Run(static () => { });
        using (pool.Occupy())
        {
            foreach (WorkPriority priority in all)
                pool.Accepted(new TestItem(_ => order.Add(priority)), options: new(priority: priority));
        }
        pool.Dispose();

        Assert.Equal(all.Length, order.Count);
        // Every priority gets its share as long as items of it wait.
        int checkedWindows = 0;
        for (int end = 16; end <= order.Count; end++)
        {
            WorkPriority[] window = [.. order.Skip(end - 16).Take(16)];
            int Started(WorkPriority priority) => window.Count(p => p == priority);
            bool Waits(WorkPriority priority) => order.Skip(end).Contains(priority);
            if (Waits(WorkPriority.Low)) Assert.InRange(Started(WorkPriority.Low), 1, 16);
            if (Waits(WorkPriority.Normal)) Assert.InRange(Started(WorkPriority.Normal), 3, 16);
            if (Waits(WorkPriority.High)) Assert.Equal(12, Started(WorkPriority.High));
            if (Waits(WorkPriority.Low) && Waits(WorkPriority.High)) checkedWindows++;
        }
        Assert.InRange(checkedWindows, 100, order.Count);
    }

    [Fact]
    public async Task Low_work_is_done_under_an_endless_stream_of_high_work()
    {
        FixedThreadPool pool = Pools.Make(capacity: 200);
        bool stop = false;
        TestItem High() => new()
        {
            WhenEnded = (_, _) =>
            {
                if (!Volatile.Read(ref stop)) pool.TrySubmit(High(), options: new(priority: WorkPriority.High));
            },
        };
        for (int i = 0; i < 50; i++) pool.Accepted(High(), options: new(priority: WorkPriority.High));
        TestItem[] low = [.. Enumerable.Range(0, 20).Select(_ => new TestItem())];
        foreach (TestItem item in low) pool.Accepted(item, options: new(priority: WorkPriority.Low));
        foreach (TestItem item in low) Assert.Equal(WorkOutcome.Completed, await item.Endings.First);
        Volatile.Write(ref stop, true);
        pool.Dispose();
    }

    [Fact]
    public void All_priorities_share_one_capacity_and_the_snapshot_shows_the_length_of_each()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 6);
        using Occupation busy = pool.Occupy();
        Submit(WorkPriority.Low, 1);
        Submit(WorkPriority.Normal, 2);
        Submit(WorkPriority.High, 3);
        foreach (WorkPriority priority in All)
            Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem(), options: new(priority: priority)));
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal((6, 3, 1), (snapshot.QueueLength, snapshot.GetQueueLength(WorkPriority.High), snapshot.GetQueueLength(WorkPriority.Low)));

        void Submit(WorkPriority priority, int count)
        {
            for (int i = 0; i < count; i++) pool.Accepted(new TestItem(), options: new(priority: priority));
        }
    }

    [Fact]
    public async Task RunAsync_queues_a_call_with_the_priority_of_its_options()
    {
        using FixedThreadPool pool = Pools.Make();
        Occupation busy = pool.Occupy();
        Task[] calls = [.. All.Select(p => pool.RunAsync(() => { }, options: new(priority: p)).AsTask())];
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal((3, 1, 1), (snapshot.QueueLength, snapshot.GetQueueLength(WorkPriority.High), snapshot.GetQueueLength(WorkPriority.Low)));
        busy.Dispose();
        await Task.WhenAll(calls).Patiently();
    }

    [Theory]
    [InlineData(-2)]
    [InlineData(2)]
    public async Task An_unknown_priority_is_refused_with_the_name_of_the_parameter(int priority)
    {
        using FixedThreadPool pool = Pools.Make();
        var item = new TestItem();
        var options = new WorkOptions(priority: (WorkPriority)priority);
        Named(Assert.Throws<ArgumentOutOfRangeException>(() => pool.TrySubmit(item, options: options)));
        Named(Assert.Throws<ArgumentOutOfRangeException>(() => pool.TrySubmit([item], options: options)));
        Named(Assert.Throws<ArgumentOutOfRangeException>(() => pool.Run(() => 1, options: new(priority: (WorkPriority)priority))));
        Named(await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            async () => await pool.RunAsync(() => 1, options: new(priority: (WorkPriority)priority))));
        Assert.Equal(0, pool.GetSnapshot().Accepted);
        pool.Accepted(item); // the refusals have not changed the item

        static void Named(ArgumentOutOfRangeException e) =>
            Assert.StartsWith("priority must be Low, Normal or High", e.Message, StringComparison.Ordinal);
    }
}
