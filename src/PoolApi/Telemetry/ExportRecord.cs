using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using PoolApi.Threading;

namespace PoolApi.Telemetry;

/// <summary>Records whether the exports of one OTLP exporter reached its collector. A provider's flush returns no such result.</summary>
/// <remarks>
/// The log has a line for the first export that fails, with the reason, and for the first one that succeeds afterwards. Exports run on the
/// provider's own thread, one at a time. A flush reads the record from another thread.
/// </remarks>
internal sealed partial class ExportRecord
{
    private readonly string _signal;
    private readonly Uri _endpoint;
    private readonly CollectorResponse _response;
    private readonly Lazy<ILogger> _logger;
    private volatile bool _isClosed;
    private volatile bool _hasFailed;
    private volatile string _fault = "";
    private volatile TaskCompletionSource _idle = Ended();
    private long _failures;
    private long _failuresSinceSuccess; // of the exporting thread

    /// <param name="signal">Traces, metrics or logs.</param>
    /// <param name="options">The exporter's options. They are changed so that they record the collector's responses.</param>
    /// <param name="logger">Gets the logger of failures and recoveries. Called late, because the log's own exporter is created before the log.</param>
    /// <param name="byRequest">Whether each HTTP request counts as an export. If not, the exporter reports each export.</param>
    public ExportRecord(string signal, OtlpExporterOptions options, Func<ILogger> logger, bool byRequest = false)
    {
        (_signal, _endpoint, _logger) = (signal, options.Endpoint, new Lazy<ILogger>(logger));
        _response = CollectorResponse.Watch(options, byRequest ? this : null);
    }

    /// <summary>Whether an export has failed that ended after the last <see cref="Forget"/>.</summary>
    public bool HasFailed => _hasFailed;

    /// <summary>Completes when no export is under way.</summary>
    public Task Idle => _idle.Task;

    /// <summary>What the last flush has lost, and why; nothing if it has lost nothing.</summary>
    public string? Lost =>
        !Idle.IsCompleted ? $"{_signal} to {_endpoint}: no answer yet"
        : _hasFailed ? $"{_signal} to {_endpoint}: {_fault}"
        : null;

    /// <summary>Exports <c>poolapi.telemetry.export.failed</c>, from 0 on.</summary>
    public void Measure(IMeterFactory meters) => meters.Create(FixedThreadPool.MeterName).CreateObservableCounter<long>(
        "poolapi.telemetry.export.failed",
        () => new Measurement<long>(Volatile.Read(ref _failures), new KeyValuePair<string, object?>("signal", _signal)),
        "{export}",
        "Exports that the collector did not accept.");

    public void Forget() => _hasFailed = false;

    public void Close() => _isClosed = true;

    public bool TryBegin()
    {
        if (_isClosed) return false;
        try
        {
            _response.Forget();
            _idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return true;
        }
        catch (OutOfMemoryException)
        {
            // The thread of the SDK has no guard: an exception would end the process. This export is lost.
            _fault = "there was no memory";
            _hasFailed = true;
            Interlocked.Increment(ref _failures);
            return false;
        }
    }

    public ExportResult End(ExportResult result)
    {
        try
        {
            if (result != ExportResult.Success) Failed();
            else if (_failuresSinceSuccess > 0) Succeeded();
        }
        catch (Exception e) when (e is AggregateException or OutOfMemoryException or ObjectDisposedException)
        {
            // A provider of the log throws, which the framework wraps; there is no memory for the line; or the log is disposed of. The thread of the
            // SDK has no guard: an exception would end the process.
        }
        finally
        {
            _idle.TrySetResult(); // a flush waits for it
        }
        return result;
    }

    private void Failed()
    {
        _fault = _response.Fault ?? "the exporter could not send them";
        _hasFailed = true;
        Interlocked.Increment(ref _failures);
        // The stop closes the exporter, and reports the failures after that itself.
        if (++_failuresSinceSuccess == 1 && !_isClosed) LogFails(_logger.Value, _endpoint, _signal, _fault);
    }

    private void Succeeded()
    {
        if (!_isClosed) LogWorks(_logger.Value, _endpoint, _signal, _failuresSinceSuccess);
        _failuresSinceSuccess = 0;
    }

    private static TaskCompletionSource Ended()
    {
        var ended = new TaskCompletionSource();
        ended.SetResult();
        return ended;
    }

    [LoggerMessage(50, LogLevel.Error, "The collector at {endpoint} does not accept {signal}: {reason}. Until it does, {signal} are lost")]
    private static partial void LogFails(ILogger logger, Uri endpoint, string signal, string reason);

    [LoggerMessage(51, LogLevel.Information, "The collector at {endpoint} accepts {signal} again, after {failures} failed exports")]
    private static partial void LogWorks(ILogger logger, Uri endpoint, string signal, long failures);
}
