using System.Diagnostics;
using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>What a worker had in hand and had done, at one moment.</summary>
internal readonly struct WorkerView
{
    private readonly Worker _worker;
    private readonly PoolWorkItem? _item;
    private readonly long _since;
    private readonly long _version; // of the ledger
    private readonly long _busyTicks;

    private WorkerView(Worker worker, in LedgerCopy ledger)
    {
        _worker = worker;
        _version = ledger.Version;
        _item = ledger.Item;
        _since = ledger.ItemSince;
        _busyTicks = ledger.BusyTicks;
        Ended = ledger.Ended;
        IsLive = worker.IsLive;
    }

    /// <summary>What ended on it.</summary>
    public OutcomeCounts Ended { get; }

    public bool IsLive { get; }

    /// <summary>One that has not ended apart from the worker.</summary>
    public bool HoldsSynchronousItem =>
        _item is not (null or AsyncPoolWorkItem) && _item.State is not (WorkItemState.Abandoned or WorkItemState.TimedOut);

    public static WorkerView Read(Worker worker) => new(worker, worker.Ledger.Copy<ProcessorOps>());

    /// <summary>Asks the item for its labels: a caller's code, so never under the gate.</summary>
    /// <param name="stuckAfter">How long a worker may be on one item.</param>
    /// <param name="time">The pool's clock.</param>
    /// <param name="now">The time.</param>
    /// <param name="isStuck">The worker has been found stuck, though it may have come back by now.</param>
    public WorkerSnapshot ToSnapshot(TimeSpan stuckAfter, TimeProvider time, long now, bool isStuck = false)
    {
        TimeSpan? elapsed = _item is null ? null : time.GetElapsedTime(_since, Math.Max(_since, now));
        (string? kind, string? origin, ActivityTraceId trace) = Labels();
        return new WorkerSnapshot
        {
            Id = _worker.Id,
            Name = _worker.Name,
            State = isStuck ? WorkerState.Stuck
                : !IsLive ? WorkerState.Stopped
                : elapsed is null ? WorkerState.Idle
                : elapsed > stuckAfter || _item!.State == WorkItemState.TimedOut ? WorkerState.Stuck
                : WorkerState.Busy,
            Kind = kind,
            Origin = origin,
            TraceId = trace,
            Elapsed = elapsed,
            Completed = Ended[(int)WorkOutcome.Completed],
            Failed = Ended[(int)WorkOutcome.Failed],
            Finished = Ended.Total,
            BusyTime = time.GetElapsedTime(0, _busyTicks) + (elapsed ?? TimeSpan.Zero),
        };
    }

    private (string? Kind, string? Origin, ActivityTraceId Trace) Labels()
    {
        if (_item is null) return default;
        try
        {
            var labels = (_item.Kind, _item.Origin, _item.TraceId);
            // Let go of meanwhile, it may have been submitted again, and speak of something else.
            return _worker.Ledger.IsUnchanged<ProcessorOps>(_version) ? labels : default;
        }
        catch (Exception)
        {
            // Somebody else's property threw: the worker is shown without it.
            return default;
        }
    }
}
