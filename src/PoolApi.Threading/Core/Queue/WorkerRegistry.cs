using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queue's workers: all of them, how many live and how many there should be, and their ledgers. Changed
/// rarely, under the gate. Any thread may read it.
/// </summary>
/// <remarks>A class of its own, so that the fields that submitters read are not on a cache line that each take writes.</remarks>
internal sealed class WorkerRegistry<TOps>
    where TOps : struct, IAtomicOps
{
    private QueueWorker[] _all = []; // replaced as a whole, never changed
    private long _live;
    private int _standIns;

    /// <summary>All workers that were ever added. One that has left keeps its ledger and may be added again.</summary>
    public ReadOnlySpan<QueueWorker> All => TOps.Read(ref _all!)!;

    /// <summary>The number of workers whose loop has not ended, including stand-ins.</summary>
    public int Live => (int)TOps.Read(ref _live);

    /// <summary>The number of stand-ins among them.</summary>
    public int StandIns => _standIns;

    /// <summary>The target number of workers without stand-ins. Surplus workers leave when they have no item.</summary>
    public int Target { get; set; }

    public bool IsSurplus => _live - _standIns > Target;

    /// <summary>The number of places that the workers have freed.</summary>
    public long Released
    {
        get
        {
            long sum = 0;
            foreach (QueueWorker worker in All) sum += worker.Ledger.Released<TOps>();
            return sum;
        }
    }

    /// <summary>Whether a worker holds an item that must end. Asynchronous items are counted elsewhere.</summary>
    public bool HasItemInHand
    {
        get
        {
            foreach (QueueWorker worker in All)
            {
                if (TOps.Read(ref worker.Ledger.Item) is not { } item) continue;
                // The drain does not wait for a continuation of an abandoned item, but for the code of an item that has timed out.
                if (item is { IsAsync: false, State: not WorkItemState.Abandoned }) return true; // fault point: in-hand-counts
                if (item.State == WorkItemState.TimedOut) return true; // fault point: in-hand-timed-out
            }
            return false;
        }
    }

    /// <summary>Whether every worker holds an item, except idle stand-ins.</summary>
    public bool AreAllBusy
    {
        get
        {
            foreach (QueueWorker worker in All)
            {
                if (worker.IsLive && !(worker.IsStandIn && worker.Sleeps) && TOps.Read(ref worker.Ledger.Item) is null) return false;
            }
            return true;
        }
    }

    public void Add(QueueWorker worker, bool asStandIn)
    {
        if (Array.IndexOf(_all, worker) < 0) TOps.Write(ref _all!, [.. _all, worker]); // first, since it needs memory
        worker.IsLive = true;
        worker.IsStandIn = asStandIn;
        worker.IsDismissed = false;
        worker.StandInDepth = 0;
        if (asStandIn) _standIns++;
        worker.HasSpun = false;
        TOps.Write(ref _live, _live + 1);
    }

    public void Remove(QueueWorker worker)
    {
        worker.IsLive = false;
        if (worker.IsStandIn) _standIns--;
        worker.IsStandIn = false;
        TOps.Write(ref _live, _live - 1);
    }
}
