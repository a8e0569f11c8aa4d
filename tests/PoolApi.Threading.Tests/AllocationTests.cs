namespace PoolApi.Threading.Tests;

/// <summary>TrySubmit allocates nothing, whatever its answer, when nobody listens to the metrics.</summary>
/// <remarks>Beside no other test: others listen to the metrics, and what they allocate is counted here.</remarks>
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
        // On a thread of its own; the first rounds pay for compiling, and a background compilation may come later.
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
        // Of the whole process, since it is the worker or the ThreadPool that might allocate. The runtime does too: a round is short, so that
        // in one of many it has not.
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
        // Less than a byte for each call: the loop's own state machine and what the runtime does beside it.
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
