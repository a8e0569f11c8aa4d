namespace PoolApi.Threading.Core;

/// <summary>The order of a stop: close, drain, hand back and cancel, join. Safe to call from several threads; each step once.</summary>
/// <remarks>
/// No lock is held while anything is waited for or code of a caller runs: an item that is told its end may well close the
/// pool that another thread is just stopping.
/// </remarks>
internal sealed class PoolShutdown(PoolCore core, FixedThreadPoolOptions options)
{
    /// <summary>Longer than this is for ever: a timer cannot count it.</summary>
    private static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(20);

    private readonly TimeSpan _cancelGrace = options.CancelGrace;
    private readonly TimeSpan _joinGrace = options.JoinGrace;
    private long _startedAt;
    private ShutdownMode? _mode;
    private TaskCompletionSource<ShutdownReport>? _shutdown;
    private TaskCompletionSource<ShutdownReport>? _join;
    private readonly TaskCompletionSource _enoughWaited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>How long a pool that is disposed of finishes what was accepted.</summary>
    public TimeSpan Timeout { get; } = options.ShutdownTimeout;

    public void Close()
    {
        Interlocked.CompareExchange(ref _startedAt, core.Clock.Time.GetTimestamp(), 0);
        core.Stop.Close();
    }

    public void CancelAll()
    {
        Close();
        core.Stop.HandBackWaiting();
        core.Stop.CancelInFlight();
    }

    public Task<ShutdownReport> ShutdownAsync(ShutdownMode mode, TimeSpan deadline)
    {
        Close();
        if (!IsFirst(ref _shutdown, out TaskCompletionSource<ShutdownReport> shutdown)) return shutdown.Task;
        _mode = mode;
        // Not forgotten: its end is the end of the task that is returned.
        _ = CompleteAsync(shutdown, RunAsync(mode, deadline));
        return shutdown.Task;
    }

    public Task<ShutdownReport> JoinAsync(TimeSpan timeout)
    {
        Close();
        if (!IsFirst(ref _join, out TaskCompletionSource<ShutdownReport> join))
        {
            if (timeout == TimeSpan.Zero) _enoughWaited.TrySetResult();
            return join.Task;
        }
        _ = CompleteAsync(join, JoinOnceAsync(timeout)); // as above
        return join.Task;
    }

    /// <summary>Blocks the caller until the pool has drained, or for as long as it may take.</summary>
    public bool WaitUntilDrained()
    {
        Task drained = core.Stop.Drained;
        // By the system's clock without a timer, whose callback would need a thread of the .NET ThreadPool.
        if (core.Clock.Time == TimeProvider.System) return drained.Wait(Limited(Timeout));
        return CompletesWithin(drained, Timeout).GetAwaiter().GetResult();
    }

    /// <summary>
    /// For a pool that has drained: joins without a deadline, blocking the caller for the moment that it takes. If
    /// somebody else joins already, waits for them.
    /// </summary>
    public void JoinDrained()
    {
        core.Stop.LetGo();
        if (!IsFirst(ref _join, out TaskCompletionSource<ShutdownReport> join))
        {
            core.Stop.Finished.GetAwaiter().GetResult(); // blocks the caller, as documented
            return;
        }
        var tally = new ShutdownTally();
        try
        {
            core.Stop.Exited.GetAwaiter().GetResult(); // likewise
            foreach (Worker worker in core.Workers.All)
            {
                worker.Join(System.Threading.Timeout.InfiniteTimeSpan);
                Joined(worker, tally);
            }
        }
        finally
        {
            // Also if this thread is interrupted: others wait for this.
            core.Stop.Finish();
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
            await CompletesWithin(core.Stop.Drained, deadline).ConfigureAwait(false);
        }
        else if (!await CompletesWithin(core.Stop.Drained, deadline).ConfigureAwait(false))
        {
            CancelAll();
            await CompletesWithin(core.Stop.Drained, _cancelGrace).ConfigureAwait(false);
        }
        return await JoinAsync(_joinGrace).ConfigureAwait(false);
    }

    private async Task<ShutdownReport> JoinOnceAsync(TimeSpan timeout)
    {
        core.Stop.LetGo();
        Worker[] running = [];
        Task over = Task.WhenAny(core.Stop.Exited, _enoughWaited.Task);
        if (!await CompletesWithin(over, timeout).ConfigureAwait(false) || !core.Stop.Exited.IsCompleted) running = core.Stop.Abandon();

        core.Workers.AwaitStarts();
        var tally = new ShutdownTally();
        long joinStarted = core.Clock.Time.GetTimestamp();
        foreach (Worker worker in core.Workers.All)
        {
            // Blocks for a moment, for all of them together: the loop of such a worker has ended or is about to; only the
            // thread's own end is waited for.
            TimeSpan left = WorkerSet.Moment - core.Clock.Time.GetElapsedTime(joinStarted);
            if (!running.Contains(worker) && worker.Join(left > TimeSpan.Zero ? left : TimeSpan.Zero))
            {
                Joined(worker, tally);
            }
            else
            {
                WorkerSnapshot stuck = core.Views.Snapshot(worker);
                tally.NotJoined.Add(stuck);
                core.Listeners.WorkerNotJoined(worker, stuck);
            }
        }
        core.Stop.Finish();
        return Report(tally);
    }

    private void Joined(Worker worker, ShutdownTally tally)
    {
        tally.Joined++;
        core.Listeners.WorkerJoined(worker);
    }

    private ShutdownReport Report(ShutdownTally tally)
    {
        (PoolWorkItem[] notStarted, bool cutShort) = core.Stop.GivenUp();
        return new ShutdownReport
        {
            Mode = _mode,
            Drained = !cutShort,
            WorkersJoined = tally.Joined,
            NotJoined = tally.NotJoined,
            NotStarted = notStarted,
            Interrupted = core.Stop.Interrupted,
            Counts = core.Views.Counts,
            Elapsed = core.Clock.Time.GetElapsedTime(Volatile.Read(ref _startedAt)),
        };
    }

    private async Task<bool> CompletesWithin(Task task, TimeSpan timeout)
    {
        try
        {
            await task.WaitAsync(Limited(timeout), core.Clock.Time).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private static TimeSpan Limited(TimeSpan timeout) => timeout > LongestTimeout ? System.Threading.Timeout.InfiniteTimeSpan : timeout;

    private sealed class ShutdownTally
    {
        public int Joined { get; set; }

        public List<WorkerSnapshot> NotJoined { get; } = [];
    }
}
