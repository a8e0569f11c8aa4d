using System.Net;
using System.Net.Sockets;

namespace PoolApi.Listening;

/// <summary>Paces a listener that cannot accept, because the process or the machine is out of file descriptors or memory.</summary>
/// <remarks>
/// Meanwhile the clients wait in the system's backlog. The log has one line for the begin of each episode and one for its end. Not thread-safe: a
/// listener accepts one connection at a time.
/// </remarks>
internal sealed partial class AcceptFailures(EndPoint address, TimeProvider time, ILogger<ConnectionListener> logger)
{
    /// <summary>The pause before the listener tries again.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// An episode ends when the listener accepts a connection this long after the last failure. A client that leaves makes room for one
    /// connection, so a single accepted connection does not end the episode.
    /// </summary>
    public static readonly TimeSpan Quiet = TimeSpan.FromSeconds(2);

    private long? _since;
    private long _last;

    /// <summary>A connection was accepted.</summary>
    public void Accepted()
    {
        if (_since is not { } since || time.GetElapsedTime(_last) < Quiet) return;
        _since = null;
        try
        {
            LogRecovered(address, time.GetElapsedTime(since).TotalSeconds);
        }
        catch (Exception e) when (CannotLog(e))
        {
            // The connection is accepted anyway.
        }
    }

    /// <summary>A connection was not accepted.</summary>
    /// <returns>Whether to continue; false if the listener was unbound meanwhile.</returns>
    public async ValueTask<bool> WaitAfterAsync(Exception failure, CancellationToken unbound)
    {
        // The client left while it waited in the backlog: the next one may be accepted at once.
        if (failure is SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.ConnectionAborted })
            return !unbound.IsCancellationRequested;
        _last = time.GetTimestamp();
        if (_since is null)
        {
            _since = _last;
            try
            {
                LogExhausted(
                    address,
                    failure is SocketException { SocketErrorCode: SocketError.TooManyOpenSockets } ? "there are too many open files" : failure.Message);
            }
            catch (Exception e) when (CannotLog(e))
            {
                // The listener continues anyway.
            }
        }
        try
        {
            await Task.Delay(Pause, time, unbound);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        catch (OutOfMemoryException)
        {
            // There is no memory for the pause either. The listener tries again at once, since an exception would end it.
            return !unbound.IsCancellationRequested;
        }
    }

    /// <summary>Whether the log cannot take a line: one of its providers throws, which the framework wraps, or there is no memory for the line.</summary>
    private static bool CannotLog(Exception e) => e is AggregateException or OutOfMemoryException;

    [LoggerMessage(30, LogLevel.Error, "{address} cannot accept connections: {reason}. New clients wait. "
        + "If there are too many open files, raise their limit (ulimit -n), or limit the connections (Kestrel:Limits:MaxConcurrentConnections)")]
    private partial void LogExhausted(EndPoint address, string reason);

    [LoggerMessage(31, LogLevel.Information, "{address} accepts connections again, after {seconds:F1} s")]
    private partial void LogRecovered(EndPoint address, double seconds);
}
