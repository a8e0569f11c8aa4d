namespace PoolApi.Threading.Tests;

/// <summary>Without a listener to the metrics, TrySubmit allocates nothing, whatever it returns. Nor does a repeated call with a state.</summary>
/// <remarks>Runs beside no other test: other tests listen to the metrics, and their allocations would count here.</remarks>
[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
[Collection(nameof(AllocationTests))]
public class AllocationTests
{
    [Theory]
    [InlineData("accepted")]
    [InlineData("full")]
    [InlineData("closed")]
    public void Submitting_allocates_nothing(string answer)
    {
        int capacity = answer == "full" ? 1 : 1024;
        using FixedThreadPool pool = Pools.Make(2, capacity, maxQueueTime: TimeSpan.FromSeconds(30));
        var items = new Reused[500];
        for (int i = 0; i < items.Length; i++) items[i] = new Reused();
        using Occupation? busy = answer == "full" ? pool.Occupy() : null;
        if (answer == "full") pool.Accepted(new TestItem());
        if (answer == "closed") _ = pool.CloseAsync();

        long allocated = long.MaxValue;
        int unexpected = 0;
        // Counted on a thread of its own. The minimum of many rounds leaves out those in which the runtime compiles.
        Patience.OnOwnThread(() =>
        {
            for (int round = 0; round < 20; round++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                foreach (Reused item in items)
                {
                    if (pool.TrySubmit(item) != (answer == "accepted")) unexpected++;
                }
                allocated = Math.Min(allocated, GC.GetAllocatedBytesForCurrentThread() - before);
                if (answer != "accepted") continue;
                foreach (Reused item in items) item.Ended.WaitPatiently();
                foreach (Reused item in items) item.Ended.Reset();
            }
        }).JoinPatiently();
        Assert.Equal(0, unexpected);
        Assert.Equal(0, allocated);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_repeated_call_with_a_state_allocates_nothing(bool asynchronous)
    {
        const int Calls = 100;
        using FixedThreadPool pool = Pools.Make(1, maxQueueTime: TimeSpan.FromSeconds(30));
        double fewest = double.MaxValue;
        // Counts the whole process, because the worker or the ThreadPool might allocate. The runtime allocates too, so a round is short:
        // in at least one of many rounds it allocates nothing.
        for (int round = 0; round < 20_000 && fewest >= 1; round++)
        {
            int sum = 0;
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < Calls; i++)
            {
                if (asynchronous) sum += await pool.RunAsync(static x => x + 1, i);
                else sum += pool.Run(static x => x + 1, i);
            }
            fewest = Math.Min(fewest, (double)(GC.GetTotalAllocatedBytes(precise: true) - before) / Calls);
            Assert.Equal(Calls * (Calls + 1) / 2, sum);
        }
        // Less than one byte for each call is left for the test's own state machine and for the runtime.
        Assert.InRange(fewest, 0, 0.99);
    }

    private sealed class Reused : PoolWorkItem
    {
        public ManualResetEventSlim Ended { get; } = new();

        protected override void Execute()
        {
        }

        protected override void OnEnded(WorkOutcome outcome, Exception? exception) => Ended.Set();
    }
}
