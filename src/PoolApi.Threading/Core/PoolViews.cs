using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>What can be seen of the pool from outside: estimates that cost next to nothing, and snapshots, which are taken under the gate.</summary>
internal sealed class PoolViews(PoolCore core)
{
    private const double MaxEstimateSeconds = 86_400;

    public long RoomEstimate => core.Queue.Limit - core.Queue.PendingEstimate;

    public bool HasLikelyRoom => RoomEstimate > 0;

    /// <summary>Whether a worker has a local batch of tiny items.</summary>
    public bool AnyLikelyBatch => core.Queue.AnyLikelyBatch;

    /// <summary>Estimates how many places the workers free in the given time, from the run times of recent items: at least 1, at most half of the capacity.</summary>
    public long PlacesFreedIn(TimeSpan time)
    {
        double shortest = double.MaxValue;
        foreach (Worker worker in core.Workers.All)
        {
            double mean = worker.Ledger.MeanTicks; // racy: an estimate
            if (mean > 0) shortest = Math.Min(shortest, mean);
        }
        double places = time.TotalSeconds * core.Clock.Time.TimestampFrequency * core.Workers.Size / shortest;
        return (long)Math.Clamp(places, 1, Math.Max(1, core.Capacity / 2));
    }

    /// <summary>Estimates the queue time of an item that is queued now, from the mean run time of recent items.</summary>
    public TimeSpan EstimateQueueTime()
    {
        double sum = 0;
        int known = 0;
        long longest = 0;
        int busy = 0;
        long now = core.Clock.Now;
        foreach (Worker worker in core.Workers.All)
        {
            WorkerLedger ledger = worker.Ledger; // racy: an estimate
            if (ledger.MeanTicks > 0)
            {
                sum += ledger.MeanTicks;
                known++;
            }
            if (ledger.Item is null) continue;
            busy++;
            longest = Math.Max(longest, now - ledger.ItemSince);
        }
        // No item has ended yet. The running items have taken at least this long.
        double mean = known > 0 ? sum / known : longest;
        double ticks = Math.Max(0, core.Queue.PendingEstimate - busy) * mean / core.Workers.Size;
        return TimeSpan.FromSeconds(Math.Min(ticks / core.Clock.Time.TimestampFrequency, MaxEstimateSeconds));
    }

    public PoolSnapshot GetSnapshot()
    {
        DeferredActions after = default;
        long now = core.Clock.Now; // never read under the gate
        WorkerView[] workers;
        int shown, waiting, high, low, inFlight, suspended;
        long? oldest;
        long accepted;
        PoolCounts counts;
        core.Queue.Enter();
        try
        {
            core.Queue.GatherLocked(ref after);
            workers = ReadWorkers();
            shown = Math.Max(core.Workers.Size, LastLive(workers) + 1);
            oldest = OldestSubmissionLocked();
            (accepted, counts) = (core.Queue.Accepted, CountsLocked(workers));
            (waiting, high, low) = (core.Queue.Waiting, core.Queue.WaitingOf(WorkPriority.High), core.Queue.WaitingOf(WorkPriority.Low));
            (inFlight, suspended) = (core.Async.CountLocked + workers.Count(static w => w.HoldsSynchronousItem), core.Async.SuspendedLocked);
        }
        finally
        {
            // Also if there was no memory for the copies.
            core.Queue.Exit();
            core.CarryOut(ref after);
        }
        return new PoolSnapshot
        {
            Name = core.Name,
            QueueLength = waiting,
            HighQueueLength = high,
            LowQueueLength = low,
            QueueCapacity = core.Capacity,
            OldestAge = oldest is { } at ? core.Clock.Time.GetElapsedTime(at, Math.Max(at, now)) : null,
            InFlight = inFlight,
            Suspended = suspended,
            Accepted = accepted,
            Counts = counts,
            // The labels are read from the item, which is code of a caller, so after the lock.
            Workers = [.. workers.Take(shown).Select(w => ToSnapshot(w, now))],
        };
    }

    public WorkerSnapshot Snapshot(Worker worker) => SnapshotOf(WorkerView.Read(worker));

    /// <summary>
    /// The snapshot of a worker as it was when it was read. If the worker has released its item since, the snapshot has no labels of that
    /// item.
    /// </summary>
    public WorkerSnapshot SnapshotOf(in WorkerView worker) => ToSnapshot(worker, core.Clock.Now);

    /// <summary>The same for a worker that was found stuck or had recovered, independent of its present item.</summary>
    public WorkerSnapshot SnapshotOf(in WorkerView worker, bool isStuck) =>
        worker.ToSnapshot(core.Workers.StuckAfter, core.Clock.Time, core.Clock.Now, isStuck);

    /// <summary>Records the workers' measurements so far, for a collection of the metrics.</summary>
    public void RecordMeasured()
    {
        foreach (Worker worker in core.Workers.All) core.Observers.Record(worker.Measured);
    }

    private WorkerSnapshot ToSnapshot(in WorkerView worker, long now) =>
        worker.ToSnapshot(core.Workers.StuckAfter, core.Clock.Time, now);

    private WorkerView[] ReadWorkers() => [.. core.Workers.All.Select(WorkerView.Read)];

    private static int LastLive(WorkerView[] workers) => Array.FindLastIndex(workers, static w => w.IsLive);

    private long? OldestSubmissionLocked()
    {
        core.Queue.AssertLocked();
        long? oldest = null;
        for (int priority = (int)WorkPriority.Low; priority <= (int)WorkPriority.High; priority++)
        {
            if (core.Queue.OldestOf((WorkPriority)priority) is { } item && !(oldest < item.SubmittedAt)) oldest = item.SubmittedAt;
        }
        return oldest;
    }

    private PoolCounts CountsLocked(WorkerView[] workers)
    {
        core.Queue.AssertLocked();
        OutcomeCounts ended = core.Async.EndedElsewhereLocked;
        ended.Add(core.Queue.EndedUnrun);
        foreach (WorkerView worker in workers) ended.Add(worker.Ended);
        ended.Add(WorkOutcome.Abandoned, core.Stop.AbandonedLocked);
        return new PoolCounts(ended);
    }
}
