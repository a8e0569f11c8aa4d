using System.Diagnostics;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;

namespace PoolApi.Telemetry;

/// <summary>Traces by OTLP.</summary>
internal sealed class RecordedTraceExporter(OtlpExporterOptions options, ExportRecord record) : OtlpTraceExporter(options)
{
    public ExportRecord Record => record;

    public override ExportResult Export(in Batch<Activity> activityBatch) =>
        record.TryBegin() ? record.End(base.Export(activityBatch)) : ExportResult.Failure;

    /// <summary>Takes no further export, and asks for the one under way to be given up.</summary>
    public void Close()
    {
        record.Close();
        Shutdown(0);
    }
}

/// <summary>The log by OTLP. Its exporter is sealed, so the record is kept of its requests: each export is one.</summary>
internal sealed class RecordedLogExport(OtlpExporterOptions options, ExportRecord record)
{
    public ExportRecord Record => record;

    public OtlpLogExporter Exporter { get; } = new(options);

    /// <summary>Takes no further export, and asks for the one under way to be given up.</summary>
    public void Close()
    {
        record.Close();
        Exporter.Shutdown(0);
    }
}

/// <summary>Metrics by OTLP.</summary>
internal sealed class RecordedMetricExporter(OtlpExporterOptions options, ExportRecord record) : OtlpMetricExporter(options)
{
    public ExportRecord Record => record;

    public override ExportResult Export(in Batch<Metric> metrics) =>
        record.TryBegin() ? record.End(base.Export(metrics)) : ExportResult.Failure;

    /// <summary>Takes no further export, and asks for the one under way to be given up.</summary>
    public void Close()
    {
        record.Close();
        Shutdown(0);
    }
}
