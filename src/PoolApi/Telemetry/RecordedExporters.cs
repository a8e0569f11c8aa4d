using System.Diagnostics;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;

namespace PoolApi.Telemetry;

/// <summary>What became of an OTLP exporter's exports. What its provider says of a flush does not tell that.</summary>
/// <remarks>Exports come from the provider's own thread, one at a time; whoever flushes looks on from another.</remarks>
internal sealed class ExportRecord
{
    private volatile bool _isClosed;
    private volatile bool _hasFailed;
    private volatile TaskCompletionSource _idle = Ended();

    /// <summary>Whether an export has failed that ended after the last <see cref="Forget"/>.</summary>
    public bool HasFailed => _hasFailed;

    /// <summary>Completes when no export is under way.</summary>
    public Task Idle => _idle.Task;

    public void Forget() => _hasFailed = false;

    public void Close() => _isClosed = true;

    public bool TryBegin()
    {
        if (_isClosed) return false;
        _idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return true;
    }

    public ExportResult End(ExportResult result)
    {
        if (result != ExportResult.Success) _hasFailed = true;
        _idle.TrySetResult();
        return result;
    }

    private static TaskCompletionSource Ended()
    {
        var ended = new TaskCompletionSource();
        ended.SetResult();
        return ended;
    }
}

/// <summary>Traces by OTLP.</summary>
internal sealed class RecordedTraceExporter(OtlpExporterOptions options) : OtlpTraceExporter(options)
{
    public ExportRecord Record { get; } = new();

    public override ExportResult Export(in Batch<Activity> activityBatch) =>
        Record.TryBegin() ? Record.End(base.Export(activityBatch)) : ExportResult.Failure;

    /// <summary>Takes no further export, and asks for the one under way to be given up.</summary>
    public void Close()
    {
        Record.Close();
        Shutdown(0);
    }
}

/// <summary>Metrics by OTLP.</summary>
internal sealed class RecordedMetricExporter(OtlpExporterOptions options) : OtlpMetricExporter(options)
{
    public ExportRecord Record { get; } = new();

    public override ExportResult Export(in Batch<Metric> metrics) =>
        Record.TryBegin() ? Record.End(base.Export(metrics)) : ExportResult.Failure;

    /// <summary>Takes no further export, and asks for the one under way to be given up.</summary>
    public void Close()
    {
        Record.Close();
        Shutdown(0);
    }
}
