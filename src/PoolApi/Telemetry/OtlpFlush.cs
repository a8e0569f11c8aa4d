using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.Telemetry;

/// <summary>At the end of a stop: sends the last spans and metrics by OTLP, and tells whether the collector took them.</summary>
/// <remarks>
/// A flush blocks until the collector answers, for longer than it is told to if there is silence. So each runs on a thread
/// of its own, and when the time is over the exporter is cut. After this the exporters take nothing more, so that disposing
/// of them does not wait for the collector once again.
/// </remarks>
internal sealed class OtlpFlush(
    RecordedTraceExporter traceExporter, RecordedMetricExporter metricExporter, TracerProvider traces, MeterProvider metrics) : ITelemetryFlush
{
    private const int LongerThanAnyFlush = 60_000; // milliseconds; the token ends it

    public async Task<bool> FlushAsync(CancellationToken cancellation)
    {
        Task tracesFlushed = OnThreadOfItsOwn("flush-traces", traceExporter, () => traces.ForceFlush(LongerThanAnyFlush));
        Task metricsFlushed = OnThreadOfItsOwn("flush-metrics", metricExporter, () => metrics.ForceFlush(LongerThanAnyFlush));
        try
        {
            await Task.WhenAll(tracesFlushed, metricsFlushed).WaitAsync(cancellation);
            return traceExporter.Record.IsClean && metricExporter.Record.IsClean;
        }
        finally
        {
            traceExporter.Close();
            metricExporter.Close();
        }
    }

    private static Task OnThreadOfItsOwn(string name, IRecordedExporter exporter, Action flush)
    {
        exporter.Record.Forget();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                flush();
                done.SetResult();
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        })
        { IsBackground = true, Name = name };
        thread.UnsafeStart();
        return done.Task;
    }
}
