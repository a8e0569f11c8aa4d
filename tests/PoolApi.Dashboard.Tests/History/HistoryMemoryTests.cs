using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Tests.History;

/// <summary>The history takes a bounded amount of memory. No other test runs beside this one, since all share the heap.</summary>
[CollectionDefinition(nameof(HistoryMemoryTests), DisableParallelization = true)]
[Collection(nameof(HistoryMemoryTests))]
public class HistoryMemoryTests
{
    private const int Kinds = 40;

    [Fact]
    public async Task An_hour_of_items_of_many_kinds_takes_at_most_two_megabytes_per_pool()
    {
        // Objects of other tests may be collected at any moment, which changes the result. What the history keeps counts in each attempt.
        var seen = new List<long>();
        for (int attempt = 0; attempt < 5 && !seen.Exists(static bytes => bytes is > 200 << 10 and < 2 << 20); attempt++) seen.Add(await AnHourAsync());
        Assert.Contains(seen, static bytes => bytes is > 200 << 10 and < 2 << 20);
    }

    private static async Task<long> AnHourAsync()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync();
        KindItem[] items = [.. Enumerable.Range(0, Kinds).Select(static i => new KindItem($"kind {i}"))];
        await SecondAsync(app, items); // allocates the ring of the worker
        long before = Settled();
        for (int second = 0; second < 3700; second++) await SecondAsync(app, items);
        long after = Settled();

        Assert.Equal(KindTimes.MostKinds + 1, app.History.Latest!.Kinds.Count); // and one for all other kinds
        Assert.Equal(360, app.History.ByTenSeconds().Length);
        return after - before;
    }

    /// <summary>The size of the heap, after the finalizers of other tests' objects have run.</summary>
    private static long Settled()
    {
        long last = long.MaxValue;
        for (int i = 0; i < 20; i++)
        {
            long now = GC.GetTotalMemory(forceFullCollection: true);
            GC.WaitForPendingFinalizers();
            if (Math.Abs(last - now) < 10_000) return now;
            last = now;
        }
        return last;
    }

    private static async Task SecondAsync(MonitoredApp app, KindItem[] items)
    {
        foreach (KindItem item in items) item.SubmitTo(app.Pool);
        foreach (KindItem item in items) await item.Ended;
        app.Tick();
    }

    private sealed class KindItem(string kind) : PoolWorkItem
    {
        private volatile TaskCompletionSource _ended = new();

        public override string Kind => kind;

        public Task Ended => _ended.Task;

        public void SubmitTo(FixedThreadPool pool)
        {
            _ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Assert.True(pool.TrySubmit(this));
        }

        protected override void Execute()
        {
        }

        protected override void OnEnded(WorkOutcome outcome, Exception? exception) => _ended.SetResult();
    }
}
