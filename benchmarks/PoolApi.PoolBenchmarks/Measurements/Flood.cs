using System.Diagnostics;
using PoolApi.PoolBenchmarks.Peers;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>
/// Threads that post tiny items to a peer as fast as it takes them. Nothing waits for a single item: the clock runs from the
/// start of the producers until the last item has run.
/// </summary>
internal sealed class Flood
{
    private readonly IProducer[] _producers;
    private readonly Signal _ended = new();
    private PaddedCount _left;
    private long _endedAt;

    private Flood(Func<Action, IProducer> createProducer, int producers)
    {
        _producers = new IProducer[producers];
        for (int i = 0; i < producers; i++) _producers[i] = createProducer(RunItem);
    }

    /// <returns>Items per second.</returns>
    public static double Measure(IPeer peer, int producers, int items, int capacity) => Measure(peer.CreateProducer, producers, items, capacity);

    /// <returns>Items per second.</returns>
    public static double Measure(Func<Action, IProducer> createProducer, int producers, int items, int capacity)
    {
        var flood = new Flood(createProducer, producers);
        // A first run fills the queue to its full depth, which allocates the peer's threads, buffers and reused items.
        flood.Run(Math.Max(items / 4, 2 * capacity));
        Heap.Settle();
        return items / flood.Run(items).TotalSeconds;
    }

    private TimeSpan Run(int items)
    {
        _left.Value = items;
        _ended.Reset();
        var start = new Signal();
        var threads = new Thread[_producers.Length];
        for (int i = 0; i < threads.Length; i++)
        {
            IProducer producer = _producers[i];
            int share = (items / threads.Length) + (i < items % threads.Length ? 1 : 0);
            threads[i] = new Thread(() =>
            {
                start.Wait();
                producer.Post(share);
            });
            threads[i].Start();
        }

        long startedAt = Stopwatch.GetTimestamp();
        start.Set();
        foreach (Thread thread in threads) thread.Join();
        _ended.Wait();
        return Stopwatch.GetElapsedTime(startedAt, _endedAt);
    }

    private void RunItem()
    {
        if (Interlocked.Decrement(ref _left.Value) > 0) return;
        _endedAt = Stopwatch.GetTimestamp();
        _ended.Set();
    }
}
