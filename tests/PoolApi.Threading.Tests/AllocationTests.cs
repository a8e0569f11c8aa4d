namespace PoolApi.Threading.Tests;

/// <summary>TrySubmit allocates nothing, whatever its answer, when nobody listens to the metrics: so never beside MetricsTests.</summary>
[Collection(nameof(MetricsTests))]
public class AllocationTests
{
    [Theory]
    [InlineData(SubmitResult.Accepted)]
    [InlineData(SubmitResult.QueueFull)]
    [InlineData(SubmitResult.Closed)]
    public void Submitting_allocates_nothing(SubmitResult answer)
    {
        int capacity = answer == SubmitResult.QueueFull ? 1 : 1024;
        using FixedThreadPool pool = Pools.Make(2, capacity, maxQueueTime: TimeSpan.FromSeconds(30));
        var items = new Reused[500];
        for (int i = 0; i < items.Length; i++) items[i] = new Reused();
        using Occupation? busy = answer == SubmitResult.QueueFull ? pool.Occupy() : null;
        if (answer == SubmitResult.QueueFull) pool.Accepted(new TestItem());
        if (answer == SubmitResult.Closed) pool.Close();

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
                    if (pool.TrySubmit(item) != answer) unexpected++;
                }
                allocated = Math.Min(allocated, GC.GetAllocatedBytesForCurrentThread() - before);
                if (answer != SubmitResult.Accepted) continue;
                foreach (Reused item in items) item.Ended.WaitPatiently();
                foreach (Reused item in items) item.Ended.Reset();
            }
        }).JoinPatiently();
        Assert.Equal(0, unexpected);
        Assert.Equal(0, allocated);
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
