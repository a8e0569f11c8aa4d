using System.Diagnostics;
using PoolApi.PoolBenchmarks.Peers;
using PoolApi.PoolBenchmarks.Reporting;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>The time from posting an item to a pool that has been idle for a millisecond until its first instruction.</summary>
internal sealed class WakeMeasurement : IMeasurement
{
    private const int Capacity = 1024, IdleMilliseconds = 1;

    // A wake-up takes a millisecond, a round trip some tens of microseconds.
    private const int PingsPerWake = 20;

    private const double BarToUnsafeQueue = 0.6;

    public string Name => "wake";

    public string Summary => "submitting to an idle pool, to the item's first instruction";

    public void Run(Settings settings, Report report)
    {
        int wakes = Math.Max(settings.Pings / PingsPerWake, 10);
        IReadOnlyList<PeerKind> kinds = settings.Contenders(PeerCatalogue.Peers);
        Samples[] samples = Rounds.Run(settings.Rounds, [.. kinds.Select(kind => new Contender(kind.Name, () =>
        {
            using IPeer peer = kind.Create(settings.Workers, Capacity);
            var clock = new WakeClock(peer);
            clock.Wake(Math.Max(wakes / 10, 10));
            return Percentiles.MedianAnd99th(clock.Wake(wakes));
        }))]);

        string[] percentiles = ["p50", "p99"];
        foreach ((string percentile, Samples figures) in percentiles.Zip(samples))
        {
            string title = $"wake from idle, {percentile}";
            var comparison = new Comparison(figures, moreIsBetter: false, PeerCatalogue.Peers);
            comparison.Print(title, "µs", "F1");
            if (percentile == "p50" && comparison.To(PeerCatalogue.UnsafeQueue.Name, PeerCatalogue.PoolApi.Name) is { } ratio)
                report.Add(Bar.AtMost(title, BarToUnsafeQueue, PeerCatalogue.UnsafeQueue.Name, ratio));
        }
    }

    private sealed class WakeClock
    {
        private readonly IProducer _producer;
        private long _startedAt;

        public WakeClock(IPeer peer) => _producer = peer.CreateProducer(() => Volatile.Write(ref _startedAt, Stopwatch.GetTimestamp()));

        /// <returns>The time of each item from being posted to its start, in microseconds.</returns>
        public double[] Wake(int items)
        {
            var times = new double[items];
            for (int i = 0; i < items; i++)
            {
                Volatile.Write(ref _startedAt, 0);
                long postedAt = Stopwatch.GetTimestamp();
                _producer.Post(1);
                // A sleep, not polling: on two processors a polling thread could delay the item. The sleep is also the idle
                // time of the pool before the next item.
                do Thread.Sleep(IdleMilliseconds);
                while (Volatile.Read(ref _startedAt) == 0);
                times[i] = Stopwatch.GetElapsedTime(postedAt, _startedAt).TotalMicroseconds;
            }
            return times;
        }
    }
}
