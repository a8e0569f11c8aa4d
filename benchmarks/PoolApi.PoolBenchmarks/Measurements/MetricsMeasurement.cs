using PoolApi.PoolBenchmarks.Metrics;
using PoolApi.PoolBenchmarks.Peers;
using PoolApi.PoolBenchmarks.Reporting;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>The speed of the flood while every metric of the pool is collected.</summary>
internal sealed class MetricsMeasurement : IMeasurement
{
    private const string Listened = "PoolApi + MeterListener", Sdk = "PoolApi + OpenTelemetry SDK";

    private const double BarToTaskRun = 1.0;

    private static readonly int[] ProducerCounts = [1, 2];

    public string Name => "metrics";

    public string Summary => "the flood, with every metric collected";

    public void Run(Settings settings, Report report)
    {
        foreach (int producers in ProducerCounts)
        {
            string title = $"flood with metrics, {producers} producer{(producers > 1 ? "s" : "")}";
            List<Contender> contenders =
            [
                Flooded(PeerCatalogue.PoolApi.Name, PeerCatalogue.PoolApi, static () => null),
                Flooded(Listened, PeerCatalogue.PoolApi, static () => new ListenerCollector()),
                Flooded(Sdk, PeerCatalogue.PoolApi, static () => new OpenTelemetryCollector()),
            ];
            if (settings.WithPeers) contenders.Add(Flooded(PeerCatalogue.TaskRun.Name, PeerCatalogue.TaskRun, static () => null));
            Samples samples = Rounds.Run(settings.Rounds, contenders)[0];

            var comparison = new Comparison(samples, moreIsBetter: true, [PeerCatalogue.TaskRun]);
            comparison.Print(title, "items/s", "N0");
            foreach ((string name, string collector) in new[] { (Listened, "MeterListener"), (Sdk, "OpenTelemetry") })
            {
                if (comparison.ToTaskRun(name) is { } ratio)
                    report.Add(Bar.AtLeast($"{title}, {collector}", BarToTaskRun, PeerCatalogue.TaskRun.Name, ratio));
            }

            Contender Flooded(string name, PeerKind kind, Func<IMetricsCollector?> collect) => new(name, () =>
            {
                // The collector exists before the pool, as in a service.
                using IMetricsCollector? collector = collect();
                using IPeer peer = kind.Create(settings.Workers, FloodMeasurement.Capacity);
                double rate = Flood.Measure(peer, producers, settings.Items, FloodMeasurement.Capacity);
                if (collector is not null) Check(collector, settings.Items);
                return [rate];
            });
        }
    }

    /// <summary>Throws if items are missing, since a collector that collects nothing would be fast.</summary>
    private static void Check(IMetricsCollector collector, long items)
    {
        // The flood's clock stops when the last item has run. The item is reported shortly afterwards.
        Thread.Sleep(50);
        long finished = collector.CollectFinished();
        if (finished < items) throw new InvalidOperationException($"Of {items:N0} items, the metrics report {finished:N0}.");
    }
}
