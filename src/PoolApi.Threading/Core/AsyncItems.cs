using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Threading.Core;

/// <summary>
/// The asynchronous items under way. Several workers may run code of one item, or none while it awaits, so the gate guards all of this state.
/// </summary>
/// <remarks>
/// <code>
///              a worker takes it              every worker has released it: it awaits
///   Waiting ─────────────────────► running ─────────────────────────────────────────────► suspended
///                                   │   ▲                                                  │   │
///                                   │   └────────── a worker takes a continuation ─────────┘   │
///                                   └──────────────► ended, or abandoned by a stop ◄───────────┘
/// </code>
/// </remarks>
internal sealed class AsyncItems(PoolCore core)
{
    // Guarded by the gate.
    private WorkItemList _underWay;
    private int _suspended; // the items that hold no worker
    private OutcomeCounts _endedElsewhere;

    public int CountLocked
    {
        get
        {
            core.Queue.AssertLocked();
            return _underWay.Count;
        }
    }

    public int SuspendedLocked
    {
        get
        {
            core.Queue.AssertLocked();
            return _suspended;
        }
    }

    /// <summary>Counts of items that ended on no worker of the pool, or that timed out.</summary>
    public OutcomeCounts EndedElsewhereLocked
    {
        get
        {
            core.Queue.AssertLocked();
            return _endedElsewhere;
        }
    }

    public PoolWorkItem[] UnderWayLocked()
    {
        core.Queue.AssertLocked();
        return _underWay.ToArray();
    }

    /// <summary>Queues a continuation of an item: past capacity and past closing, because the item was accepted.</summary>
    /// <returns><see langword="false"/> if the pool has stopped, so that no worker can run it.</returns>
    public bool Post(PoolWorkItem item, SendOrPostCallback callback, object? state)
    {
        DeferredActions after = default;
        bool posted = core.Queue.Post(new Resumption(item, callback, state), ref after);
        core.CarryOut(ref after);
        return posted;
    }

    /// <summary>A worker takes the item or a continuation of it. Called under the gate.</summary>
    public void TakenLocked(AsyncPoolWorkItem item, bool isStart)
    {
        core.Queue.AssertLocked();
        if (isStart)
        {
            item.IsListed = true;
            item.BusyTicks = 0;
            _underWay.AddLast(item);
            core.Queue.AsyncInFlight = _underWay.Count;
            // A listed item without an active run counts as suspended, until the last line of this method counts the run. (If a run is already
            // active, it is a continuation of an earlier submission.)
            if (item.ActiveRuns == 0) _suspended++;
        }
        if (item.ActiveRuns++ == 0 && item.IsListed) _suspended--;
    }

    /// <summary>A worker has returned from an asynchronous item's code, because the item has ended or awaits.</summary>
    public void Release(Worker worker)
    {
        if (worker.Ledger.Item is not AsyncPoolWorkItem item) return;
        long now = core.Clock.Now;
        ItemRecord piece = WorkerRecorder.Piece(item, worker.Ledger.ItemSince, now, outcome: null);
        DeferredActions after = default;
        core.Queue.Enter();
        ReleaseLocked(worker, item, now);
        // The drain waits for the workers of items that have timed out.
        if (item.State == WorkItemState.TimedOut) core.Queue.CheckDrainedLocked(ref after);
        core.Queue.Exit();
        worker.Recorder.Ended(piece);
        core.CarryOut(ref after);
    }

    /// <summary>An asynchronous item has ended. Only the first call counts: it may have been abandoned or timed out meanwhile.</summary>
    public void End(AsyncPoolWorkItem item, WorkOutcome outcome, Exception? error, Worker? worker)
    {
        long now = core.Clock.Now;
        if (worker?.Core != core) worker = null;
        bool isInHand = worker is not null && ReferenceEquals(worker.Ledger.Item, item);
        ItemRecord piece = isInHand ? WorkerRecorder.Piece(item, worker!.Ledger.ItemSince, now, outcome) : default;
        DeferredActions after = default;
        core.Queue.Enter();
        bool wasListed = item.IsListed;
        if (wasListed)
        {
            item.EndedAt = now;
            core.Stop.CountIfInterrupted(item, outcome);
            Unlist(item);
            item.State = WorkItemState.Ending;
            if (worker is null)
            {
                _endedElsewhere.Add(outcome);
            }
            else
            {
                worker.Ledger.BeginChange<ProcessorOps>();
                worker.Ledger.Ended.Add(outcome);
                worker.Ledger.EndChange<ProcessorOps>();
            }
        }
        if (isInHand) ReleaseLocked(worker!, item, now);
        if (wasListed) worker?.Ledger.AddToMean(item.BusyTicks);
        core.Queue.CheckDrainedLocked(ref after);
        core.Queue.Exit();
        if (isInHand) worker!.Recorder.Ended(wasListed ? piece : piece with { Form = RecordForm.Late });
        else if (wasListed) core.Records.EndedElsewhere(item, outcome);
        core.CarryOut(ref after);
        if (wasListed) core.Observers.Ended(item, outcome, error);
    }

    /// <summary>A running item, synchronous or not, has timed out. Its worker may still run its code.</summary>
    public void TimedOutLocked(PoolWorkItem item)
    {
        core.Queue.AssertLocked();
        _endedElsewhere.Add(WorkOutcome.TimedOut);
        if (item is AsyncPoolWorkItem { IsListed: true } listed) Unlist(listed);
    }

    /// <summary>Abandons all items under way.</summary>
    /// <param name="abandoned">The list to which they are added. It has room for them.</param>
    public void AbandonLocked(List<PoolWorkItem> abandoned)
    {
        core.Queue.AssertLocked();
        while (_underWay.First is { } item)
        {
            Unlist((AsyncPoolWorkItem)item);
            item.State = WorkItemState.Abandoned;
            abandoned.Add(item);
        }
    }

    private void ReleaseLocked(Worker worker, AsyncPoolWorkItem item, long now)
    {
        core.Queue.AssertLocked();
        WorkerLedger ledger = worker.Ledger;
        worker.LastStamp = now;
        worker.LastStampIsPrecise = true;
        worker.LastTook = now - ledger.ItemSince;
        item.BusyTicks += worker.LastTook;
        ledger.BeginChange<ProcessorOps>();
        ledger.Release<ProcessorOps>(now);
        ledger.EndChange<ProcessorOps>();
        if (--item.ActiveRuns == 0 && item.IsListed) _suspended++;
    }

    private void Unlist(AsyncPoolWorkItem item)
    {
        item.IsListed = false;
        _underWay.Remove(item);
        core.Queue.AsyncInFlight = _underWay.Count;
        if (item.ActiveRuns == 0) _suspended--;
    }
}
