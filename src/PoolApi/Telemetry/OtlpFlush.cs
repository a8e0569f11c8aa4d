using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.Telemetry;

/// <summary>At the end of a stop: sends the last spans, metrics and log records by OTLP, and reports whether the collector accepted them.</summary>
/// <remarks>
/// A flush blocks until the collector answers, for longer than its timeout if the collector is silent; or it does not wait for an
/// export that is under way already. So each runs on a thread of its own, what is under way is waited for, and when the time is
/// over the exporter is cut. After this the exporters take nothing more, so that disposing of them does not wait for the
/// collector once again.
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

    public async Task<bool> FlushAsync(CancellationToken cancellation)
    {
        foreach (ExportRecord record in Records) record.Forget();
        // False: something is queued still. (The metrics' says so for reasons of its own, whenever there is a second reader.)
        Task tracesFlushed = OwnThread.Run("flush-traces", () =>
        {
            while (!traces.ForceFlush(LongerThanAnyFlush) && !cancellation.IsCancellationRequested) Thread.Yield();
        });
        Task logsFlushed = logs is null ? Task.CompletedTask : OwnThread.Run("flush-logs", () =>
        {
            while (!logs.ForceFlush(LongerThanAnyFlush) && !cancellation.IsCancellationRequested) Thread.Yield();
        });
        Task metricsFlushed = OwnThread.Run("flush-metrics", () => metrics.ForceFlush(LongerThanAnyFlush));
        try
        {
            await Task.WhenAll(tracesFlushed, metricsFlushed, logsFlushed).WaitAsync(cancellation);
            await Task.WhenAll(Records.Select(static record => record.Idle)).WaitAsync(cancellation);
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
