using System.Globalization;
using Microsoft.Extensions.Logging;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Writes the stop's log lines: one for each state, and a last one with the counts of all accepted work.</summary>
/// <remarks>
/// Thread-safe: a second signal or the watchdog may write the last line while the stop enters its next state. After the last line it writes
/// nothing. Exceptions of a logger are dropped: they must not end the stop, nor the process by way of a signal's thread.
/// </remarks>
internal sealed partial class ShutdownLog(ShutdownPools pools, ILogger<ShutdownCoordinator> logger, ProcessLifetime? process = null)
{
    /// <summary>The last line of a process that stops before it has a pool.</summary>
    public const string NothingAccepted = "Shutdown complete: exit 0, accepted 0, completed 0, failed 0, cancelled 0, "
        + "expired 0, client gone 0, not started 0, abandoned 0, joined 0/0";

    private const int NotClosed = -1;

    private readonly Lock _lines = new();
    private volatile int _exitCode = NotClosed; // written under the lock

    /// <summary>The line of a stop before the start.</summary>
    public static string StoppedBeforeStart(string reason) =>
        $"Shutdown: {ShutdownState.Starting}, reason {reason}, 0 in flight, 0 queued, 0 ms";

    /// <summary>The exit code that the last line names; <see langword="null"/>: it is not written yet. Never waits, not even for a logger that hangs.</summary>
    public int? ExitCode => _exitCode is var code and not NotClosed ? code : null;

    /// <summary>Whether the last line is written.</summary>
    public bool IsClosed => ExitCode is not null;

    /// <summary>Writes the line of a state that the stop has entered.</summary>
    /// <param name="state">The state.</param>
    /// <param name="reason">Why the app stops.</param>
    /// <param name="responses">The responses that are still being written after their work has ended. They count as in flight.</param>
    /// <param name="sinceStop">The time since the stop began.</param>
    public void Entered(ShutdownState state, string reason, int responses, TimeSpan sinceStop)
    {
        PoolSnapshot[] snapshots = [.. pools.All.Select(static pool => pool.GetSnapshot())];
        Write(() => LogState(
            state, reason, snapshots.Sum(static s => s.InFlight) + responses, snapshots.Sum(static s => s.QueueLength), (long)sinceStop.TotalMilliseconds));
    }

    /// <summary>Writes that the stop ends early.</summary>
    public void CutShort(string reason) => Write(() => LogForced(reason));

    /// <summary>Writes that the pools' part of the stop has failed.</summary>
    public void PoolsFailed(Exception exception) => Write(() => LogPoolsFailed(exception));

    /// <summary>Writes that telemetry was lost.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="exception">What was thrown, if it was unexpected.</param>
    public void NotFlushed(string reason, Exception? exception) => Write(() => LogNotFlushed(reason, exception));

    /// <summary>Writes the last line. A later call only returns the first call's exit code.</summary>
    /// <param name="reports">The reports of the pools that were joined.</param>
    /// <param name="flushed">Whether all telemetry was sent.</param>
    /// <param name="cut">The exit code of a stop that was cut short; <see langword="null"/>: it was not.</param>
    /// <param name="isUnfinished">Whether work outside the pools was left unfinished.</param>
    /// <returns>The exit code: 0 clean, 3 work was left unfinished, 4 a thread could not be joined, 5 telemetry was not flushed; or <paramref name="cut"/>.</returns>
    public int Close(IReadOnlyCollection<ShutdownReport> reports, bool flushed, int? cut = null, bool isUnfinished = false)
    {
        lock (_lines)
        {
            if (ExitCode is { } ended) return ended;
            int code = cut ?? CodeOf(reports, flushed, isUnfinished);
            PoolSnapshot[] last = [.. pools.All.Select(static pool => pool.GetSnapshot())];
            long Of(WorkOutcome outcome) => last.Sum(pool => pool.Counts[outcome]);
            var n = (Accepted: last.Sum(static pool => pool.Accepted), Completed: Of(WorkOutcome.Completed), Failed: Of(WorkOutcome.Failed),
                Cancelled: Of(WorkOutcome.Cancelled), Expired: Of(WorkOutcome.Expired), ClientGone: Of(WorkOutcome.Withdrawn),
                NotStarted: Of(WorkOutcome.NotStarted), Abandoned: Of(WorkOutcome.Abandoned), TimedOut: Of(WorkOutcome.TimedOut));
            int joined = reports.Sum(static r => r.WorkersJoined);
            int workers = Math.Max(joined + reports.Sum(static r => r.NotJoined.Count), pools.All.Sum(static pool => pool.Workers));
            LogLevel level = code == 0 ? LogLevel.Information : LogLevel.Error;
            // Shown only if it happened, so that the line of an app without MaxRunTime has its documented form.
            string timedOut = n.TimedOut == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", timed out {n.TimedOut}");
            Write(() =>
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

    private int CodeOf(IReadOnlyCollection<ShutdownReport> reports, bool flushed, bool isUnfinished) =>
        reports.Count < pools.All.Count || !reports.All(static r => r.NotJoined.Count == 0) ? 4
        : isUnfinished || !reports.All(static r => r.NotStarted.Count == 0 && r.Interrupted == 0) ? 3
        : !flushed ? 5
        : 0;

    private void Write(Action line)
    {
        lock (_lines)
        {
            if (IsClosed) return;
            try
            {
                line();
            }
            catch (Exception)
            {
                // The log itself has failed, and the stop must continue.
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

    /// <summary>Without AddPoolProcessLifetime the app sets the exit code, so the line has none.</summary>
    [LoggerMessage(EventId = 14, Message = "Shutdown complete: " + Counts)]
    private partial void LogComplete(
        LogLevel level, long accepted, long completed, long failed, long cancelled, long expired, long clientGone,
        long notStarted, long abandoned, string timedOut, int joined, int workers);

    [LoggerMessage(12, LogLevel.Error, "The stop is cut short: {reason}")]
    private partial void LogForced(string reason);

    [LoggerMessage(13, LogLevel.Error, "Telemetry could not be flushed: {reason}")]
    private partial void LogNotFlushed(string reason, Exception? exception);

    [LoggerMessage(18, LogLevel.Error, "The pools could not be stopped")]
    private partial void LogPoolsFailed(Exception exception);
}
