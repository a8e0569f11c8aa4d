using Microsoft.Extensions.Logging;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>Writes to the log what people look for when they watch a pool. The words are part of the contract.</summary>
internal sealed partial class PoolLog(ILogger<FixedThreadPool> logger) : IFixedThreadPoolObserver
{
    public void WorkStarted(int workerId, PoolWorkItem item) => GotAJob(workerId);

    public void UnhandledException(PoolWorkItem item, Exception exception) => Unhandled(exception, item.Kind, item.Origin);

    public void WorkerStuck(WorkerSnapshot worker) =>
        Stuck(worker.Id, worker.Name, worker.Kind, worker.Origin, worker.Elapsed?.TotalSeconds ?? 0);

    public void WorkerBlocked(WorkerSnapshot worker, bool hasStandIn)
    {
        double seconds = worker.Elapsed?.TotalSeconds ?? 0;
        if (hasStandIn) Blocked(worker.Id, worker.Name, worker.Kind, worker.Origin, seconds);
        else BlockedForGood(worker.Id, worker.Name, worker.Kind, worker.Origin, seconds);
    }

    public void WorkerRecovered(int workerId) => Recovered(workerId);

    public void WorkerStateFailed(int workerId, Exception exception) => StateFailed(exception, workerId);

    public void WorkerReplaced(int workerId, Exception exception) => Replaced(exception, workerId);

    public void WorkerLost(int workerId, Exception exception) => Lost(exception, workerId);

    public void WorkerJoined(int workerId) => ShuttingDown(workerId);

    public void WorkerNotJoined(WorkerSnapshot worker) =>
        NotJoined(worker.Id, worker.Name, worker.Kind, worker.Origin, worker.Elapsed?.TotalSeconds ?? 0);

    [LoggerMessage(1, LogLevel.Debug, "Worker {id} got a job; executing")]
    private partial void GotAJob(int id);

    [LoggerMessage(2, LogLevel.Information, "Shutting down worker {id}")]
    private partial void ShuttingDown(int id);

    [LoggerMessage(3, LogLevel.Error, "Worker {id} ({name}) could not be joined: it runs {kind} for {origin}, since {seconds:F1} s")]
    private partial void NotJoined(int id, string name, string? kind, string? origin, double seconds);

    [LoggerMessage(4, LogLevel.Error, "Worker {id} died and was replaced")]
    private partial void Replaced(Exception exception, int id);

    [LoggerMessage(5, LogLevel.Critical, "Worker {id} died and the system gave no thread to replace it")]
    private partial void Lost(Exception exception, int id);

    [LoggerMessage(6, LogLevel.Error, "Code of {kind} for {origin} threw outside of any request")]
    private partial void Unhandled(Exception exception, string kind, string? origin);

    [LoggerMessage(7, LogLevel.Warning, "Worker {id} ({name}) is stuck: it runs {kind} for {origin}, since {seconds:F1} s")]
    private partial void Stuck(int id, string name, string? kind, string? origin, double seconds);

    [LoggerMessage(8, LogLevel.Information, "Worker {id} is not stuck any more")]
    private partial void Recovered(int id);

    [LoggerMessage(9, LogLevel.Error, "The state of worker {id} could not be made or disposed of")]
    private partial void StateFailed(Exception exception, int id);

    [LoggerMessage(10, LogLevel.Warning, "Worker {id} ({name}) is blocked by work of its own pool, and a stand-in runs that work: it runs {kind} for {origin}, since {seconds:F1} s. Await instead of blocking; told once for each kind")]
    private partial void Blocked(int id, string name, string? kind, string? origin, double seconds);

    [LoggerMessage(11, LogLevel.Error, "Worker {id} ({name}) is blocked by work of its own pool, and every stand-in is in use: it runs {kind} for {origin}, since {seconds:F1} s. Nothing moves until a worker comes back; told once for each kind")]
    private partial void BlockedForGood(int id, string name, string? kind, string? origin, double seconds);
}
