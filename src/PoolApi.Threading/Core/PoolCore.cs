namespace PoolApi.Threading.Core;

/// <summary>
/// The pool's ledger: who waits, who runs, who sleeps, and what became of everything, under one lock (the gate).
/// </summary>
/// <remarks>
/// <para>Invariant, whenever nobody holds the gate: accepted = ended + waiting + in flight. Every accepted item is in
/// exactly one of the two lists, or has ended and is counted under exactly one outcome.</para>
/// <para>Wake-ups cannot be lost: a worker goes onto the idle stack under the gate and only after it saw the queue empty
/// there; whoever adds work does so under the gate and takes a sleeper off the stack in the same critical section, then
/// leaves a permit in its <see cref="ThreadParker"/>. A sleeper that was woken looks at the queue again before it sleeps
/// again.</para>
/// <para>No code of a caller runs under the gate: items that ended are told after it is released.</para>
/// <para>The stop lives in PoolCore.Stopping.cs, the views in PoolCore.Views.cs.</para>
/// </remarks>
internal sealed partial class PoolCore
{
    private static readonly TimeSpan OneMillisecond = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(1); // a timer takes 49 days at most

    private readonly object _gate = new();
    private readonly WorkQueue _queue = new();
    private readonly Worker[] _workers;
    private readonly TimeProvider _time;
    private readonly IFixedThreadPoolObserver? _observer;
    private readonly ITimer? _expiry; // null: no limit on waiting

    // Guarded by the gate.
    private PoolState _state = PoolState.Running;
    private WorkItemList _inFlight;
    private IdleStack _idle;
    private Tally _tally;
    private bool _expiryArmed;
    private int _waking; // workers taken off the idle stack that have not arrived at the queue yet
    private int _suspended; // items in flight that hold no worker
    private int _live; // workers whose loop has not ended
    private double _meanBusyTicks; // exponentially weighted, over about the last 16 items

