using System.Diagnostics;
using System.Collections.Immutable;
using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>Manages the workers' threads: starts, replaces, adds and retires them, and handles stuck and lost ones.</summary>
/// <remarks>
/// <code>
///               a thread starts                 the loop ends: surplus, or the pool stops
///   vacant ─────────────────────► live ────────────────────────────────────────────────────► vacant
///     ▲                          │ ▲  │
///     │   no thread available    │ │  └─ on one item for too long ──► stuck (live; a stand-in may help) ─────────┐
///     └──────────────────────────┘ └──── comes back, or dies and is replaced ────────────────────────────────────┘
/// </code>
/// The target is <see cref="Size"/> workers, one more for each stuck worker within the options' limit, and stand-ins while all workers
/// are blocked by work of their own pool (<see cref="StandInWatch"/>). The stand-in for a stuck worker is a worker like any other and runs any item.
/// Only the other stand-ins have <see cref="QueueWorker.IsStandIn"/>. The queue lets a surplus
/// worker leave when it next has no item. Its id is free then, and the next worker that starts gets it.
/// <para>This object's lock serializes resizes, recoveries and stuck workers. It is never taken under the gate, and no
/// code of a caller runs under it.</para>
/// </remarks>
internal sealed class WorkerSet
{
    /// <summary>How long an idle worker may take to leave its loop and end its thread.</summary>
    public static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);

    private readonly PoolCore _core;
    private readonly int? _maxStandIns; // null: as many as workers, and none for stuck ones
    private ImmutableArray<Worker> _all; // by id; only grows
    private int _size;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _threads; // threads that are about to start or run
    private int _stuck; // stuck workers that have not recovered; guarded by the lock

    public WorkerSet(PoolCore core, FixedThreadPoolOptions options)
    {
        _core = core;
        _maxStandIns = options.MaxStandIns;
        StartThread = options.StartThread;
        Nice = options.Nice;
        CreateState = options.CreateWorkerState;
        StuckAfter = options.StuckAfter;
        _size = options.Workers;
        _all = [.. Enumerable.Range(0, _size).Select(NewWorker)];
        DeferredActions after = default;
        core.Queue.Enter();
        core.Queue.ResizeLocked(_size, ref after);
        core.Queue.LimitStandInsLocked(MostStandIns);
        foreach (Worker worker in _all) core.Queue.AddLocked(worker); // the queue counts them from the start
        core.Queue.Exit();
    }

    /// <summary>The number of workers that the pool was created with or resized to.</summary>
    public int Size => Volatile.Read(ref _size);

    /// <summary>All workers that ever existed, by id.</summary>
    public ImmutableArray<Worker> All => _all;

    /// <summary>Completes when the pool is closed, and every thread has disposed of its worker's state and ends.</summary>
    public Task Ended => _ended.Task;

    public TimeSpan StuckAfter { get; }

    public Action<Thread> StartThread { get; }

    public int? Nice { get; }

    public Func<int, object?>? CreateState { get; }

    /// <summary>Starts every worker. If the system gives no thread, or a state cannot be created, all of them end again.</summary>
    public void Start()
    {
        var ready = new List<TaskCompletionSource>();
        int started = 0;
        try
        {
            foreach (Worker worker in _all)
            {
                TaskCompletionSource? madeState = CreateState is null ? null : new();
                worker.Start(madeState);
                started++;
                if (madeState is not null) ready.Add(madeState);
            }
            foreach (TaskCompletionSource madeState in ready) madeState.Task.GetAwaiter().GetResult(); // blocks the constructor's caller, as documented
        }
        catch
        {
            _core.Stop.Close();
            foreach (Worker worker in _all.AsSpan()[started..]) Leave(worker);
            // A ready worker may have submitted items already.
            _core.Stop.CancelAll();
            _core.Stop.Abandon();
            foreach (Worker worker in _all.AsSpan()[..started]) worker.Join(Timeout.InfiniteTimeSpan);
            _core.StopTimers();
            throw;
        }
    }

    /// <summary>A worker's thread is about to start.</summary>
    public void ThreadStarts() => Interlocked.Increment(ref _threads);

    /// <summary>A worker's thread ends, or could not be started.</summary>
    public void ThreadEnds()
    {
        if (Interlocked.Decrement(ref _threads) == 0 && _core.IsClosed) _ended.TrySetResult();
    }

    /// <summary>Changes the number of workers. More start at once. Surplus workers leave when they have no item.</summary>
    public void Resize(int workers)
    {
        Loss loss;
        using (new UninterruptibleLock(this))
        {
            if (_core.IsClosed) return;
            _size = workers;
            loss = ApplyTargetLocked();
        }
        ReportLoss(loss);
    }

    /// <summary>A worker's state could not be created. Called on its thread, which ends.</summary>
    public void FailedToStart(Worker worker, Exception error, TaskCompletionSource? ready)
    {
        if (ready is null)
        {
            if (worker.IsStandIn) _core.StandInFailed(); // before it leaves, or the next check would start another at once
            _core.Observers.WorkerStateFailed(worker, error);
            Lose(worker, error);
            return;
        }
        Leave(worker);
        ready.TrySetException(error);
    }

    /// <summary>A worker's thread dies, and its item has failed. Called on that thread.</summary>
    public void EndItemInHand(Worker worker, Exception error)
    {
        switch (worker.Ledger.Item)
        {
            case AsyncPoolWorkItem item:
                if (item.ActiveRuns == 1) _core.Async.End(item, WorkOutcome.Failed, error, worker);
                _core.Async.Release(worker);
                break;
            case { } item:
                _core.End(item, WorkOutcome.Failed, error, worker);
                break;
            default:
                break;
        }
    }

    /// <summary>Starts a new thread for a worker whose thread dies. The last call on that thread.</summary>
    public void Replace(Worker worker, Exception error)
    {
        _core.Observers.WorkerReplaced(worker, error);
        try
        {
            worker.Start();
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            Lose(worker, e);
        }
    }

    /// <summary>
    /// Finds workers that are newly stuck. Each is reported once, and each may get a stand-in within the
    /// limit.
    /// </summary>
    /// <returns>When to check again; null if no worker is busy except stuck ones.</returns>
    public TimeSpan? FindStuck()
    {
        TimeSpan? next = null;
        foreach (Worker worker in _all)
        {
            LedgerCopy ledger = worker.Ledger.Copy<ProcessorOps>();
            if (ledger.Item is null || Volatile.Read(ref worker.StuckSince) != 0) continue;
            long since = ledger.ItemSince;
            TimeSpan busy = _core.Clock.Time.GetElapsedTime(since);
            TimeSpan left = busy > TimeSpan.Zero ? StuckAfter - busy : StuckAfter; // avoids an overflow if StuckAfter is the largest time
            if (left >= TimeSpan.Zero) next = Sooner(next, left);
            else NoteStuck(worker, since);
        }
        return next;

        static TimeSpan Sooner(TimeSpan? a, TimeSpan b) => a < b ? a.Value : b;
    }

    /// <summary>Starts a stand-in, which runs only what blocked workers wait for and leaves by itself.</summary>
    /// <returns>What happened. A caller that holds a lock reports it later, because that runs code of callers.</returns>
    public StandInStart StartStandIn()
    {
        Loss loss = default;
        using (new UninterruptibleLock(this))
        {
            Worker worker = VacantWorkerLocked(Stopwatch.GetTimestamp());
            bool added;
            _core.Queue.Enter();
            try
            {
                added = _core.Queue.TryAddStandInLocked(worker);
            }
            finally
            {
                _core.Queue.Exit();
            }
            if (!added) return default; // no longer needed
            try
            {
                worker.Start();
            }
            catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
            {
                Leave(worker);
                loss = new Loss(worker, e, WasLast: false);
            }
        }
        _core.Space.NotifyIfAwaited(); // one more worker is one more place
        return new StandInStart(IsAdded: true, loss);
    }

    /// <summary>Reports the start of a stand-in.</summary>
    public void Report(StandInStart start)
    {
        if (!start.IsAdded) return;
        if (!start.GotNoThread) _core.Observers.StandInStarted();
        ReportLoss(start.Loss);
    }

    /// <summary>Waits until a thread that is being started has started.</summary>
    public void AwaitStarts()
    {
        using (new UninterruptibleLock(this))
        {
        }
    }

    /// <summary>A stuck worker has recovered. Called on that worker.</summary>
    public void Recovered(Worker worker)
    {
        Loss loss;
        HealthReport report;
        using (new UninterruptibleLock(this))
        {
            if (worker.StuckSince == 0) return;
            worker.StuckSince = 0;
            _stuck--;
            loss = ApplyTargetLocked();
            report = TakeReportLocked(worker);
        }
        ReportLoss(loss);
        Report(report);
    }

    /// <summary>Marks a worker as stuck if it still holds the item that it took at the given time. Reports it once, and may start a stand-in.</summary>
    public void NoteStuck(Worker worker, long since)
    {
        bool hasStandIn;
        Loss loss;
        HealthReport report;
        using (new UninterruptibleLock(this))
        {
            if (worker.StuckSince != 0) return;
            Volatile.Write(ref worker.StuckSince, since == 0 ? 1 : since);
            // A fence on every thread, so that the worker needs none for each item: either it sees the mark, or its release is seen here.
            Interlocked.MemoryBarrierProcessWide();
            // The worker may have returned before it could see the mark. Then it is not stuck and does not clear the mark itself.
            if (worker.Ledger.Item is null || worker.Ledger.ItemSince != since)
            {
                worker.StuckSince = 0;
                return;
            }
            _stuck++;
            hasStandIn = _stuck <= (_maxStandIns ?? 0) && !_core.IsClosed;
            try
            {
                loss = ApplyTargetLocked();
            }
            catch
            {
                (worker.StuckSince, _stuck) = (0, _stuck - 1); // the next check finds it again
                throw;
            }
            report = TakeReportLocked(worker);
        }
        ReportLoss(loss);
        if (hasStandIn) _core.Observers.StuckReplaced();
        Report(report);
    }

    /// <summary>
    /// Takes the change of a worker's health that the observer does not know yet. While one thread notifies the observer about a worker, another thread
    /// takes nothing: the first one also reports later changes. So the observer's last call reports the last change.
    /// </summary>
    private HealthReport TakeReportLocked(Worker worker)
    {
        Debug.Assert(Monitor.IsEntered(this));
        bool isStuck = worker.StuckSince != 0;
        if (worker.IsBeingReported || worker.IsReportedStuck == isStuck) return default;
        worker.IsBeingReported = true;
        worker.IsReportedStuck = isStuck;
        // Read here: a stuck worker that returns waits for the lock before it takes another item.
        return new HealthReport(worker, WorkerView.Read(worker), isStuck);
    }

    private void Report(HealthReport report)
    {
        while (report.Worker is { } worker)
        {
            try
            {
                _core.Observers.WorkerHealthChanged(report.View, report.IsStuck);
            }
            finally
            {
                using (new UninterruptibleLock(this)) worker.IsBeingReported = false;
            }
            using (new UninterruptibleLock(this)) report = TakeReportLocked(worker);
        }
    }

    /// <summary>Starts workers up to the target. Surplus workers leave by themselves.</summary>
    /// <returns>The workers that got no thread, to be reported after the lock is released.</returns>
    private Loss ApplyTargetLocked()
    {
        Debug.Assert(Monitor.IsEntered(this));
        Loss loss = default;
        int forStuck = Math.Min(_stuck, _maxStandIns ?? 0);
        int target = _size + forStuck;
        DeferredActions after = default;
        _core.Queue.Enter();
        _core.Queue.ResizeLocked(target, ref after);
        _core.Queue.LimitStandInsLocked(MostStandIns - forStuck);
        int missing = _core.IsClosed ? 0 : target - (_core.Queue.LiveWorkers - _core.Queue.StandInCount);
        _core.Queue.Exit();
        _core.CarryOut(ref after); // wake-ups only
        long since = Stopwatch.GetTimestamp();
        for (; missing > 0; missing--)
        {
            Worker worker = VacantWorkerLocked(since);
            bool open;
            _core.Queue.Enter();
            try
            {
                // Checked again: finding a vacant worker may have taken a moment, and a stop counts the workers.
                open = _core.Queue.State == PoolState.Running;
                if (open) _core.Queue.AddLocked(worker);
            }
            finally
            {
                _core.Queue.Exit();
            }
            if (!open) break;
            try
            {
                worker.Start();
            }
            catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
            {
                loss = new Loss(worker, e, Leave(worker) == 0);
                break;
            }
        }
        _core.Space.NotifyIfAwaited();
        return loss;
    }

    /// <summary>Finds a worker without a thread, or adds one.</summary>
    /// <param name="since">
    /// When the step began, a time of the system's clock. All waits of one step together take at most <see cref="Moment"/>, because the
    /// disposal of a worker's state is code of a caller and may block, and other threads wait for the lock.
    /// </param>
    private Worker VacantWorkerLocked(long since)
    {
        Debug.Assert(Monitor.IsEntered(this));
        foreach (Worker worker in _all)
        {
            // A worker that is not live has left its loop. Its thread ends in a moment, and must have ended before the worker starts on another thread.
            if (worker.IsLive) continue;
            TimeSpan left = Moment - Stopwatch.GetElapsedTime(since);
            if (HasEnded(worker, left > TimeSpan.Zero ? left : TimeSpan.Zero)) return worker;
        }
        Worker added = NewWorker(_all.Length);
        ImmutableInterlocked.InterlockedExchange(ref _all, _all.Add(added));
        return added;

        static bool HasEnded(Worker worker, TimeSpan timeout)
        {
            try
            {
                return worker.Join(timeout);
            }
            catch (ThreadInterruptedException)
            {
                // The interrupt was not meant for this wait. The step continues without this worker.
                Thread.CurrentThread.Interrupt();
                return false;
            }
        }
    }

    /// <summary>The most workers beyond <see cref="Size"/>.</summary>
    private int MostStandIns => _maxStandIns ?? Math.Min(_size, FixedThreadPoolOptions.MostStandIns);

    private Worker NewWorker(int id) => new(_core, id, $"{_core.Name}-{id}");

    /// <summary>A worker ends for good. Called on its own thread, which ends.</summary>
    private void Lose(Worker worker, Exception error)
    {
        using (new UninterruptibleLock(this))
        {
            if (worker.StuckSince != 0) _stuck--;
            worker.StuckSince = 0;
            worker.IsReportedStuck = false; // its loss is reported instead
        }
        ReportLoss(new Loss(worker, error, Leave(worker) == 0));
    }

    /// <summary>The pool continues with one worker fewer. Without any worker, it closes and ends its items.</summary>
    private void ReportLoss(Loss loss)
    {
        if (loss.Worker is null) return;
        if (loss.WasLast)
        {
            // No worker is left, so the accepted items end now. Their tokens are cancelled first, for code that they await outside the pool.
            _core.Stop.Close();
            _core.Stop.CancelAll();
            _core.Stop.Abandon();
        }
        _core.Observers.WorkerLost(loss.Worker, loss.Error!);
    }

    private int Leave(Worker worker)
    {
        DeferredActions after = default;
        _core.Queue.Enter();
        _core.Queue.LeaveLocked(worker, ref after);
        int live = _core.Queue.LiveWorkers - _core.Queue.StandInCount;
        _core.Queue.Exit();
        _core.CarryOut(ref after); // wake-ups, or the end of the drain
        _core.Stop.WorkerLeft();
        _core.Idle.Notify();
        return live;
    }

    /// <summary>A worker that has no thread and gets none.</summary>
    internal readonly record struct Loss(Worker? Worker, Exception? Error, bool WasLast);

    /// <summary>The change of a worker's health to report to the observer; the default value: none.</summary>
    private readonly record struct HealthReport(Worker? Worker, WorkerView View, bool IsStuck);

    /// <summary>The start of a stand-in; the default value: none was needed any more.</summary>
    internal readonly record struct StandInStart(bool IsAdded, Loss Loss)
    {
        /// <summary>Whether the system gave no thread.</summary>
        public bool GotNoThread => Loss.Worker is not null;
    }
}
