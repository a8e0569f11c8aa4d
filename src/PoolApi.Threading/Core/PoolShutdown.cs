namespace PoolApi.Threading.Core;

/// <summary>The order of a stop: close, drain, hand back and cancel, join. Safe to call from several threads; each step once.</summary>
internal sealed class PoolShutdown(PoolCore core)
{
    /// <summary>How long a worker with nothing in hand may take to leave its loop.</summary>
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);

    private readonly Lock _once = new();
    private readonly List<PoolWorkItem> _notStarted = [];
    private long _startedAt;
    private bool _cancelled;
    private Task<ShutdownReport>? _shutdown;
    private Task<ShutdownReport>? _join;

    public void Close()
    {
        lock (_once)
        {
            if (_startedAt == 0) _startedAt = core.Time.GetTimestamp();
        }
        core.Close();
    }

    public void CancelAll()
    {
        Close();
        lock (_once)
        {
            if (core.Drained.IsCompleted) return;
            _cancelled = true;
        }
        IReadOnlyList<PoolWorkItem> items = core.HandBackWaiting();
        lock (_once) _notStarted.AddRange(items);
        core.CancelInFlight();
    }

    public Task<ShutdownReport> ShutdownAsync(ShutdownMode mode, TimeSpan deadline)
    {
        lock (_once) return _shutdown ??= RunAsync(mode, deadline);
    }

    public Task<ShutdownReport> JoinAsync(TimeSpan timeout)
    {
        Close();
        lock (_once) return _join ??= JoinOnceAsync(timeout);
    }

    private async Task<ShutdownReport> RunAsync(ShutdownMode mode, TimeSpan deadline)
    {
        Close();
        if (mode == ShutdownMode.Cancel)
        {
            CancelAll();
            await CompletesWithin(core.Drained, deadline).ConfigureAwait(false);
        }
        else if (!await CompletesWithin(core.Drained, deadline).ConfigureAwait(false))
        {
            CancelAll();
            await CompletesWithin(core.Drained, FixedThreadPool.CancelGrace).ConfigureAwait(false);
        }
        return await JoinAsync(FixedThreadPool.JoinGrace).ConfigureAwait(false);
    }

    /// <summary>For a pool that has drained: joins without a deadline, blocking the caller for the moment that it takes.</summary>
    public void JoinDrained()
    {
        core.Stop();
        lock (_once)
        {
            if (_join is not null) return; // a shutdown has joined, or is about to
            var joined = new ShutdownTally();
            foreach (Worker worker in core.Workers)
            {
                worker.Join(Timeout.InfiniteTimeSpan);
                Joined(worker, joined);
            }
            core.Finish();
            _join = Task.FromResult(ReportLocked(joined));
        }
    }

    private async Task<ShutdownReport> JoinOnceAsync(TimeSpan timeout)
    {
        core.Stop();
        Worker[] running = [];
        if (!await CompletesWithin(core.Exited, timeout).ConfigureAwait(false))
        {
            IReadOnlyList<PoolWorkItem> items = core.HandBackWaiting();
            lock (_once)
            {
                _notStarted.AddRange(items);
                _cancelled = true;
            }
            running = core.Abandon();
        }

        var joined = new ShutdownTally();
        foreach (Worker worker in core.Workers.ToArray())
        {
            // Blocks for a moment: the loop of such a worker has ended or is about to; only the thread's own end is waited for.
            if (!running.Contains(worker) && worker.Join(Moment))
            {
                Joined(worker, joined);
            }
            else
            {
                WorkerSnapshot stuck = core.Snapshot(worker);
                joined.NotJoined.Add(stuck);
                core.NotJoined(worker, stuck);
            }
        }
        core.Finish();
        lock (_once) return ReportLocked(joined);
    }

    private void Joined(Worker worker, ShutdownTally tally)
    {
        tally.Joined++;
        core.Joined(worker);
    }

    private ShutdownReport ReportLocked(ShutdownTally tally) => new()
    {
        Drained = !_cancelled,
        WorkersJoined = tally.Joined,
        NotJoined = tally.NotJoined,
        NotStarted = _notStarted.ToArray(),
        Interrupted = core.Interrupted,
        Counts = core.Counts,
        Elapsed = core.Time.GetElapsedTime(_startedAt),
    };

    private async Task<bool> CompletesWithin(Task task, TimeSpan timeout)
    {
        try
        {
            await task.WaitAsync(timeout, core.Time).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private sealed class ShutdownTally
    {
        public int Joined { get; set; }

        public List<WorkerSnapshot> NotJoined { get; } = [];
    }
}
