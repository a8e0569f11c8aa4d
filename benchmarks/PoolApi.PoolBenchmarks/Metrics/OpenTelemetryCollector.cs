using OpenTelemetry;
using OpenTelemetry.Metrics;
using PoolApi.Threading;

namespace PoolApi.PoolBenchmarks.Metrics;

/// <summary>The OpenTelemetry SDK as in a service, but without an export: the collected metrics stay in memory.</summary>
internal sealed class OpenTelemetryCollector : IMetricsCollector
{
    private readonly FinishedExporter _exporter = new();
    private readonly BaseExportingMetricReader _reader; // collects on request
    private readonly MeterProvider _provider;

    public OpenTelemetryCollector()
    {
        _reader = new BaseExportingMetricReader(_exporter);
        _provider = Sdk.CreateMeterProviderBuilder().AddMeter(FixedThreadPool.MeterName).AddReader(_reader).Build();
    }

    public long CollectFinished() => _reader.Collect() ? _exporter.Finished : throw new InvalidOperationException("Collecting failed.");

    public void Dispose()
    {
        _provider.Dispose();
        _reader.Dispose();
        _exporter.Dispose();
    }

    /// <summary>Keeps the one figure that is checked.</summary>
    private sealed class FinishedExporter : BaseExporter<Metric>
    {
        public long Finished { get; private set; }

        public override ExportResult Export(in Batch<Metric> batch)
        {
            long finished = 0;
            foreach (Metric metric in batch)
            {
                if (metric.Name != IMetricsCollector.FinishedInstrument) continue;
                foreach (ref readonly MetricPoint point in metric.GetMetricPoints()) finished += point.GetSumLong();
            }
            Finished = finished;
            return ExportResult.Success;
        }
    }
}
