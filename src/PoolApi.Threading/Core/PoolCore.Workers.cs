using System.Collections.Immutable;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <content>The threads: started, replaced, added and retired.</content>
/// <remarks>
/// There shall be <see cref="Size"/> workers, and one more for each that is stuck while options allow. The queue lets a surplus
/// worker leave when it next has nothing in hand; its number is free then, and the next to start takes it up again.
/// </remarks>
internal sealed partial class PoolCore
{
    private readonly Action<Thread> _startThread;
    private readonly int _maxStandIns;
    private readonly StuckWatch _watch;
    private readonly Lock _sizing = new(); // one resize, replacement or retirement at a time; never taken under the gate
    private ImmutableArray<Worker> _workers = []; // by id; only grows
    private int _size;
    private int _stuck; // workers found stuck that have not come back; guarded by _sizing

    /// <summary>The workers the pool was made or resized to have.</summary>
    public int Size => Volatile.Read(ref _size);

    /// <summary>Every worker that ever was, by id.</summary>
    public ImmutableArray<Worker> Workers => _workers;

    public int? Nice { get; }

    public Func<int, object?>? CreateWorkerState { get; }

    public void StartThread(Thread thread) => _startThread(thread);

    /// <summary>Starts every worker; if the system refuses one thread, or one cannot make its state, all are ended again.</summary>
    public void StartWorkers()
    {
        var ready = new List<TaskCompletionSource>();
        int started = 0;
        try
        {
            foreach (Worker worker in _workers)
            {
                TaskCompletionSource? told = CreateWorkerState is null ? null : new();
                worker.Start(told);
                started++;
                if (told is not null) ready.Add(told);
            }
            foreach (TaskCompletionSource told in ready) told.Task.GetAwaiter().GetResult(); // blocks the pool's maker, as documented
        }
        catch
        {
            Close();
            Aftermath after = default;
            _queue.Enter();
            foreach (Worker worker in _workers.AsSpan()[started..]) _queue.LeaveLocked(worker, ref after);
            _queue.Exit();
            CarryOut(ref after);
            Abandon(out _, out _); // what a worker that was ready has submitted already
            foreach (Worker worker in _workers.AsSpan()[..started]) worker.Join(Timeout.InfiniteTimeSpan);
            DisposeTimers();
            throw;
        }
    }

    /// <summary>More workers start at once; fewer: whoever has nothing in hand leaves, whoever has, when he is done.</summary>
    public void Resize(int workers)
    {
        lock (_sizing)
        {
            if (IsClosed) return;
            _size = workers;
            ApplyTarget();
        }
    }

    public void WorkerStarted(Worker worker) => Tell(static (o, w, _, _) => o.WorkerStarted(w), worker.Id, null, null);

    public void WorkerStopped(Worker worker) => Tell(static (o, w, _, _) => o.WorkerStopped(w), worker.Id, null, null);

    public void WorkerStateFailed(Worker worker, Exception error) =>
        Tell(static (o, w, _, e) => o.WorkerStateFailed(w, e!), worker.Id, null, error);

    /// <summary>On the worker's thread, which ends: it could not make its state.</summary>
    public void WorkerFailedToStart(Worker worker, Exception error, TaskCompletionSource? ready)
    {
        if (ready is null)
        {
            WorkerStateFailed(worker, error);
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
                if (item.ActiveRuns == 1) EndAsync(item, WorkOutcome.Failed, error, worker);
                ReleaseAsync(worker);
                break;
            case { } item:
                End(item, WorkOutcome.Failed, error, worker);
                break;
            default:
                break;
        }
    }

    /// <summary>On the dying thread of a worker, as its last act: a new thread takes its place.</summary>
    public void Replace(Worker worker, Exception error)
    {
        CountReplaced("died");
        Tell(static (o, w, _, e) => o.WorkerReplaced(w, e!), worker.Id, null, error);
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
        foreach (Worker worker in _workers)
        {
            WorkerLedger ledger = worker.Ledger;
            int version = ledger.BeginRead();
            bool busy = ledger.Item is not null;
            long since = ledger.ItemSince;
            if (!ledger.IsUnchanged(version))
            {
                // It has just finished with one thing or taken up another; either way it may be busy from now on.
                next = Sooner(next, StuckAfter);
                continue;
            }
            if (!busy || Volatile.Read(ref worker.StuckSince) != 0) continue;
            TimeSpan left = StuckAfter - _time.GetElapsedTime(since);
            if (left >= TimeSpan.Zero) next = Sooner(next, left);
            else NoteStuck(worker, since);
        }
        return next;

        static TimeSpan Sooner(TimeSpan? a, TimeSpan b) => a < b ? a.Value : b;
    }

