using PoolApi.PoolBenchmarks.Peers;
using PoolApi.PoolBenchmarks.Reporting;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>The cost of a limit on running (<c>MaxRunTime</c>) in the flood. With a limit, the start of each item is measured.</summary>
internal sealed class RunLimitMeasurement : IMeasurement
{
    private static readonly int[] ProducerCounts = [1, 2];

    private static readonly PeerKind Limited = new(
        "PoolApi, MaxRunTime", true, static (workers, capacity) => new PoolApiPeer(workers, capacity, isTimed: false, TimeSpan.FromMinutes(1)));

    public string Name => "run-limit";

    public string Summary => "the flood without and with a limit on running";

    public void Run(Settings settings, Report report)
    {
        foreach (int producers in ProducerCounts)
        {
            Samples samples = Rounds.Run(settings.Rounds, [.. new[] { PeerCatalogue.PoolApi, PeerCatalogue.PoolApiTimed, Limited }.Select(kind => new Contender(kind.Name, () =>
            {
                using IPeer peer = kind.Create(settings.Workers, FloodMeasurement.Capacity);
                return [Flood.Measure(peer, producers, settings.Items, FloodMeasurement.Capacity)];
            }))])[0];
            new Comparison(samples, moreIsBetter: true, [PeerCatalogue.PoolApi])
                .Print($"flood with a limit on running, {producers} producer{(producers > 1 ? "s" : "")}", "items/s", "N0", "PoolApi");
        }
    }
}
