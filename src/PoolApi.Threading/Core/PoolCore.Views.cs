using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <content>What can be seen of the pool from outside.</content>
internal sealed partial class PoolCore
{
    private const double MaxEstimateSeconds = 86_400;

    public long RoomGuess => _queue.Limit - _queue.PendingGuess;

    public bool HasRoomGuess => RoomGuess > 0;

    /// <summary>Whether some worker runs through tiny items that it took along.</summary>
    public bool CarriesGuess
    {
        get
        {
            foreach (Worker worker in _workers)
            {
                if (worker.HasBagGuess) return true;
            }
            return false;
        }
    }

    /// <summary>How many places the workers free in so much time, by what recent items took: at least 1, at most half of all.</summary>
    public long PlacesFreedIn(TimeSpan time)
    {
        double shortest = double.MaxValue;
        foreach (Worker worker in _workers)
        {
            double mean = worker.Ledger.MeanTicks; // racy: an estimate
            if (mean > 0) shortest = Math.Min(shortest, mean);
        }
        double places = time.TotalSeconds * _time.TimestampFrequency * Size / shortest;
        return (long)Math.Clamp(places, 1, Math.Max(1, Capacity / 2));
    }

    public PoolCounts Counts
    {
        get
        {
            Aftermath after = default;
            _queue.Enter();
            _queue.GatherLocked(ref after);
            PoolCounts counts = CountsLocked(ReadWorkers());
            _queue.Exit();
            CarryOut(ref after);
            return counts;
        }
    }

    /// <summary>How long an item that joins the queue now may have to wait, by the mean run time of recent items.</summary>
    public TimeSpan EstimateQueueTime()
    {
        double sum = 0;
        int known = 0;
        long longest = 0;
        int busy = 0;
        long now = Now;
        foreach (Worker worker in _workers)
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
        // Nothing has ended yet: what runs has taken at least this long.
        double mean = known > 0 ? sum / known : longest;
        double ticks = Math.Max(0, _queue.PendingGuess - busy) * mean / Size;
        return TimeSpan.FromSeconds(Math.Min(ticks / _time.TimestampFrequency, MaxEstimateSeconds));
    }

    public PoolSnapshot GetSnapshot()
    {
        Aftermath after = default;
        long now = Now; // never read under the gate
        _queue.Enter();
        _queue.GatherLocked(ref after);
        WorkerView[] workers = ReadWorkers();
        int shown = Math.Max(Size, LastLive(workers) + 1);
        long? oldest = OldestSubmission();
        var snapshot = new PoolSnapshot
        {
            Name = Name,
            State = State,
            QueueLength = _queue.Waiting,
            QueueLengthHigh = _queue.WaitingOf(WorkPriority.High),
            QueueLengthLow = _queue.WaitingOf(WorkPriority.Low),
            QueueCapacity = Capacity,
            OldestAge = null,
            InFlight = _async.Count + workers.Count(static w => w.HoldsSynchronousItem),
            Suspended = _suspended,
            Counts = CountsLocked(workers),
            Workers = [],
        };
        _queue.Exit();
        CarryOut(ref after);
        // Its labels are asked of the item itself, which is a caller's code.
        TimeSpan? age = oldest is { } at ? _time.GetElapsedTime(at, Math.Max(at, now)) : null;
        return snapshot with { OldestAge = age, Workers = [.. workers.Take(shown).Select(w => w.ToSnapshot(StuckAfter, _time, now))] };
    }

    public WorkerSnapshot Snapshot(Worker worker) => WorkerView.Read(worker).ToSnapshot(StuckAfter, _time, Now);

    private WorkerView[] ReadWorkers()
    {
        var views = new WorkerView[_workers.Length];
        for (int i = 0; i < views.Length; i++) views[i] = WorkerView.Read(_workers[i]);
        return views;
    }

    private static int LastLive(WorkerView[] workers) => Array.FindLastIndex(workers, static w => w.IsLive);

    private long? OldestSubmission()
    {
        long? oldest = null;
        for (int priority = (int)WorkPriority.Low; priority <= (int)WorkPriority.High; priority++)
        {
            if (_queue.OldestOf((WorkPriority)priority) is { } item && !(oldest < item.SubmittedAt)) oldest = item.SubmittedAt;
        }
        return oldest;
    }

    private PoolCounts CountsLocked(WorkerView[] workers)
    {
        OutcomeCounts ended = _endedElsewhere;
        ended.Add(_queue.EndedUnrun);
        foreach (WorkerView worker in workers) ended.Add(worker.Ended);
        return new PoolCounts
        {
            Accepted = _queue.Accepted,
            Completed = ended[(int)WorkOutcome.Completed],
            Failed = ended[(int)WorkOutcome.Failed],
            Cancelled = ended[(int)WorkOutcome.Cancelled],
            Expired = ended[(int)WorkOutcome.Expired],
            Shed = ended[(int)WorkOutcome.Shed],
            ClientGone = ended[(int)WorkOutcome.ClientGone],
            NotStarted = ended[(int)WorkOutcome.NotStarted],
            Abandoned = ended[(int)WorkOutcome.Abandoned],
        };
    }
}