    /// <summary>On a worker that was found stuck and has come back.</summary>
    private void Recovered(Worker worker)
    {
        lock (_sizing)
        {
            if (worker.StuckSince == 0) return;
            worker.StuckSince = 0;
            _stuck--;
            ApplyTarget();
        }
        Tell(static (o, w, _, _) => o.WorkerRecovered(w), worker.Id, null, null);
    }

    private void NoteStuck(Worker worker, long since)
    {
        lock (_sizing)
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
            if (_stuck <= _maxStandIns && !IsClosed) CountReplaced("stuck");
            ApplyTarget();
        }
        WorkerSnapshot snapshot = Snapshot(worker);
        if (_observer is not null) Tell((o, _, _, _) => o.WorkerStuck(snapshot), worker.Id, null, null);
    }

    private void AddWorkers(int count)
    {
        _size = count;
        Aftermath after = default;
        ImmutableArray<Worker>.Builder workers = ImmutableArray.CreateBuilder<Worker>(count);
        for (int id = 0; id < count; id++) workers.Add(new Worker(this, id, $"{Name}-{id}"));
        _workers = workers.MoveToImmutable();
        _queue.Enter();
        _queue.ResizeLocked(count, ref after);
        foreach (Worker worker in _workers) _queue.AddLocked(worker); // on their way from the first moment
        _queue.Exit();
    }

    /// <summary>Starts workers until there are as many as there shall be; a surplus leaves by itself. Under _sizing.</summary>
    private void ApplyTarget()
    {
        int target = _size + Math.Min(_stuck, _maxStandIns);
        Aftermath after = default;
        _queue.Enter();
        _queue.ResizeLocked(target, ref after);
        int missing = IsClosed ? 0 : target - _queue.LiveWorkers;
        _queue.Exit();
        CarryOut(ref after);
        for (; missing > 0; missing--)
        {
            Worker worker = VacantWorker();
            _queue.Enter();
            // Looked at again: to find a vacant one may have taken a moment, and a pool that stops counts its workers.
            bool open = _queue.State == QueueState.Open;
            if (open) _queue.AddLocked(worker);
            _queue.Exit();
            if (!open) break;
            try
            {
                worker.Start();
            }
            catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
            {
                Lose(worker, e);
                break;
            }
        }
        _space.TellIfAwaited();
    }

    private Worker VacantWorker()
    {
        foreach (Worker worker in _workers)
        {
            // Its loop has ended; its thread ends in a moment, and must have before the worker starts on another.
            if (!worker.IsLive && worker.Join(Moment)) return worker;
        }
        var added = new Worker(this, _workers.Length, $"{Name}-{_workers.Length}");
        ImmutableInterlocked.InterlockedExchange(ref _workers, _workers.Add(added));
        return added;
    }

    /// <summary>A worker has no thread and gets none: the pool goes on with one fewer, or, without any, ends what it has.</summary>
    private void Lose(Worker worker, Exception error)
    {
        lock (_sizing)
        {
            if (worker.StuckSince != 0) _stuck--;
            worker.StuckSince = 0;
        }
        if (Leave(worker) == 0)
        {
            // Nobody is left to run anything: what was accepted must be told so.
            Close();
            Abandon(out _, out _);
        }
        Tell(static (o, w, _, x) => o.WorkerLost(w, x!), worker.Id, null, error);
    }

    private int Leave(Worker worker)
    {
        Aftermath after = default;
        _queue.Enter();
        _queue.LeaveLocked(worker, ref after);
        int live = _queue.LiveWorkers;
        _queue.Exit();
        CarryOut(ref after);
        WorkerLeft();
        return live;
    }

    private void CountReplaced(string reason)
    {
        try
        {
            PoolInstruments.Replaced(this, reason);
        }
        catch (Exception)
        {
            // A listener to the metrics threw; the worker must be replaced all the same.
        }
    }
}
