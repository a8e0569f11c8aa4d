using System.Globalization;
using PoolApi.PoolBenchmarks.Peers;
using PoolApi.PoolBenchmarks.Reporting;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>Whether throughput holds when more threads post than there are processors.</summary>
internal sealed class ProducersMeasurement : IMeasurement
{
    private const int Capacity = 65_536;

    private const double BarToPeak = 0.5;

    private static readonly int[] ProducerCounts = [1, 2, 4, 8, 16];

    public string Name => "producers";

    public string Summary => $"tiny items, capacity {Capacity:N0}, 1 to 16 producers, this pool alone";

    public void Run(Settings settings, Report report)
    {
        Samples samples = Rounds.Run(settings.Rounds, [.. ProducerCounts.Select(producers => new Contender(NameOf(producers), () =>
        {
            using IPeer peer = PeerCatalogue.PoolApi.Create(settings.Workers, Capacity);
            return [Flood.Measure(peer, producers, settings.Items, Capacity)];
        }))])[0];

        double peak = ProducerCounts.Max(producers => samples.Median(NameOf(producers)));
        double worst = ProducerCounts.Min(producers => samples.Median(NameOf(producers))) / peak;
        var table = new TextTable($"{Name} (items/s, more is better)", "producers", "median", "lowest", "highest", "× peak");
        foreach (string name in ProducerCounts.Select(NameOf))
        {
            double median = samples.Median(name);
            table.Add(
                name, Figure(median, "N0"), Figure(samples.Lowest(name), "N0"), Figure(samples.Highest(name), "N0"),
                Figure(median / peak, "F2"));
        }
        table.Print();
        report.Add(Bar.AtLeast("producers, 1 to 16, the worst", BarToPeak, "the peak", worst));

        static string NameOf(int producers) => producers.ToString(CultureInfo.InvariantCulture);
        static string Figure(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
    }
}
