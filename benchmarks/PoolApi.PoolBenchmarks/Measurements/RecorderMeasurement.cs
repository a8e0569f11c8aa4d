using PoolApi.PoolBenchmarks.Peers;
using PoolApi.PoolBenchmarks.Reporting;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>The cost of the flight recorder in the flood. Only an internal option, which is set here, turns the recorder off.</summary>
internal sealed class RecorderMeasurement : IMeasurement
{
    private const double Least = 0.99;

    private static readonly int[] ProducerCounts = [1, 2];

    private static readonly PeerKind Unrecorded = new(
        "PoolApi, not recorded", true, static (workers, capacity) => new PoolApiPeer(workers, capacity, isTimed: false, isRecorded: false));

    public string Name => "recorder";

    public string Summary => "the flood with and without the flight recorder";

    public void Run(Settings settings, Report report)
    {
        foreach (int producers in ProducerCounts)
        {
            Samples samples = Rounds.Run(settings.Rounds, [.. new[] { PeerCatalogue.PoolApi, Unrecorded }.Select(kind => new Contender(kind.Name, () =>
            {
                using IPeer peer = kind.Create(settings.Workers, FloodMeasurement.Capacity);
                return [Flood.Measure(peer, producers, settings.Items, FloodMeasurement.Capacity)];
            }))])[0];
            string title = $"flood with and without the recorder, {producers} producer{(producers > 1 ? "s" : "")}";
            new Comparison(samples, moreIsBetter: true, [PeerCatalogue.PoolApi]).Print(title, "items/s", "N0", "PoolApi");
            report.Add(Bar.AtLeast(title, Least, Unrecorded.Name, samples.Median(PeerCatalogue.PoolApi.Name) / samples.Median(Unrecorded.Name)));
        }
    }
}
