namespace PoolApi.AspNetCore.Shutdown;

/// <summary>
/// An exporter that sends telemetry in batches and has to send the last batch at the end of a stop. Register one or more as services. When
/// the server has stopped, the stop (state Flushing) calls all of them concurrently.
/// </summary>
public interface ITelemetryFlush
{
    /// <summary>Sends the telemetry that is left. It must not block the calling thread.</summary>
    /// <param name="cancellationToken">Cancelled 2 seconds after the call.</param>
    /// <returns>Whether the receiver accepted all of it. If not, or if the call throws or is late, the log reports it, and with <c>AddPoolProcessLifetime</c> the exit code is 5.</returns>
    Task<bool> FlushAsync(CancellationToken cancellationToken);

    /// <summary>What was not sent, and why, for the log. Read only after a flush that failed. Default: <see langword="null"/>.</summary>
    string? Fault => null;
}
