using PoolApi.PoolBenchmarks.Peers;
using PoolApi.PoolBenchmarks.Reporting;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>How many tiny items pass through a short queue in a second. Producers often have to wait for space.</summary>
internal sealed class BoundedMeasurement : IMeasurement
{
    private const int Capacity = 1024;

    private const double BarToBest = 1.2;

    private static readonly int[] ProducerCounts = [1, 2];

    public string Name => "bounded";

    public string Summary => $"tiny items, capacity {Capacity:N0}, 1 and 2 producers, against bounded peers";

    public void Run(Settings settings, Report report)
    {
        PeerKind[] bounded = [.. PeerCatalogue.Peers.Where(kind => kind.IsBounded)];
        foreach (int producers in ProducerCounts)
        {
            string title = $"bounded, capacity {Capacity:N0}, {producers} producer{(producers > 1 ? "s" : "")}";
            IReadOnlyList<PeerKind> kinds = settings.Contenders([PeerCatalogue.TaskRun, .. bounded], PeerCatalogue.PoolApiTimed);
            Samples samples = Rounds.Run(settings.Rounds, [.. kinds.Select(kind => new Contender(kind.Name, () =>
            {
                using IPeer peer = kind.Create(settings.Workers, Capacity);
                return [Flood.Measure(peer, producers, settings.Items, Capacity)];
            }))])[0];

            var comparison = new Comparison(samples, moreIsBetter: true, bounded);
            comparison.Print(title, "items/s", "N0", "best bounded peer");
            if (comparison.ToBest(PeerCatalogue.PoolApi.Name) is { } toBest)
                report.Add(Bar.AtLeast(title, BarToBest, "best bounded peer", toBest));
        }
    }
}
