using System.Diagnostics;
using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>A worker's item and counts at one moment.</summary>
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

    /// <summary>The number of items that ended on the worker.</summary>
    public OutcomeCounts Ended { get; }

    public bool IsLive { get; }

    /// <summary>Whether the worker's item and counts are still these.</summary>
    public bool IsUnchanged => _worker.Ledger.IsUnchanged<ProcessorOps>(_version);

    /// <summary>Whether the worker holds a synchronous item that was neither abandoned nor timed out.</summary>
    public bool HoldsSynchronousItem =>
        _item is not (null or AsyncPoolWorkItem) && _item.State is not (WorkItemState.Abandoned or WorkItemState.TimedOut);

    public static WorkerView Read(Worker worker) => new(worker, worker.Ledger.Copy<ProcessorOps>());

    /// <summary>Reads the labels from the item, which is code of a caller, so never under the gate.</summary>
    /// <param name="stuckAfter">How long a worker may run one item.</param>
    /// <param name="time">The pool's clock.</param>
    /// <param name="now">The time.</param>
    /// <param name="isStuck">
    /// True: the worker was found stuck. False: it had recovered. Either may have changed since. Null: the snapshot shows the present
    /// state.
    /// </param>
    public WorkerSnapshot ToSnapshot(TimeSpan stuckAfter, TimeProvider time, long now, bool? isStuck = null)
    {
        TimeSpan? elapsed = _item is null ? null : time.GetElapsedTime(_since, Math.Max(_since, now));
        (string? kind, string? origin, ActivityTraceId trace) = Labels();
        return new WorkerSnapshot
        {
            Id = _worker.Id,
            Name = _worker.Name,
            State = isStuck == true ? WorkerState.Stuck
                : !IsLive ? WorkerState.Stopped
                : elapsed is null ? WorkerState.Idle
                : isStuck is null && (elapsed > stuckAfter || _item!.State == WorkItemState.TimedOut) ? WorkerState.Stuck
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
            // If the worker has released the item meanwhile, it may have been submitted again with other labels.
            return IsUnchanged ? labels : default;
        }
        catch (Exception)
        {
            // The item's property threw. The worker is shown without it.
            return default;
        }
    }
}
