using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.Telemetry;

/// <summary>At the end of a stop: sends the last spans, metrics and log records by OTLP, and reports whether the collector accepted them.</summary>
/// <remarks>
/// A flush blocks until the collector answers. If the collector is silent, the flush blocks for longer than its timeout. A flush may also
/// ignore an export that is under way. So each flush runs on a thread of its own, and this type also waits for exports that are under
/// way. When the time is over, it closes the exporters. A closed exporter accepts nothing more, so its disposal does not wait for the
/// collector again.
/// </remarks>
internal sealed class OtlpFlush(
    RecordedTraceExporter traceExporter, RecordedMetricExporter metricExporter, TracerProvider traces, MeterProvider metrics,
    RecordedLogExport? logExport = null, LoggerProvider? logs = null) : ITelemetryFlush
{
    private const int LongerThanAnyFlush = 60_000; // milliseconds; the token ends it

    private ExportRecord[] Records => logExport is null
        ? [traceExporter.Record, metricExporter.Record]
        : [traceExporter.Record, metricExporter.Record, logExport.Record];

    /// <inheritdoc/>
    public string? Fault => Records.Select(static record => record.Lost).OfType<string>().ToArray() is { Length: > 0 } lost ? string.Join("; ", lost) : null;

    public async Task<bool> FlushAsync(CancellationToken cancellationToken)
    {
        foreach (ExportRecord record in Records) record.Forget();
        // ForceFlush returns false while something is queued. For metrics it also returns false if there is a second reader, so that
        // result is ignored.
        Task tracesFlushed = OwnThread.Run("flush-traces", () =>
        {
            while (!traces.ForceFlush(LongerThanAnyFlush) && !cancellationToken.IsCancellationRequested) Thread.Yield();
        });
        Task logsFlushed = logs is null ? Task.CompletedTask : OwnThread.Run("flush-logs", () =>
        {
            while (!logs.ForceFlush(LongerThanAnyFlush) && !cancellationToken.IsCancellationRequested) Thread.Yield();
        });
        Task metricsFlushed = OwnThread.Run("flush-metrics", () => metrics.ForceFlush(LongerThanAnyFlush));
        try
        {
            await Task.WhenAll(tracesFlushed, metricsFlushed, logsFlushed).WaitAsync(cancellationToken);
            await Task.WhenAll(Records.Select(static record => record.Idle)).WaitAsync(cancellationToken);
            return !Array.Exists(Records, static record => record.HasFailed);
        }
        finally
        {
            traceExporter.Close();
            metricExporter.Close();
            logExport?.Close();
        }
    }
}
