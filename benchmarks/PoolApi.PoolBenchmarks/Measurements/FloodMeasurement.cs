using PoolApi.PoolBenchmarks.Peers;
using PoolApi.PoolBenchmarks.Reporting;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>How many tiny items pass through a deep queue in a second.</summary>
internal sealed class FloodMeasurement : IMeasurement
{
    public const int Capacity = 65_536;

    private const double BarToTaskRun = 2.0, BarToBest = 1.2;

    private static readonly int[] ProducerCounts = [1, 2];

    public string Name => "flood";

    public string Summary => $"tiny items, capacity {Capacity:N0}, 1 and 2 producers";

    public void Run(Settings settings, Report report)
    {
        foreach (int producers in ProducerCounts)
        {
            string title = $"flood, capacity {Capacity:N0}, {producers} producer{(producers > 1 ? "s" : "")}";
            IReadOnlyList<PeerKind> kinds = settings.Contenders(PeerCatalogue.Peers, PeerCatalogue.PoolApiTimed);
            int rounds = producers > 1 ? settings.ManyRounds : settings.Rounds;
            Samples samples = Rounds.Run(rounds, [.. kinds.Select(kind => new Contender(kind.Name, () =>
            {
                using IPeer peer = kind.Create(settings.Workers, Capacity);
                return [Flood.Measure(peer, producers, settings.Items, Capacity)];
            }))])[0];

            var comparison = new Comparison(samples, moreIsBetter: true, PeerCatalogue.Peers);
            comparison.Print(title, "items/s", "N0");
            string pool = PeerCatalogue.PoolApi.Name;
            if (comparison.ToTaskRun(pool) is { } toTaskRun)
                report.Add(Bar.AtLeast(title, BarToTaskRun, PeerCatalogue.TaskRun.Name, toTaskRun));
            if (comparison.ToBest(pool) is { } toBest) report.Add(Bar.AtLeast(title, BarToBest, "best peer", toBest));
        }
    }
}
