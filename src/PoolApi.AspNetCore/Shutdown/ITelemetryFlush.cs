namespace PoolApi.AspNetCore.Shutdown;

/// <summary>
/// Something that holds telemetry back to send it in batches, and sends the rest at the end of a stop. Register one or more
/// as services; the stop calls them when the server has stopped (state Flushing), all at once.
/// </summary>
public interface ITelemetryFlush
{
    /// <summary>Sends what is left. Must not block the caller: what blocks belongs on a thread of its own.</summary>
    /// <param name="cancellation">Cancelled when the time is over, 2 seconds after the call.</param>
    /// <returns>Whether all of it was taken by who it was for. If not, or if it throws or is late, the log says so; with <c>AddPoolProcessLifetime</c> the exit code is 5.</returns>
    Task<bool> FlushAsync(CancellationToken cancellation);

    /// <summary>What was not sent, and why, for the log; asked for when it was not.</summary>
    string? Fault => null;
}
