using System.Globalization;
using Microsoft.Extensions.Logging;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>What a stop says of itself: a line for each state, and one, the last, that accounts for everything accepted.</summary>
/// <remarks>
/// Thread-safe: a second signal or the watchdog may write the last line while the stop enters its next state. What comes
/// after the last line is not said. A log that cannot be written to must not stop the stop, nor end the process by way of a
/// signal's thread: what it throws is dropped.
/// </remarks>
internal sealed partial class ShutdownLog(PoolContexts pools, ILogger<ShutdownCoordinator> logger, ProcessLifetime? process = null)
{
    /// <summary>The last line of a process that never had a pool.</summary>
    public const string NothingAccepted = "Shutdown complete: exit 0, accepted 0, completed 0, failed 0, cancelled 0, "
        + "expired 0, client gone 0, not started 0, abandoned 0, joined 0/0";

    private readonly Lock _lines = new();
    private int? _exitCode;

    /// <summary>The line of a stop before the start.</summary>
    public static string StoppedBeforeStart(string reason) =>
        $"Shutdown: {ShutdownState.Starting}, reason {reason}, 0 in flight, 0 queued, 0 ms";

    /// <summary>The last line is written.</summary>
    public bool IsClosed
    {
        get
        {
            lock (_lines) return _exitCode is not null;
        }
    }

    /// <summary>The stop has entered a state.</summary>
    /// <param name="state">The state.</param>
    /// <param name="reason">Why the app stops.</param>
    /// <param name="answers">Answers that are being written after their work has ended: they are in flight too.</param>
    /// <param name="sinceStop">The time since the stop began.</param>
    public void Entered(ShutdownState state, string reason, int answers, TimeSpan sinceStop)
    {
        PoolSnapshot[] snapshots = [.. pools.All.Select(static pool => pool.Threads.GetSnapshot())];
        Say(() => LogState(
            state, reason, snapshots.Sum(static s => s.InFlight) + answers, snapshots.Sum(static s => s.QueueLength), (long)sinceStop.TotalMilliseconds));
    }

    /// <summary>The stop does not take its course.</summary>
    public void CutShort(string reason) => Say(() => LogForced(reason));

    /// <summary>Telemetry was lost.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="exception">What was thrown, if it was unexpected.</param>
    public void NotFlushed(string reason, Exception? exception) => Say(() => LogNotFlushed(reason, exception));

    /// <summary>The last answers are out: the last line. Once; later calls change nothing.</summary>
    /// <param name="reports">Of the pools that have been joined.</param>
    /// <param name="flushed">Whether all telemetry was sent.</param>
    /// <param name="cut">The exit code of a stop that was cut short.</param>
    /// <param name="isUnfinished">Whether something beside the pools was left unfinished.</param>
    /// <returns>The exit code: 0 clean, 3 work was left unfinished, 4 a thread could not be joined, 5 telemetry was not flushed; or the one given.</returns>
    public int Close(IReadOnlyCollection<ShutdownReport> reports, bool flushed, int? cut = null, bool isUnfinished = false)
    {
        lock (_lines)
        {
            if (_exitCode is { } ended) return ended;
            int code = cut ?? ExitCode(reports, flushed, isUnfinished);
            PoolCounts[] counts = [.. pools.All.Select(static pool => pool.Threads.GetSnapshot().Counts)];
            long Of(WorkOutcome outcome) => counts.Sum(c => c[outcome]);
            var n = (Accepted: counts.Sum(static c => c.Accepted), Completed: Of(WorkOutcome.Completed), Failed: Of(WorkOutcome.Failed),
                Cancelled: Of(WorkOutcome.Cancelled), Expired: Of(WorkOutcome.Expired), ClientGone: Of(WorkOutcome.Withdrawn),
                NotStarted: Of(WorkOutcome.NotStarted), Abandoned: Of(WorkOutcome.Abandoned), TimedOut: Of(WorkOutcome.TimedOut));
            int joined = reports.Sum(static r => r.WorkersJoined);
            int workers = Math.Max(joined + reports.Sum(static r => r.NotJoined.Count), pools.All.Sum(static pool => pool.Threads.Workers));
            LogLevel level = code == 0 ? LogLevel.Information : LogLevel.Error;
            // The line of an app without limits on running is the same as before there were any.
            string timedOut = n.TimedOut == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", timed out {n.TimedOut}");
            Say(() =>
            {
                if (process is null)
                {
                    LogComplete(level, n.Accepted, n.Completed, n.Failed, n.Cancelled, n.Expired, n.ClientGone, n.NotStarted, n.Abandoned, timedOut, joined, workers);
                }
                else
                {
                    LogCompleteExit(
                        level, code, n.Accepted, n.Completed, n.Failed, n.Cancelled, n.Expired, n.ClientGone, n.NotStarted, n.Abandoned, timedOut, joined, workers);
                }
            });
            _exitCode = code;
            return code;
        }
    }

    private int ExitCode(IReadOnlyCollection<ShutdownReport> reports, bool flushed, bool isUnfinished) =>
        reports.Count < pools.All.Count || !reports.All(static r => r.NotJoined.Count == 0) ? 4
        : isUnfinished || !reports.All(static r => r.NothingLost) ? 3
        : !flushed ? 5
        : 0;

    private void Say(Action line)
    {
        lock (_lines)
        {
            if (_exitCode is not null) return;
            try
            {
                line();
            }
            catch (Exception)
            {
                // There is nobody left to tell.
            }
        }
    }

    [LoggerMessage(10, LogLevel.Information, "Shutdown: {state}, reason {reason}, {inflight} in flight, {queued} queued, {elapsed} ms")]
    private partial void LogState(ShutdownState state, string reason, int inflight, int queued, long elapsed);

    private const string Counts = "accepted {accepted}, completed {completed}, failed {failed}, cancelled {cancelled}, expired {expired}, "
        + "client gone {clientGone}, not started {notStarted}, abandoned {abandoned}{timedOut}, joined {joined}/{workers}";

    [LoggerMessage(EventId = 11, Message = "Shutdown complete: exit {code}, " + Counts)]
    private partial void LogCompleteExit(
        LogLevel level, int code, long accepted, long completed, long failed, long cancelled, long expired, long clientGone,
        long notStarted, long abandoned, string timedOut, int joined, int workers);

    /// <summary>The exit code is the app's own.</summary>
    [LoggerMessage(EventId = 14, Message = "Shutdown complete: " + Counts)]
    private partial void LogComplete(
        LogLevel level, long accepted, long completed, long failed, long cancelled, long expired, long clientGone,
        long notStarted, long abandoned, string timedOut, int joined, int workers);

    [LoggerMessage(12, LogLevel.Error, "The stop is cut short: {reason}")]
    private partial void LogForced(string reason);

    [LoggerMessage(13, LogLevel.Error, "Telemetry could not be flushed: {reason}")]
    private partial void LogNotFlushed(string reason, Exception? exception);
}
