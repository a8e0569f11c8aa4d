using System.Diagnostics;
using System.Collections.Immutable;
using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>The threads: started, replaced, added, retired, found stuck and lost.</summary>
/// <remarks>
/// <code>
///               a thread starts                 the loop ends: surplus, or the pool stops
///   vacant ─────────────────────► live ────────────────────────────────────────────────────► vacant
///     ▲                          │ ▲  │
///     │   no thread to be had    │ │  └─ on one item for too long ──► stuck (live; perhaps somebody stands in) ──┐
///     └──────────────────────────┘ └──── comes back, or dies and is replaced ────────────────────────────────────┘
/// </code>
/// There shall be <see cref="Size"/> workers, and one more for each that is stuck while options allow; and stand-ins, while all
/// are blocked by work of their own pool (<see cref="StandInWatch"/>). The queue lets a surplus
/// worker leave when it next has nothing in hand; its number is free then, and the next to start takes it up again.
/// <para>One resize, recovery or stuck worker at a time, under this object's lock, which is never taken under the gate; and no
/// code of a caller runs under it.</para>
/// </remarks>
internal sealed class WorkerSet
{
    /// <summary>How long a worker with nothing in hand may take to leave its loop and its thread.</summary>
    public static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);

    private readonly PoolCore _core;
    private readonly int? _maxStandIns; // null: as many as workers, and none for stuck ones
    private ImmutableArray<Worker> _all; // by id; only grows
    private int _size;
    private int _stuck; // workers found stuck that have not come back; guarded by the lock

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
        foreach (Worker worker in _all) core.Queue.AddLocked(worker); // on their way from the first moment
        core.Queue.Exit();
    }

    /// <summary>The workers the pool was made or resized to have.</summary>
    public int Size => Volatile.Read(ref _size);

    /// <summary>Every worker that ever was, by id.</summary>
    public ImmutableArray<Worker> All => _all;

    public TimeSpan StuckAfter { get; }

    public Action<Thread> StartThread { get; }

    public int? Nice { get; }

    public Func<int, object?>? CreateState { get; }

    /// <summary>Starts every worker; if the system refuses one thread, or one cannot make its state, all are ended again.</summary>
    public void Start()
    {
        var ready = new List<TaskCompletionSource>();
        int started = 0;
        try
        {
            foreach (Worker worker in _all)
            {
                TaskCompletionSource? told = CreateState is null ? null : new();
                worker.Start(told);
                started++;
                if (told is not null) ready.Add(told);
            }
            foreach (TaskCompletionSource told in ready) told.Task.GetAwaiter().GetResult(); // blocks the pool's maker, as documented
        }
        catch
        {
            _core.Stop.Close();
            foreach (Worker worker in _all.AsSpan()[started..]) Leave(worker);
            _core.Stop.Abandon(); // what a worker that was ready has submitted already
            foreach (Worker worker in _all.AsSpan()[..started]) worker.Join(Timeout.InfiniteTimeSpan);
            _core.StopTimers();
            throw;
        }
    }

    /// <summary>More workers start at once; fewer: whoever has nothing in hand leaves, whoever has, when he is done.</summary>
    public void Resize(int workers)
    {
        Loss loss;
        using (new UninterruptibleLock(this))
        {
            if (_core.IsClosed) return;
            _size = workers;
            loss = ApplyTargetLocked();
        }
        Tell(loss);
    }

    /// <summary>On the worker's thread, which ends: it could not make its state.</summary>
    public void FailedToStart(Worker worker, Exception error, TaskCompletionSource? ready)
    {
        if (ready is null)
        {
            _core.Listeners.WorkerStateFailed(worker, error);
            Lose(worker, error);
            return;
        }
        Leave(worker);
        ready.TrySetException(error);
    }

    /// <summary>On the dying thread of a worker: what it had in hand has failed.</summary>
    public void HandInHandFailed(Worker worker, Exception error)
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

    /// <summary>On the dying thread of a worker, as its last act: a new thread takes its place.</summary>
    public void Replace(Worker worker, Exception error)
    {
        _core.Listeners.WorkerReplaced(worker, error);
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
    /// Looks for workers that are stuck and were not known to be. Each is told of once; each may get a stand-in, within the
    /// bound.
    /// </summary>
    /// <returns>When to look again; null when nobody works who is not known to be stuck.</returns>
    public TimeSpan? FindStuck()
    {
        TimeSpan? next = null;
        foreach (Worker worker in _all)
        {
            LedgerCopy ledger = worker.Ledger.Copy<ProcessorOps>();
            if (ledger.Item is null || Volatile.Read(ref worker.StuckSince) != 0) continue;
            long since = ledger.ItemSince;
            TimeSpan left = StuckAfter - _core.Clock.Time.GetElapsedTime(since);
            if (left >= TimeSpan.Zero) next = Sooner(next, left);
            else NoteStuck(worker, since);
        }
        return next;

        static TimeSpan Sooner(TimeSpan? a, TimeSpan b) => a < b ? a.Value : b;
    }

    /// <summary>One more worker, for what blocked workers wait for alone. It leaves by itself.</summary>
    /// <returns>False: there is no thread.</returns>
    public bool StartStandIn()
    {
        Loss loss = default;
        using (new UninterruptibleLock(this))
        {
            Worker worker = VacantWorkerLocked();
            _core.Queue.Enter();
            bool added = _core.Queue.TryAddStandInLocked(worker);
            _core.Queue.Exit();
            if (!added) return true; // it is not needed any more
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
        if (loss.Worker is null) _core.Listeners.StandInStarted();
        Tell(loss);
        _core.Space.TellIfAwaited(); // a worker more is a place more
        return loss.Worker is null;
    }

    /// <summary>Waits until a thread that is being started has been.</summary>
    public void AwaitStarts()
    {
        using (new UninterruptibleLock(this))
        {
        }
    }

    /// <summary>On a worker that was found stuck and has come back.</summary>
    public void Recovered(Worker worker)
    {
        Loss loss;
        using (new UninterruptibleLock(this))
        {
            if (worker.StuckSince == 0) return;
            worker.StuckSince = 0;
            _stuck--;
            loss = ApplyTargetLocked();
        }
        Tell(loss);
        _core.Listeners.WorkerRecovered(worker);
    }

    /// <summary>A worker that holds since then what it should have let go of. It is told of once, and may get a stand-in, within the bound.</summary>
    public void NoteStuck(Worker worker, long since)
    {
        bool hasStandIn;
        Loss loss;
        using (new UninterruptibleLock(this))
        {
            if (worker.StuckSince != 0) return;
            Volatile.Write(ref worker.StuckSince, since == 0 ? 1 : since);
            // On every thread, so that the worker needs none for each item: either it sees the mark, or its release is seen here.
            Interlocked.MemoryBarrierProcessWide();
            // It may have come back before it could see that: then it is not stuck, and will not look at the mark in time.
            if (worker.Ledger.Item is null || worker.Ledger.ItemSince != since)
            {
                worker.StuckSince = 0;
                return;
            }
            _stuck++;
            hasStandIn = _stuck <= (_maxStandIns ?? 0) && !_core.IsClosed;
            loss = ApplyTargetLocked();
        }
        Tell(loss);
        _core.Listeners.WorkerStuck(worker, hasStandIn);
    }

    /// <summary>Starts workers until there are as many as there shall be; a surplus leaves by itself.</summary>
    /// <returns>Who got no thread, to be told of after the lock.</returns>
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
        _core.CarryOut(ref after); // wakes, and nothing else
        for (; missing > 0; missing--)
        {
            Worker worker = VacantWorkerLocked();
            _core.Queue.Enter();
            // Looked at again: to find a vacant one may have taken a moment, and a pool that stops counts its workers.
            bool open = _core.Queue.State == QueueState.Open;
            if (open) _core.Queue.AddLocked(worker);
            _core.Queue.Exit();
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
        _core.Space.TellIfAwaited();
        return loss;
    }

    private Worker VacantWorkerLocked()
    {
        Debug.Assert(Monitor.IsEntered(this));
        foreach (Worker worker in _all)
        {
            // Its loop has ended; its thread ends in a moment, and must have before the worker starts on another.
            if (!worker.IsLive && HasEnded(worker)) return worker;
        }
        Worker added = NewWorker(_all.Length);
        ImmutableInterlocked.InterlockedExchange(ref _all, _all.Add(added));
        return added;

        static bool HasEnded(Worker worker)
        {
            try
            {
                return worker.Join(Moment);
            }
            catch (ThreadInterruptedException)
            {
                // Not meant for this wait: what has begun here goes on, without this one.
                Thread.CurrentThread.Interrupt();
                return false;
            }
        }
    }

    /// <summary>How many workers there may be beyond <see cref="Size"/>.</summary>
    private int MostStandIns => _maxStandIns ?? Math.Min(_size, FixedThreadPoolOptions.MostStandIns);

    private Worker NewWorker(int id) => new(_core, id, $"{_core.Name}-{id}");

    /// <summary>On a worker's own thread, which ends: the worker gets no other.</summary>
    private void Lose(Worker worker, Exception error)
    {
        using (new UninterruptibleLock(this))
        {
            if (worker.StuckSince != 0) _stuck--;
            worker.StuckSince = 0;
        }
        Tell(new Loss(worker, error, Leave(worker) == 0));
    }

    /// <summary>The pool goes on with one fewer, or, without any, ends what it has.</summary>
    private void Tell(Loss loss)
    {
        if (loss.Worker is null) return;
        if (loss.WasLast)
        {
            // Nobody is left to run anything: what was accepted must be told so.
            _core.Stop.Close();
            _core.Stop.Abandon();
        }
        _core.Listeners.WorkerLost(loss.Worker, loss.Error!);
    }

    private int Leave(Worker worker)
    {
        DeferredActions after = default;
        _core.Queue.Enter();
        _core.Queue.LeaveLocked(worker, ref after);
        int live = _core.Queue.LiveWorkers - _core.Queue.StandInCount;
        _core.Queue.Exit();
        _core.CarryOut(ref after); // wakes, or says that the pool has drained
        _core.Stop.WorkerLeft();
        return live;
    }

    /// <summary>A worker that has no thread and gets none. None: nobody.</summary>
    private readonly record struct Loss(Worker? Worker, Exception? Error, bool WasLast);
}
