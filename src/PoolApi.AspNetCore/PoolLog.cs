using Microsoft.Extensions.Logging;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>
/// Writes the pool's events to the log. The wording of the lines is documented and does not change. In an app with several pools each line
/// names its pool.
/// </summary>
internal sealed partial class PoolLog(ILogger<FixedThreadPool> logger, string? pool) : IFixedThreadPoolObserver
{
    private const string UnknownKind = "work"; // the labels of the item could not be read

    private readonly string _inPool = pool is null ? "" : $" (pool {pool})";

    public void WorkStarted(int workerId, PoolWorkItem item) => GotAJob(workerId, _inPool);

    public void UnhandledException(Exception exception, PoolWorkItem? item, int? workerId)
    {
        if (item is null) StateFailed(exception, workerId ?? -1, _inPool);
        else Unhandled(exception, LabelOf(item, static i => i.Kind) ?? UnknownKind, OfOrigin(LabelOf(item, static i => i.Origin)), _inPool);
    }

    public void WorkerHealthChanged(WorkerSnapshot worker)
    {
        if (worker.State != WorkerState.Stuck) Recovered(worker.Id, _inPool);
        else Stuck(worker.Id, worker.Name, worker.Kind ?? UnknownKind, OfOrigin(worker.Origin), worker.Elapsed?.TotalSeconds ?? 0, _inPool);
    }

    public void WorkerBlocked(WorkerSnapshot worker, bool hasStandIn)
    {
        double seconds = worker.Elapsed?.TotalSeconds ?? 0;
        if (hasStandIn) Blocked(worker.Id, worker.Name, worker.Kind ?? UnknownKind, OfOrigin(worker.Origin), seconds, _inPool);
        else BlockedForGood(worker.Id, worker.Name, worker.Kind ?? UnknownKind, OfOrigin(worker.Origin), seconds, _inPool);
    }

    public void WorkerDied(int workerId, Exception exception, bool isReplaced)
    {
        if (isReplaced) Replaced(exception, workerId, _inPool);
        else Lost(exception, workerId, _inPool);
    }

    public void WorkerJoined(WorkerSnapshot worker, bool inTime)
    {
        if (inTime) ShuttingDown(worker.Id, _inPool);
        else if (worker.Elapsed is not { } elapsed) NotJoinedWithoutItem(worker.Id, worker.Name, _inPool);
        else NotJoined(worker.Id, worker.Name, worker.Kind ?? UnknownKind, OfOrigin(worker.Origin), elapsed.TotalSeconds, _inPool);
    }

    /// <summary>Nothing for an item without an origin, or whose labels could not be read.</summary>
    private static string OfOrigin(string? origin) => origin is null ? "" : $" ({origin})";

    /// <summary>Reads a label from an item, which is code of a caller. If it throws, the line is written without it.</summary>
    private static string? LabelOf(PoolWorkItem item, Func<PoolWorkItem, string?> label)
    {
        try
        {
            return label(item);
        }
        catch (Exception)
        {
            return null;
        }
    }

    [LoggerMessage(1, LogLevel.Debug, "Worker {id} got a job; executing{inPool}")]
    private partial void GotAJob(int id, string inPool);

    [LoggerMessage(2, LogLevel.Information, "Shutting down worker {id}{inPool}")]
    private partial void ShuttingDown(int id, string inPool);

    [LoggerMessage(3, LogLevel.Error, "Worker {id} ({name}) could not be joined: it has been running {kind}{ofOrigin} for {seconds:F1} s{inPool}")]
    private partial void NotJoined(int id, string name, string kind, string ofOrigin, double seconds, string inPool);

    [LoggerMessage(4, LogLevel.Error, "Worker {id} died and was replaced{inPool}")]
    private partial void Replaced(Exception exception, int id, string inPool);

    [LoggerMessage(5, LogLevel.Critical, "Worker {id} died and could not be replaced{inPool}")]
    private partial void Lost(Exception exception, int id, string inPool);

    [LoggerMessage(6, LogLevel.Error, "Code of {kind}{ofOrigin} threw outside of any request{inPool}")]
    private partial void Unhandled(Exception exception, string kind, string ofOrigin, string inPool);

    [LoggerMessage(7, LogLevel.Warning, "Worker {id} ({name}) is stuck: it has been running {kind}{ofOrigin} for {seconds:F1} s{inPool}")]
    private partial void Stuck(int id, string name, string kind, string ofOrigin, double seconds, string inPool);

    [LoggerMessage(8, LogLevel.Information, "Worker {id} is not stuck any more{inPool}")]
    private partial void Recovered(int id, string inPool);

    [LoggerMessage(9, LogLevel.Error, "The state of worker {id} could not be made or disposed of{inPool}")]
    private partial void StateFailed(Exception exception, int id, string inPool);

    [LoggerMessage(10, LogLevel.Warning, "Worker {id} ({name}) is blocked by work of its own pool, and a stand-in runs that work: it has been running {kind}{ofOrigin} for {seconds:F1} s. Await instead of blocking; logged once for each kind{inPool}")]
    private partial void Blocked(int id, string name, string kind, string ofOrigin, double seconds, string inPool);

    [LoggerMessage(11, LogLevel.Error, "Worker {id} ({name}) is blocked by work of its own pool, and every stand-in is in use: it has been running {kind}{ofOrigin} for {seconds:F1} s. The pool makes no progress until an item of its workers ends; logged once for each kind{inPool}")]
    private partial void BlockedForGood(int id, string name, string kind, string ofOrigin, double seconds, string inPool);

    [LoggerMessage(12, LogLevel.Error, "Worker {id} ({name}) could not be joined: it has no item, but the creation or the disposal of its state, or a callback of its last item, may still be running{inPool}")]
    private partial void NotJoinedWithoutItem(int id, string name, string inPool);
}
