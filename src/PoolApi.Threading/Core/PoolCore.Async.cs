using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <content>Asynchronous items: several workers may run code of one, or none while it awaits, so all of it is under the gate.</content>
internal sealed partial class PoolCore
{
    // Guarded by the gate.
    private WorkItemList _async; // those under way
    private int _suspended; // of these, those that hold no worker

    /// <summary>Queues a continuation of an item: past capacity and past closing, because the item was accepted.</summary>
    /// <returns><see langword="false"/> if the pool has stopped: nobody is left to run it.</returns>
    public bool Post(PoolWorkItem item, SendOrPostCallback callback, object? state)
    {
        Aftermath after = default;
        bool posted = _queue.Post(new Resumption(item, callback, state), ref after);
        CarryOut(ref after);
        return posted;
    }

    /// <summary>Under the gate: a worker takes the item, or a continuation of it, in hand.</summary>
    public void TakenLocked(AsyncPoolWorkItem item, bool isStart)
    {
        if (isStart)
        {
            item.IsListed = true;
            item.BusyTicks = 0;
            _async.AddLast(item);
            _queue.AsyncInFlight = _async.Count;
            // Until a line further on. (A continuation left over from an earlier submission may hold a worker.)
            if (item.ActiveRuns == 0) _suspended++;
        }
        if (item.ActiveRuns++ == 0 && item.IsListed) _suspended--;
    }

    /// <summary>A worker has returned from an asynchronous item's code: it has ended, or awaits something.</summary>
    public void ReleaseAsync(Worker worker)
    {
        if (worker.Ledger.Item is not AsyncPoolWorkItem item) return;
        long now = Now;
        _queue.Enter();
        ReleaseLocked(worker, item, now);
        _queue.Exit();
    }

    /// <summary>An asynchronous item has ended. Only the first call counts: it may have been abandoned meanwhile.</summary>
    public void EndAsync(AsyncPoolWorkItem item, WorkOutcome outcome, Exception? error, Worker? worker)
    {
        long now = Now;
        Aftermath after = default;
        _queue.Enter();
        if (worker?.Core != this) worker = null;
        bool wasListed = item.IsListed;
        if (wasListed)
        {
            item.EndedAt = now;
            if (item.StopSignalled && outcome != WorkOutcome.Completed) Interlocked.Increment(ref _interrupted);
            Unlist(item);
            item.State = WorkItemState.Ending;
            if (worker is null)
            {
                _endedElsewhere.Add(outcome);
            }
            else
            {
                worker.Ledger.BeginChange();
                worker.Ledger.Ended.Add(outcome);
                worker.Ledger.EndChange();
            }
        }
        if (worker is not null && ReferenceEquals(worker.Ledger.Item, item)) ReleaseLocked(worker, item, now);
        if (wasListed) worker?.Ledger.AddToMean(item.BusyTicks);
        _queue.NothingLeftLocked(ref after);
        _queue.Exit();
        CarryOut(ref after);
        if (wasListed) Notify(item, outcome, error);
    }

    private void ReleaseLocked(Worker worker, AsyncPoolWorkItem item, long now)
    {
        WorkerLedger ledger = worker.Ledger;
        worker.LastStamp = now;
        worker.LastStampIsPrecise = true;
        item.BusyTicks += now - ledger.ItemSince;
        ledger.BeginChange();
        ledger.Release(now);
        ledger.EndChange();
        if (--item.ActiveRuns == 0 && item.IsListed) _suspended++;
    }

    private void Unlist(AsyncPoolWorkItem item)
    {
        item.IsListed = false;
        _async.Remove(item);
        _queue.AsyncInFlight = _async.Count;
        if (item.ActiveRuns == 0) _suspended--;
    }
}