    public PoolCore(FixedThreadPoolOptions options, FixedThreadPool owner)
    {
        Owner = owner;
        Name = options.Name;
        Capacity = options.QueueCapacity;
        MaxQueueTime = options.MaxQueueTime;
        StuckAfter = options.StuckAfter;
        _time = options.TimeProvider;
        _observer = options.Observer;
        _workers = new Worker[options.Workers];
        // On their way from the first moment: a new pool takes as many items as one whose workers sleep.
        _live = _waking = _workers.Length;
        for (int i = 0; i < _workers.Length; i++) _workers[i] = new Worker(this, i, $"{options.Name}-{i}") { IsWaking = true };
        if (MaxQueueTime != Timeout.InfiniteTimeSpan)
        {
            using (ExecutionContext.SuppressFlow())
            {
                _expiry = _time.CreateTimer(
                    static core => ((PoolCore)core!).ExpireWaiting(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public FixedThreadPool Owner { get; }

    public string Name { get; }

    public int Capacity { get; }

    public TimeSpan MaxQueueTime { get; }

    public TimeSpan StuckAfter { get; }

    public TimeSpan Elapsed(long from, long to) => from == 0 || to == 0 ? TimeSpan.Zero : _time.GetElapsedTime(from, to);

    /// <summary>Takes an item in, unless the pool is closed or full. One atomic step: accepted means it will end.</summary>
    public SubmitResult Submit(PoolWorkItem item)
    {
        var labels = new WorkLabels(item.Kind, item.Origin, item.TraceId);
        long now = _time.GetTimestamp();
        Worker? sleeper = null;
        WorkOutcome? endedAs = null;
        lock (_gate)
        {
            if (_state != PoolState.Running) return SubmitResult.Closed;
            if (_queue.Count >= RoomLocked) return SubmitResult.QueueFull;
            item.Accept(this, labels, now);
            _tally.Accepted++;
            if (item.IsCancellationRequested)
            {
                // Cancelled before it was accepted: it ends here, as if cancelled while it waited.
                endedAs = item.CancelReason.ToOutcome();
                EndLocked(item, endedAs.Value);
            }
            else
            {
                _queue.Enqueue(item);
                ArmExpiryLocked();
                sleeper = PopSleeperLocked();
            }
        }
        if (endedAs is { } outcome) Notify(item, outcome, null);
        sleeper?.Wake();
        return SubmitResult.Accepted;
    }

    /// <summary>
    /// How many items may wait now. A worker that sleeps, or has been woken and is on its way, is room for one beyond the
    /// capacity, unless there is a resumption for it: those go first.
    /// </summary>
    private int RoomLocked => Capacity + Math.Max(0, _waking + (_idle.IsEmpty ? 0 : 1) - _queue.Resumptions);

    /// <summary>Queues a continuation of an item: past capacity and past closing, because the item was accepted.</summary>
    /// <returns><see langword="false"/> if the pool has stopped: nobody is left to run it.</returns>
    public bool Post(PoolWorkItem item, SendOrPostCallback callback, object? state)
    {
        Worker? sleeper;
        using (new Hold(_gate))
        {
            // The item has ended long ago, or been abandoned.
            if (_state == PoolState.Stopped || _live == 0) return false;
            _queue.Enqueue(new Resumption(item, callback, state));
            sleeper = PopSleeperLocked();
        }
        sleeper?.Wake();
        return true;
    }

    /// <summary>Called by a worker that has nothing in hand: what to do next.</summary>
    public NextStep Next(Worker worker, out Assignment assignment)
    {
        long now = _time.GetTimestamp();
        PoolWorkItem? expired = null;
        NextStep step = NextStep.Park;
        assignment = default;
        lock (_gate)
        {
            ArrivedLocked(worker);
            if (_queue.TryDequeueResumption(out Resumption resumption))
            {
                assignment = new Assignment(resumption.Item, resumption.Callback, resumption.State);
                HoldLocked(worker, resumption.Item, now);
                step = NextStep.Run;
            }
            else
            {
                while (step != NextStep.Run && _queue.TryDequeue(out PoolWorkItem? item))
                {
                    if (IsExpired(item, now))
                    {
                        EndLocked(item, WorkOutcome.Expired);
                        Chain(ref expired, item);
                        continue;
                    }
                    assignment = new Assignment(item, null, null);
                    item.State = WorkItemState.InFlight;
                    item.StartedAt = now;
                    _inFlight.AddLast(item);
                    // Until the next line gives it a worker. (A continuation left over from an earlier submission may hold one.)
                    if (item.ActiveRuns == 0) _suspended++;
                    HoldLocked(worker, item, now);
                    step = NextStep.Run;
                }
            }

            if (step != NextStep.Run)
            {
                if (MayExitLocked)
                {
                    step = NextStep.Exit;
                    ExitLocked(worker);
                }
                else
                {
                    _idle.Push(worker);
                }
            }
        }
        NotifyAll(expired, WorkOutcome.Expired);
        return step;
    }

    /// <summary>An item that ran has ended. Only the first call for an item counts: it may have been abandoned meanwhile.</summary>
    public void End(PoolWorkItem item, WorkOutcome outcome, Exception? error, Worker? worker)
    {
        long now = _time.GetTimestamp();
        using (new Hold(_gate))
        {
            if (worker is not null && ReferenceEquals(worker.Item, item)) ReleaseLocked(worker, now);
            if (item.State != WorkItemState.InFlight) return;
            item.EndedAt = now;
            if (item.LastWorker is { } last)
            {
                last.Finished++;
                if (outcome == WorkOutcome.Completed) last.Completed++;
                else if (outcome == WorkOutcome.Failed) last.Failed++;
            }
            _meanBusyTicks += (item.BusyTicks - _meanBusyTicks) / (_meanBusyTicks == 0 ? 1 : 16);
            EndInFlightLocked(item, outcome);
        }
        Notify(item, outcome, error);
    }

    /// <summary>Takes an item out of the queue, if it is still there, and ends it.</summary>
    public bool EndWaiting(PoolWorkItem item, NotRunReason reason)
    {
        WorkOutcome outcome = reason.ToOutcome();
        lock (_gate)
        {
            if (!item.IsWaitingIn(this)) return false;
            _queue.Remove(item);
            EndLocked(item, outcome);
        }
        Notify(item, outcome, null);
        return true;
    }

    /// <summary>A worker has returned from an item's code: the item has ended, or awaits something.</summary>
    public void Release(Worker worker)
    {
        long now = _time.GetTimestamp();
        using (new Hold(_gate)) ReleaseLocked(worker, now);
    }

    public void Started(Worker worker, PoolWorkItem item) => Tell(static (o, w, i, _) => o.WorkStarted(w, i!), worker.Id, item, null);

    public void Unhandled(PoolWorkItem item, Exception error) =>
        Tell(static (o, _, i, e) => o.UnhandledException(i!, e!), 0, item, error);

    /// <summary>Called by the dying thread of a worker: what it ran has failed, and a new thread takes its place.</summary>
    public void WorkerDied(Worker worker, Exception error)
    {
        long now = _time.GetTimestamp();
        PoolWorkItem? failed = null;
        using (new Hold(_gate))
        {
            PoolWorkItem? item = worker.Item;
            ReleaseLocked(worker, now);
            ArrivedLocked(worker);
            if (item is { State: WorkItemState.InFlight, ActiveRuns: 0 })
            {
                item.EndedAt = now;
                worker.Finished++;
                worker.Failed++;
                EndInFlightLocked(item, WorkOutcome.Failed);
                failed = item;
            }
        }
        if (failed is not null) Notify(failed, WorkOutcome.Failed, error);
        try
        {
            PoolInstruments.Replaced(this, "died");
        }
        catch (Exception)
        {
            // A listener to the metrics threw; the worker must be replaced all the same.
        }
        Tell(static (o, w, _, e) => o.WorkerReplaced(w, e!), worker.Id, null, error);
        try
        {
            worker.Start();
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            Worker? heir;
            bool last;
            using (new Hold(_gate))
            {
                ExitLocked(worker);
                last = _live == 0;
                // It may have been on its way to something that nobody else has been woken for.
                heir = PopSleeperLocked();
            }
            heir?.Wake();
            if (last)
            {
                // Nobody is left to run anything: what was accepted must be told so.
                Close();
                HandBackWaiting();
                Abandon(out _);
            }
            Tell(static (o, w, _, x) => o.WorkerLost(w, x!), worker.Id, null, e);
        }
    }

    public void Joined(Worker worker) => Tell(static (o, w, _, _) => o.WorkerJoined(w), worker.Id, null, null);

    public void NotJoined(Worker worker, WorkerSnapshot snapshot)
    {
        if (_observer is not null) Tell((o, _, _, _) => o.WorkerNotJoined(snapshot), worker.Id, null, null);
    }

    private void ExpireWaiting()
    {
        long now = _time.GetTimestamp();
        PoolWorkItem? expired = null;
        lock (_gate)
        {
            _expiryArmed = false;
            while (_queue.Oldest is { } item && IsExpired(item, now))
            {
                _queue.Remove(item);
                EndLocked(item, WorkOutcome.Expired);
                Chain(ref expired, item);
            }
            ArmExpiryLocked();
        }
        NotifyAll(expired, WorkOutcome.Expired);
    }

    /// <summary>
    /// Sets the timer for the item that has waited longest, if it is not set. It is left alone when that item starts or is
    /// cancelled: firing once for nothing is cheaper than resetting it for every item. An idle pool has no timer running
    /// for longer than one <see cref="MaxQueueTime"/>.
    /// </summary>
    private void ArmExpiryLocked()
    {
        if (_expiry is null || _expiryArmed || _queue.Oldest is not { } oldest) return;
        _expiryArmed = true;
        TimeSpan left = MaxQueueTime - _time.GetElapsedTime(oldest.SubmittedAt);
        // A timer counts whole milliseconds, and may fire a little early. Fired too early, it is set again.
        TimeSpan due = left < OneMillisecond ? OneMillisecond : left > LongestTimer ? LongestTimer : left;
        _expiry.Change(due, Timeout.InfiniteTimeSpan);
    }

    private bool IsExpired(PoolWorkItem item, long now) =>
        _expiry is not null && _time.GetElapsedTime(item.SubmittedAt, now) >= MaxQueueTime;

    private Worker? PopSleeperLocked()
    {
        if (!_idle.TryPop(out Worker? sleeper)) return null;
        sleeper.IsWaking = true;
        _waking++;
        return sleeper;
    }

    /// <summary>The worker neither sleeps nor is on its way any more.</summary>
    private void ArrivedLocked(Worker worker)
    {
        // A permit can be left over from a thread that died with it; then this worker woke while it was on the stack, and
        // must not come to be there twice.
        _idle.Remove(worker);
        if (!worker.IsWaking) return;
        worker.IsWaking = false;
        _waking--;
    }

    private void HoldLocked(Worker worker, PoolWorkItem item, long now)
    {
        worker.Item = item;
        worker.ItemSince = now;
        item.LastWorker = worker;
        if (item.ActiveRuns++ == 0 && item.State == WorkItemState.InFlight) _suspended--;
    }

    private void ReleaseLocked(Worker worker, long now)
    {
        if (worker.Item is not { } item) return;
        long ticks = now - worker.ItemSince;
        worker.Item = null;
        worker.BusyTicks += ticks;
        item.BusyTicks += ticks;
        if (--item.ActiveRuns == 0 && item.State == WorkItemState.InFlight) _suspended++;
    }

    private void EndInFlightLocked(PoolWorkItem item, WorkOutcome outcome)
    {
        _inFlight.Remove(item);
        if (item.ActiveRuns == 0) _suspended--;
        if (item.StopSignalled && outcome != WorkOutcome.Completed) _interrupted++;
        EndLocked(item, outcome);
    }

    private void EndLocked(PoolWorkItem item, WorkOutcome outcome)
    {
        if (item.State == WorkItemState.Waiting) item.EndedAt = _time.GetTimestamp(); // it waited until now
        item.State = WorkItemState.Ending;
        _tally.Add(outcome);
        NothingLeftLocked();
    }

    /// <summary>Items ended under one hold of the gate, chained by their links (free by then), to be told after it.</summary>
    private static void Chain(ref PoolWorkItem? first, PoolWorkItem item)
    {
        item.Next = first;
        first = item;
    }

    private void NotifyAll(PoolWorkItem? chain, WorkOutcome outcome)
    {
        while (chain is { } item)
        {
            chain = item.Next;
            item.Next = null;
            Notify(item, outcome, null);
        }
    }

    private void Notify(PoolWorkItem item, WorkOutcome outcome, Exception? error)
    {
        try
        {
            PoolInstruments.Ended(this, item, outcome);
        }
        catch (Exception e)
        {
            // A listener to the metrics threw. The item must be told all the same.
            Unhandled(item, e);
        }
        try
        {
            item.NotifyEnded(outcome, error);
        }
        catch (Exception e)
        {
            Unhandled(item, e);
        }
    }

    private void Tell(
        Action<IFixedThreadPoolObserver, int, PoolWorkItem?, Exception?> what, int worker, PoolWorkItem? item, Exception? error)
    {
        if (_observer is null) return;
        try
        {
            what(_observer, worker, item, error);
        }
        catch (Exception)
        {
            // An observer that throws must not hurt the worker that tells it; there is nobody left to tell.
        }
    }
}
