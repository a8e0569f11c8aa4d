using System.Diagnostics;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;

namespace PoolApi.Telemetry;

/// <summary>An OTLP exporter whose own results can be asked for. What its provider says of a flush does not tell them.</summary>
internal interface IRecordedExporter
{
    ExportRecord Record { get; }

    /// <summary>Cuts an export that is under way, and takes no further one.</summary>
    void Close();
}

/// <summary>What became of an exporter's exports.</summary>
/// <remarks>Exports come from the provider's own thread, one at a time; whoever flushes looks on from another.</remarks>
internal sealed class ExportRecord
{
    private volatile bool _isClosed;
    private volatile bool _hasFailed;
    private volatile bool _isUnderWay;

    /// <summary>Nothing has failed since the last <see cref="Forget"/>, and nothing is under way.</summary>
    public bool IsClean => !_hasFailed && !_isUnderWay;

    public void Forget() => _hasFailed = false;

    public void Close() => _isClosed = true;

    public bool TryBegin()
    {
        if (_isClosed) return false;
        _isUnderWay = true;
        return true;
    }

    public ExportResult End(ExportResult result)
    {
        if (result != ExportResult.Success) _hasFailed = true;
        _isUnderWay = false;
        return result;
    }
}

/// <summary>Traces by OTLP.</summary>
internal sealed class RecordedTraceExporter(OtlpExporterOptions options) : OtlpTraceExporter(options), IRecordedExporter
{
    public ExportRecord Record { get; } = new();

    public override ExportResult Export(in Batch<Activity> activityBatch) =>
        Record.TryBegin() ? Record.End(base.Export(activityBatch)) : ExportResult.Failure;

    public void Close()
    {
        Record.Close();
        Shutdown(0);
    }
}

/// <summary>Metrics by OTLP.</summary>
internal sealed class RecordedMetricExporter(OtlpExporterOptions options) : OtlpMetricExporter(options), IRecordedExporter
{
    public ExportRecord Record { get; } = new();

    public override ExportResult Export(in Batch<Metric> metrics) =>
        Record.TryBegin() ? Record.End(base.Export(metrics)) : ExportResult.Failure;

    public void Close()
    {
        Record.Close();
        Shutdown(0);
    }
}
