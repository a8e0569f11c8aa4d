using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Tests.History;

/// <summary>The history takes a fixed memory. Alone: the heap is everybody's.</summary>
[CollectionDefinition(nameof(HistoryMemoryTests), DisableParallelization = true)]
[Collection(nameof(HistoryMemoryTests))]
public class HistoryMemoryTests
{
    private const int Kinds = 40;

    [Fact]
    public async Task An_hour_of_items_of_many_kinds_takes_at_most_two_megabytes_per_pool()
    {
        // What other tests left may end at any moment and take its memory along; what the history holds on to is seen every time.
        var seen = new List<long>();
        for (int attempt = 0; attempt < 5 && !seen.Exists(static bytes => bytes is > 200 << 10 and < 2 << 20); attempt++) seen.Add(await AnHourAsync());
        Assert.Contains(seen, static bytes => bytes is > 200 << 10 and < 2 << 20);
    }

    private static async Task<long> AnHourAsync()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync();
        KindItem[] items = [.. Enumerable.Range(0, Kinds).Select(static i => new KindItem($"kind {i}"))];
        await SecondAsync(app, items); // the ring of the worker is there
        long before = Settled();
        for (int second = 0; second < 3700; second++) await SecondAsync(app, items);
        long after = Settled();

        Assert.Equal(KindTimes.MostKinds + 1, app.History.Latest!.Kinds.Count); // and the others
        Assert.Equal(360, app.History.ByTenSeconds().Length);
        return after - before;
    }

    /// <summary>The heap, once the finalizers of what other tests left have run.</summary>
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
