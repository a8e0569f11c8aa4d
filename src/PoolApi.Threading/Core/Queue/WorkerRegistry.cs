using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queue's workers: who there is, how many live and how many shall, and what they have in hand and have done. Changed
/// under the gate, rarely; read by anybody.
/// </summary>
/// <remarks>A class of its own, so that what submitters read of it is not on a line that each taking writes.</remarks>
internal sealed class WorkerRegistry<TOps>
    where TOps : struct, IAtomicOps
{
    private QueueWorker[] _all = []; // replaced, never changed
    private long _live;
    private int _standIns;

    /// <summary>Whoever was ever added. One that has left keeps its ledger, and may be added again.</summary>
    public ReadOnlySpan<QueueWorker> All => TOps.Read(ref _all!)!;

    /// <summary>Workers whose loop has not ended, stand-ins included.</summary>
    public int Live => (int)TOps.Read(ref _live);

    /// <summary>Of these, the ones that run only what blocked workers wait for.</summary>
    public int StandIns => _standIns;

    /// <summary>How many there shall be, stand-ins apart; more leave when they next have nothing in hand.</summary>
    public int Target { get; set; }

    public bool IsSurplus => _live - _standIns > Target;

    /// <summary>How many places its workers have freed.</summary>
    public long Released
    {
        get
        {
            long sum = 0;
            foreach (QueueWorker worker in All) sum += worker.Ledger.Released<TOps>();
            return sum;
        }
    }

    /// <summary>Whether a worker has something in hand that must end; asynchronous items are counted elsewhere.</summary>
    public bool HasItemInHand
    {
        get
        {
            foreach (QueueWorker worker in All)
            {
                if (TOps.Read(ref worker.Ledger.Item) is not { } item) continue;
                // A continuation left over from an abandoned item is nothing to wait for; code of an item that has timed out is.
                if (item is { IsAsync: false, State: not WorkItemState.Abandoned }) return true;
                if (item.State == WorkItemState.TimedOut) return true;
            }
            return false;
        }
    }

    /// <summary>Whether every worker has something in hand, but for stand-ins that rest.</summary>
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
        worker.IsLive = true;
        worker.IsStandIn = asStandIn;
        worker.IsDismissed = false;
        worker.StandInDepth = 0;
        if (asStandIn) _standIns++;
        worker.HasLooked = false;
        if (Array.IndexOf(_all, worker) < 0) TOps.Write(ref _all!, [.. _all, worker]);
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
