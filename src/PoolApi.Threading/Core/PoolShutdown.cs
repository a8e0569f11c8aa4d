using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;
using PoolApi.Threading.Core.Stopping;

namespace PoolApi.Threading.Core;

/// <summary>A stop with its deadlines, its joins and its report. Safe to call from several threads.</summary>
/// <remarks>
/// <para><see cref="StopOrder{TOps}"/> has the order of the steps. A drained pool that is disposed of needs only two of them (<see cref="JoinDrained"/>).</para>
/// <para>No lock is held during a wait or while code of a caller runs: an item that is notified of its end may close the
/// pool that another thread is just stopping.</para>
/// </remarks>
internal sealed class PoolShutdown(PoolCore core)
{
    /// <summary>The default time that the workers have to end after the drain.</summary>
    public static readonly TimeSpan DefaultGrace = TimeSpan.FromSeconds(2);

    /// <summary>The deadline of the drain when a pool is disposed of.</summary>
    public static readonly TimeSpan DrainOfDispose = TimeSpan.FromSeconds(30);

    /// <summary>The longest finite timeout, below the limit of the runtime's waits. A longer one counts as infinite.</summary>
    private static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(20);

    private long _startedAt = long.MinValue; // not closed yet; a clock may begin at 0
    private TaskCompletionSource<ShutdownReport>? _shutdown;
    private readonly TaskCompletionSource _enoughWaited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Close()
    {
        Interlocked.CompareExchange(ref _startedAt, core.Clock.Time.GetTimestamp(), long.MinValue);
        core.Stop.Close();
    }

    public void CancelAll()
    {
        Close();
        core.Stop.CancelAll();
    }

    public Task<ShutdownReport> ShutdownAsync(TimeSpan deadline, TimeSpan grace)
    {
        Close();
        if (!IsFirst(out TaskCompletionSource<ShutdownReport> shutdown))
        {
            if (deadline == TimeSpan.Zero && grace == TimeSpan.Zero) _enoughWaited.TrySetResult();
            return shutdown.Task;
        }
        // Not awaited: the returned task ends with it.
        _ = CompleteAsync(shutdown, RunAsync(deadline, grace));
        return shutdown.Task;
    }

    /// <summary>Blocks the caller until the pool has drained or the deadline is over.</summary>
    public bool WaitUntilDrained() => CompletesWithinBlocking(core.Stop.Drained, DrainOfDispose);

    /// <summary>
    /// Runs the remaining steps of a stop, for a pool that has drained, with the default grace time. Blocks the caller. If another thread
    /// already joins the workers, waits for that thread.
    /// </summary>
    public void JoinDrained()
    {
        core.Stop.LetGo();
        if (!IsFirst(out TaskCompletionSource<ShutdownReport> shutdown))
        {
            core.Stop.Finished.GetAwaiter().GetResult(); // blocks the caller, as documented
            return;
        }
        var tally = new ShutdownTally();
        try
        {
            long since = core.Clock.Time.GetTimestamp();
            bool ended = CompletesWithinBlocking(core.Stop.Exited, DefaultGrace)
                && CompletesWithinBlocking(core.Workers.Ended, DefaultGrace - core.Clock.Time.GetElapsedTime(since));
            Join(ended ? [] : core.Stop.Abandon(), tally);
        }
        finally
        {
            // Runs even if this thread is interrupted, because other callers wait for the result.
            core.Stop.Finish();
            shutdown.SetResult(Report(tally));
        }
    }

    private bool IsFirst(out TaskCompletionSource<ShutdownReport> source)
    {
        var mine = new TaskCompletionSource<ShutdownReport>(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource<ShutdownReport>? first = Interlocked.CompareExchange(ref _shutdown, mine, null);
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
            source.SetException(e); // not expected, but the waiters must not hang
        }
    }

    private async Task<ShutdownReport> RunAsync(TimeSpan deadline, TimeSpan grace)
    {
        // The grace time includes the disposal of the workers' states.
        Task ended = Task.WhenAll(core.Stop.Exited, core.Workers.Ended);
        QueueWorker[] running = await StopOrder<ProcessorOps>.RunAsync(
            core.Stop, deadline, grace, (step, timeout) => CompletesWithin(step == core.Stop.Exited ? ended : step, timeout)).ConfigureAwait(false);
        var tally = new ShutdownTally();
        Join(running, tally);
        core.Stop.Finish();
        return Report(tally);
    }

    /// <summary>
    /// Joins the threads, and leaves behind those that do not end. Blocks for at most <see cref="WorkerSet.Moment"/> for all threads together:
    /// either the grace time has passed, or every thread has left its loop and is about to end.
    /// </summary>
    /// <param name="running">The workers that are still inside an item's code, which are left behind at once.</param>
    /// <param name="tally">Counts them.</param>
    private void Join(QueueWorker[] running, ShutdownTally tally)
    {
        core.Workers.AwaitStarts();
        long joinStarted = core.Clock.Time.GetTimestamp();
        foreach (Worker worker in core.Workers.All)
        {
            TimeSpan left = WorkerSet.Moment - core.Clock.Time.GetElapsedTime(joinStarted);
            if (!running.Contains(worker) && worker.Join(left > TimeSpan.Zero ? left : TimeSpan.Zero))
            {
                Joined(worker, tally);
            }
            else
            {
                tally.NotJoined.Add(core.Views.Snapshot(worker));
                core.Observers.WorkerJoined(worker, inTime: false);
            }
        }
    }

    private void Joined(Worker worker, ShutdownTally tally)
    {
        tally.Joined++;
        core.Observers.WorkerJoined(worker, inTime: true);
    }

    private ShutdownReport Report(ShutdownTally tally) => new(core.Views.GetSnapshot())
    {
        WorkersJoined = tally.Joined,
        NotJoined = tally.NotJoined,
        NotStarted = core.Stop.NotStarted,
        Interrupted = core.Stop.Interrupted,
        Elapsed = core.Clock.Time.GetElapsedTime(Volatile.Read(ref _startedAt)),
    };

    /// <summary>Waits for a step. Returns whether it completed before its time was over or a later caller ended the wait.</summary>
    private async Task<bool> CompletesWithin(Task step, TimeSpan timeout)
    {
        try
        {
            await Task.WhenAny(step, _enoughWaited.Task).WaitAsync(Limited(timeout), core.Clock.Time).ConfigureAwait(false);
            return step.IsCompleted;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>The same, blocking the caller.</summary>
    private bool CompletesWithinBlocking(Task step, TimeSpan timeout)
    {
        if (step.IsCompleted) return true;
        if (timeout < TimeSpan.Zero) timeout = TimeSpan.Zero;
        if (core.Clock.Time != TimeProvider.System) return CompletesWithin(step, timeout).GetAwaiter().GetResult();
        // Waits by the system's clock, without a timer or a continuation, which would need a thread of the .NET ThreadPool.
        WaitHandle.WaitAny([((IAsyncResult)step).AsyncWaitHandle, ((IAsyncResult)_enoughWaited.Task).AsyncWaitHandle], timeout);
        return step.IsCompleted;
    }

    private static TimeSpan Limited(TimeSpan timeout) => timeout > LongestTimeout ? System.Threading.Timeout.InfiniteTimeSpan : timeout;

    private sealed class ShutdownTally
    {
        public int Joined { get; set; }

        public List<WorkerSnapshot> NotJoined { get; } = [];
    }
}
