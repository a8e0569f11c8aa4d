namespace PoolApi.Threading.Core;

/// <summary>The order of a stop: close, drain, hand back and cancel, join. Safe to call from several threads; each step once.</summary>
/// <remarks>
/// No lock is held while anything is waited for or code of a caller runs: an item that is told its end may well close the
/// pool that another thread is just stopping.
/// </remarks>
internal sealed class PoolShutdown(PoolCore core)
{
    /// <summary>Longer than this is for ever: a timer cannot count it.</summary>
    private static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(40);

    private readonly Lock _notes = new();
    private readonly List<PoolWorkItem> _notStarted = [];
    private long _startedAt;
    private bool _cutShort; // something was handed back, cancelled or abandoned
    private TaskCompletionSource<ShutdownReport>? _shutdown;
    private TaskCompletionSource<ShutdownReport>? _join;

    public void Close()
    {
        lock (_notes)
        {
            if (_startedAt == 0) _startedAt = core.Time.GetTimestamp();
        }
        core.Close();
    }

    public void CancelAll()
    {
        Close();
        Note(core.HandBackWaiting());
        if (core.CancelInFlight() > 0) NoteCutShort();
    }

    public Task<ShutdownReport> ShutdownAsync(ShutdownMode mode, TimeSpan deadline)
    {
        Close();
        if (!IsFirst(ref _shutdown, out TaskCompletionSource<ShutdownReport> shutdown)) return shutdown.Task;
        // Not forgotten: its end is the end of the task that is returned.
        _ = CompleteAsync(shutdown, RunAsync(mode, deadline));
        return shutdown.Task;
    }

    public Task<ShutdownReport> JoinAsync(TimeSpan timeout)
    {
        Close();
        if (!IsFirst(ref _join, out TaskCompletionSource<ShutdownReport> join)) return join.Task;
        _ = CompleteAsync(join, JoinOnceAsync(timeout)); // as above
        return join.Task;
    }

    /// <summary>
    /// For a pool that has drained: joins without a deadline, blocking the caller for the moment that it takes. If
    /// somebody else joins already, waits for them.
    /// </summary>
    public void JoinDrained()
    {
        core.Stop();
        if (!IsFirst(ref _join, out TaskCompletionSource<ShutdownReport> join))
        {
            core.Finished.GetAwaiter().GetResult(); // blocks the caller, as documented
            return;
        }
        var tally = new ShutdownTally();
        try
        {
            core.Exited.GetAwaiter().GetResult(); // likewise
            foreach (Worker worker in core.Workers)
            {
                worker.Join(Timeout.InfiniteTimeSpan);
                Joined(worker, tally);
            }
        }
        finally
        {
            // Also if this thread is interrupted: others wait for this.
            core.Finish();
            join.SetResult(Report(tally));
        }
    }

    private static bool IsFirst(ref TaskCompletionSource<ShutdownReport>? slot, out TaskCompletionSource<ShutdownReport> source)
    {
        var mine = new TaskCompletionSource<ShutdownReport>(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource<ShutdownReport>? first = Interlocked.CompareExchange(ref slot, mine, null);
        source = first ?? mine;
        return first is null;
    }

    private static async Task CompleteAsync(TaskCompletionSource<ShutdownReport> source, Task<ShutdownReport> work)
    {
        try
        {
            source.SetResult(await work.ConfigureAwait(false));
        }
        catch (Exception e)
        {
            source.SetException(e); // should not happen; but whoever waits must not wait for ever
        }
    }

    private async Task<ShutdownReport> RunAsync(ShutdownMode mode, TimeSpan deadline)
    {
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

    private async Task<ShutdownReport> JoinOnceAsync(TimeSpan timeout)
    {
        core.Stop();
        Worker[] running = [];
        if (!await CompletesWithin(core.Exited, timeout).ConfigureAwait(false))
        {
            running = core.Abandon(out int abandoned, out IReadOnlyList<PoolWorkItem> handedBack);
            Note(handedBack);
            if (abandoned > 0) NoteCutShort();
        }

        var tally = new ShutdownTally();
        long joinStarted = core.Time.GetTimestamp();
        foreach (Worker worker in core.Workers)
        {
            // Blocks for a moment, for all of them together: the loop of such a worker has ended or is about to; only the
            // thread's own end is waited for.
            TimeSpan left = PoolCore.Moment - core.Time.GetElapsedTime(joinStarted);
            if (!running.Contains(worker) && worker.Join(left > TimeSpan.Zero ? left : TimeSpan.Zero))
            {
                Joined(worker, tally);
            }
            else
            {
                WorkerSnapshot stuck = core.Snapshot(worker);
                tally.NotJoined.Add(stuck);
                core.NotJoined(worker, stuck);
            }
        }
        core.Finish();
        return Report(tally);
    }

    private void Joined(Worker worker, ShutdownTally tally)
    {
        tally.Joined++;
        core.Joined(worker);
    }

    private void Note(IReadOnlyList<PoolWorkItem> notStarted)
    {
        if (notStarted.Count == 0) return;
        lock (_notes) _notStarted.AddRange(notStarted);
        NoteCutShort();
    }

    private void NoteCutShort()
    {
        lock (_notes) _cutShort = true;
    }

    private ShutdownReport Report(ShutdownTally tally)
    {
        lock (_notes)
        {
            return new ShutdownReport
            {
                Drained = !_cutShort,
                WorkersJoined = tally.Joined,
                NotJoined = tally.NotJoined,
                NotStarted = _notStarted.ToArray(),
                Interrupted = core.Interrupted,
                Counts = core.Counts,
                Elapsed = core.Time.GetElapsedTime(_startedAt),
            };
        }
    }

    private async Task<bool> CompletesWithin(Task task, TimeSpan timeout)
    {
        try
        {
            await task.WaitAsync(timeout > LongestTimeout ? Timeout.InfiniteTimeSpan : timeout, core.Time).ConfigureAwait(false);
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
