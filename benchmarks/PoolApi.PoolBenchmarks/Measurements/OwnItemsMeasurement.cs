using PoolApi.PoolBenchmarks.Payloads;
using PoolApi.PoolBenchmarks.Peers;
using PoolApi.PoolBenchmarks.Reporting;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>
/// The flood with separate items: each carries 32 bytes that the producer writes and the worker reads. In <see cref="FloodMeasurement"/> the
/// peers get one shared delegate, whose memory never moves between processors.
/// </summary>
internal sealed class OwnItemsMeasurement : IMeasurement
{
    private const double BarToBounded = 1.2, BarToUnsafeQueue = 1.0;

    private static readonly int[] ProducerCounts = [1, 2];

    private static readonly (PeerKind Kind, Func<int, int, PayloadPeer> Create)[] Peers =
    [
        (PeerCatalogue.TaskRun, static (_, _) => new TaskRunPayloads()),
        (PeerCatalogue.UnsafeQueue, static (_, _) => new UnsafeQueuePayloads()),
        (PeerCatalogue.BlockingCollection, static (workers, capacity) => new BlockingCollectionPayloads(workers, capacity)),
        (PeerCatalogue.ChannelThreads, static (workers, capacity) => new ChannelPayloads(workers, capacity)),
        (PeerCatalogue.ChannelTasks, static (workers, capacity) => new ChannelTasksPayloads(workers, capacity)),
        (PeerCatalogue.Akka, static (workers, _) => new AkkaPayloads(workers)),
        (PeerCatalogue.MonitorQueue, static (workers, _) => new MonitorQueuePayloads(workers)),
        (PeerCatalogue.PoolApi, static (workers, capacity) => new PoolApiPayloads(workers, capacity)),
    ];

    public string Name => "own-items";

    public string Summary => $"items with 32 bytes of their own, capacity {FloodMeasurement.Capacity:N0}, 1 and 2 producers";

    public void Run(Settings settings, Report report)
    {
        var peers = Peers.Where(peer => settings.WithPeers || peer.Kind == PeerCatalogue.PoolApi);
        PeerKind[] bounded = [.. Peers.Select(static p => p.Kind).Where(static kind => kind.IsBounded && kind != PeerCatalogue.PoolApi)];
        foreach (int producers in ProducerCounts)
        {
            string title = $"own items, capacity {FloodMeasurement.Capacity:N0}, {producers} producer{(producers > 1 ? "s" : "")}";
            Samples samples = Rounds.Run(settings.Rounds, [.. peers.Select(peer => new Contender(peer.Kind.Name, () =>
            {
                using PayloadPeer made = peer.Create(settings.Workers, FloodMeasurement.Capacity);
                return [Flood.Measure(made.CreateProducer, producers, settings.Items, FloodMeasurement.Capacity)];
            }))])[0];

            var comparison = new Comparison(samples, moreIsBetter: true, bounded);
            comparison.Print(title, "items/s", "N0", "best bounded peer");
            string pool = PeerCatalogue.PoolApi.Name;
            if (comparison.ToBest(pool) is { } toBest) report.Add(Bar.AtLeast(title, BarToBounded, "best bounded peer", toBest));
            if (comparison.To(PeerCatalogue.UnsafeQueue.Name, pool) is { } toUnsafeQueue)
                report.Add(Bar.AtLeast(title, BarToUnsafeQueue, PeerCatalogue.UnsafeQueue.Name, toUnsafeQueue));
        }
    }
}
