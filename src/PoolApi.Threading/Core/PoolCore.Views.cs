namespace PoolApi.Threading.Core;

/// <summary>What can be seen of the pool from outside.</summary>
internal sealed partial class PoolCore
{
    private const double MaxEstimateSeconds = 86_400;

    public ReadOnlySpan<Worker> Workers => _workers;

    public int Interrupted
    {
        get
        {
            lock (_gate) return _interrupted;
        }
    }

    public PoolCounts Counts
    {
        get
        {
            lock (_gate) return _tally.ToCounts();
        }
    }

    /// <summary>True while the next submission would be refused as full; out of date as soon as it is read.</summary>
    public bool IsFullGuess
    {
        get
        {
            lock (_gate) return _queue.Count >= Capacity && _idle.IsEmpty && _waking == 0;
        }
    }

    /// <summary>How long an item that joins the queue now may have to wait, by the mean run time of recent items.</summary>
    public TimeSpan EstimateQueueTime()
    {
        double ticks;
        lock (_gate)
        {
            double mean = _meanBusyTicks;
            if (mean == 0)
            {
                // Nothing has ended yet: what runs has taken at least this long.
                long now = _time.GetTimestamp();
                foreach (Worker worker in _workers)
                {
                    if (worker.Item is not null) mean = Math.Max(mean, now - worker.ItemSince);
                }
            }
            ticks = _queue.Count * mean / _workers.Length;
        }
        return TimeSpan.FromSeconds(Math.Min(ticks / _time.TimestampFrequency, MaxEstimateSeconds));
    }

    public PoolSnapshot GetSnapshot()
    {
        lock (_gate)
        {
            long now = _time.GetTimestamp();
            var workers = new WorkerSnapshot[_workers.Length];
            for (int i = 0; i < workers.Length; i++) workers[i] = SnapshotLocked(_workers[i], now);
            return new PoolSnapshot
            {
                Name = Name,
                State = _state,
                QueueLength = _queue.Count,
                QueueCapacity = Capacity,
                OldestAge = _queue.Oldest is { } oldest ? Elapsed(oldest.SubmittedAt, now) : null,
                InFlight = _inFlight.Count,
                Suspended = _suspended,
                Counts = _tally.ToCounts(),
                Workers = workers,
            };
        }
    }

    public WorkerSnapshot Snapshot(Worker worker)
    {
        lock (_gate) return SnapshotLocked(worker, _time.GetTimestamp());
    }

    private WorkerSnapshot SnapshotLocked(Worker worker, long now)
    {
        PoolWorkItem? item = worker.Item;
        TimeSpan? elapsed = item is null ? null : Elapsed(worker.ItemSince, now);
        return new WorkerSnapshot
        {
            Id = worker.Id,
            Name = worker.Name,
            State = worker.HasExited ? WorkerState.Stopped
                : elapsed is null ? WorkerState.Idle
                : elapsed > StuckAfter ? WorkerState.Stuck
                : WorkerState.Busy,
            Kind = item?.Kind,
            Origin = item?.Origin,
            TraceId = item?.TraceId ?? default,
            Elapsed = elapsed,
            Completed = worker.Completed,
            Failed = worker.Failed,
            Finished = worker.Finished,
            BusyTime = _time.GetElapsedTime(0, worker.BusyTicks) + (elapsed ?? TimeSpan.Zero),
        };
    }
}
