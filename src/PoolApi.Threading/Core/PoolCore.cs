using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>
/// The life of an item in a pool: submitted, taken, ended and told. Who waits and who sleeps is <see cref="WorkQueue{TOps}"/>'s.
/// </summary>
/// <remarks>
/// <para>Invariant, at every moment that a view can see: accepted = ended + waiting + in flight. What waits is guarded by the
/// queue's gate; a worker's hand and its counts change together (<see cref="WorkerLedger"/>).</para>
/// <para>No code of a caller runs under the gate: what was decided there is carried out after it
/// (<see cref="Aftermath"/>).</para>
/// <para>Asynchronous items stand in PoolCore.Async.cs, threads in PoolCore.Workers.cs, limits on waiting in
/// PoolCore.Expiry.cs, the stop in PoolCore.Stopping.cs, the views in PoolCore.Views.cs.</para>
/// </remarks>
internal sealed partial class PoolCore
{
    private static readonly Carry TinyItems = new(Most: 64, LeaveForEach: 32);

    private readonly WorkQueue<ProcessorOps> _queue;
    private readonly TimeProvider _time;
    private readonly PoolClock _clock;
    private readonly IFixedThreadPoolObserver? _observer;
    private readonly long _tiny; // 1 µs: an item that takes less is not worth a visit to the gate
    private readonly SpaceWaiters _space;
    private OutcomeCounts _endedElsewhere; // ended by nobody's worker; guarded by the gate

    public PoolCore(FixedThreadPoolOptions options, FixedThreadPool owner)
    {
        Owner = owner;
        Name = options.Name;
        Capacity = options.QueueCapacity;
        StuckAfter = options.StuckAfter;
        Nice = options.Nice;
        CreateWorkerState = options.CreateWorkerState;
        _startThread = options.StartThread;
        _maxStandIns = options.MaxStandIns;
        _time = options.TimeProvider;
        _clock = new PoolClock(_time);
        WorthMeasuring = _time.TimestampFrequency / 100_000;
        _tiny = _time.TimestampFrequency / 1_000_000;
        _observer = options.Observer;
        _maxQueueTicks = ToTicks(options.MaxQueueTime);
        _hasShortLimit = options.MaxQueueTime < TimeSpan.FromSeconds(2) && options.MaxQueueTime != Timeout.InfiniteTimeSpan;
        _queue = new WorkQueue<ProcessorOps>(Capacity, _maxQueueTicks != long.MaxValue, Environment.ProcessorCount, this);
        using (ExecutionContext.SuppressFlow())
        {
            _space = new SpaceWaiters(this);
            _expiry = _time.CreateTimer(
                static core => ((PoolCore)core!).ExpireWaiting(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _watch = new StuckWatch(this, _time);
        }
        AddWorkers(options.Workers);
    }

    public FixedThreadPool Owner { get; }

    public string Name { get; }

    public int Capacity { get; }

    public TimeSpan StuckAfter { get; }

    public long Now => _clock.Now;

    public long CoarseNow => _clock.Coarse;

    public bool HasCoarseClock => _clock.HasCoarse;

    /// <summary>10 µs, in the clock's ticks.</summary>
    public long WorthMeasuring { get; }

    public SpaceWaiters Space => _space;

    public TimeSpan Elapsed(long from, long to) => from == 0 || to == 0 ? TimeSpan.Zero : _time.GetElapsedTime(from, to);

    /// <summary>Takes an item in, unless the pool is closed or full. Accepted means that it will end.</summary>
    public SubmitResult Submit(PoolWorkItem item, in SubmitOptions options)
    {
        if (_queue.IsClosed) return Refused(SubmitResult.Closed, 1);
        WorkItemState was = Claim(item, options, SubmissionTime(item, options), out bool urgent);
        if (_queue.Reserve(1, out long last) == 0)
        {
            item.Unclaim(was);
            return Refused(_queue.IsClosed ? SubmitResult.Closed : SubmitResult.QueueFull, 1);
        }
        Aftermath after = default;
        // Read after the reservation, which is a full fence: pairs with Cancel.
        if (!_queue.TryPush(item, item, last, urgent || item.CancelRequested, ref after))
        {
            item.Unclaim(was);
            GiveBack(1);
            return Refused(SubmitResult.Closed, 1);
        }
        CarryOut(ref after);
        if (_observer is not null) Tell(static (o, _, i, _) => o.WorkAccepted(i!), 0, item, null);
        return SubmitResult.Accepted;
    }

    /// <summary>Takes in as many of the items as there is room for, from the front, in two atomic steps for all of them.</summary>
    public int Submit(ReadOnlySpan<PoolWorkItem> items, in SubmitOptions options, out SubmitResult result)
    {
        result = SubmitResult.Accepted;
        if (items.IsEmpty) return 0;
        int count = _queue.IsClosed ? 0 : _queue.Reserve(items.Length, out _);
        if (count == 0)
        {
            result = Refused(_queue.IsClosed ? SubmitResult.Closed : SubmitResult.QueueFull, items.Length);
            return 0;
        }

        long now = Now;
        bool urgent = false;
        int claimed = 0;
        Span<WorkItemState> was = count <= 256 ? stackalloc WorkItemState[count] : new WorkItemState[count];
        try
        {
            for (; claimed < count; claimed++)
            {
                ArgumentNullException.ThrowIfNull(items[claimed], nameof(items));
                was[claimed] = Claim(items[claimed], options, now, out bool one);
                urgent |= one;
                if (claimed > 0) items[claimed].Previous = items[claimed - 1];
            }
        }
        catch
        {
            for (int i = 0; i < claimed; i++) items[i].Unclaim(was[i]);
            GiveBack(count);
            throw;
        }
        // As in Submit: the claims before this fence, the requests after it. (The places were reserved before the claims.)
        Interlocked.MemoryBarrier();
        foreach (PoolWorkItem item in items[..count]) urgent |= item.CancelRequested;

        Aftermath after = default;
        if (!_queue.TryPush(items[0], items[count - 1], 0, urgent, ref after))
        {
            for (int i = 0; i < count; i++) items[i].Unclaim(was[i]);
            GiveBack(count);
            result = Refused(SubmitResult.Closed, items.Length);
            return 0;
        }
        CarryOut(ref after);
        if (_observer is not null)
        {
            foreach (PoolWorkItem item in items[..count]) Tell(static (o, _, i, _) => o.WorkAccepted(i!), 0, item, null);
        }
        if (count < items.Length) result = Refused(SubmitResult.QueueFull, items.Length - count);
        return count;
    }

    /// <summary>
    /// Takes an item in past the capacity, because its submitter cannot be refused: a task of the pool's scheduler, a callback
    /// of its context. After closing only from the pool's own workers, whose item it then belongs to.
    /// </summary>
    public bool TryForce(PoolWorkItem item)
    {
        WorkItemState was = Claim(item, default, Now, out _);
        Aftermath after = default;
        _queue.Enter();
        bool taken = _queue.State == QueueState.Open || (_queue.State != QueueState.Stopped && HasItemInHand(Worker.Current));
        if (taken) _queue.ForceLocked(item, ref after);
        _queue.Exit();
        if (!taken)
        {
            item.Unclaim(was);
            Refused(SubmitResult.Closed, 1);
            return false;
        }
        CarryOut(ref after);
        if (_observer is not null) Tell(static (o, _, i, _) => o.WorkAccepted(i!), 0, item, null);
        return true;
    }

    /// <summary>Whether the pool, though it drains, cannot have drained yet.</summary>
    private bool HasItemInHand(Worker? worker) => worker?.Core == this && worker.Ledger.Item is not null;

    /// <summary>Called by a worker that has nothing in hand: what to do next.</summary>
    public NextStep Next(Worker worker, long now, out Assignment assignment)
    {
        if (worker.StuckSince != 0) Recovered(worker);
        NextStep step = NextStep.Run;
        if (!_queue.TryTakeFromBag(worker, now, out assignment))
        {
            Aftermath after = default;
            double mean = worker.Ledger.MeanTicks;
            worker.CarriesTinyItems = mean > 0 && mean < _tiny;
            if (!worker.CarriesTinyItems) Record(worker.Measured);
            step = _queue.Next(worker, now, worker.CarriesTinyItems ? TinyItems : default, out assignment, ref after);
            CarryOut(ref after);
            if (step != NextStep.Run) Record(worker.Measured);
            // The worker's last release came before the gate, a full fence; pairs with SpaceWaiters.Enlist.
            _space.TellIfAwaited();
        }
        if (step == NextStep.Run)
        {
            PoolWorkItem item = assignment.Item;
            worker.IsTimed = item.IsTimed || worker.IsSample() || PoolInstruments.MeasureTimes;
            if (assignment.Callback is null) item.StartedAt = Math.Max(item.SubmittedAt, !worker.IsTimed || (worker.LastStampIsPrecise && worker.LastStamp == now) ? now : Now);
            item.LastWorker = worker;
            _watch.WorkerIsBusy();
        }
        else if (step == NextStep.Exit)
        {
            WorkerLeft();
        }
        return step;
    }

    /// <summary>A searching worker watches for work for a moment.</summary>
    public void Look() => _queue.Look();

    /// <summary>A synchronous item that ran has ended. (If it was abandoned meanwhile, it has ended already.)</summary>
    public void End(PoolWorkItem item, WorkOutcome outcome, Exception? error, Worker worker)
    {
        WorkerLedger ledger = worker.Ledger;
        bool timed = worker.IsTimed;
        // Coarse after precise may seem to go back.
        long now = timed ? Now : Math.Max(CoarseNow, ledger.ItemSince);
        worker.LastStamp = now;
        worker.LastStampIsPrecise = timed;
        // Decides between this end and Abandon.
        bool mine = Interlocked.CompareExchange(ref item.StateWord, (int)WorkItemState.Ending, (int)WorkItemState.InFlight)
            == (int)WorkItemState.InFlight;
        if (mine)
        {
            item.EndedAt = now;
            if (item.StopSignalled && outcome != WorkOutcome.Completed) Interlocked.Increment(ref _interrupted);
        }
        ledger.BeginChange();
        ledger.Release(now);
        if (mine) ledger.Ended.Add(outcome);
        ledger.EndChange();
        if (timed) ledger.AddToMean(now - item.StartedAt);
        // After the release; pairs with the barrier in Close: either this sees that the pool closes, or Close sees the release.
        if (_isClosing) TellIfNothingLeft();
        if (mine) Notify(item, outcome, error, worker.CarriesTinyItems ? worker.Measured : null);
    }

    /// <summary>Records what the workers have measured so far; for who collects the metrics.</summary>
    public void RecordMeasured()
    {
        foreach (Worker worker in _workers) Record(worker.Measured);
    }

    /// <summary>Ends an item if it waits here.</summary>
    public bool EndWaiting(PoolWorkItem item, NotRunReason reason)
    {
        Aftermath after = default;
        bool removed = TryEndWaiting(item, reason, ref after);
        CarryOut(ref after);
        return removed;
    }

    /// <summary>As <see cref="EndWaiting"/>, for who holds a lock: whatever it decides is carried out by the caller, later.</summary>
    public bool TryEndWaiting(PoolWorkItem item, NotRunReason reason, ref Aftermath after) =>
        _queue.TryRemove(item, reason.ToOutcome(), ref after);

    public void Started(Worker worker, PoolWorkItem item)
    {
        if (_observer is not null) Tell(static (o, w, i, _) => o.WorkStarted(w, i!), worker.Id, item, null);
    }

    public void Unhandled(PoolWorkItem item, Exception error) =>
        Tell(static (o, _, i, e) => o.UnhandledException(i!, e!), 0, item, error);

    /// <summary>Precise where it matters: for who wants to know, and for short limits.</summary>
    private long SubmissionTime(PoolWorkItem item, in SubmitOptions options) =>
        item.IsTimed || _hasShortLimit || options.MaxQueueTime is not null || PoolInstruments.MeasureTimes ? Now : CoarseNow;

    private WorkItemState Claim(PoolWorkItem item, in SubmitOptions options, long now, out bool urgent)
    {
        long limit = _maxQueueTicks;
        bool ownLimit = false;
        if (options.MaxQueueTime is { } own)
        {
            long ticks = ToTicks(own);
            ownLimit = ticks < limit;
            if (ownLimit) limit = ticks;
        }
        WorkItemState was = item.Claim(this, options.Priority, now, limit == long.MaxValue ? limit : now + limit);
        if (ownLimit) item.ExpiryIndex = -1;
        if (options.CancellationToken.CanBeCanceled) item.Watch(options.CancellationToken);
        // A limit of its own has to be noted down; and what is not normal has its turn among what workers take next, so it is
        // sorted in at once.
        urgent = ownLimit || options.Priority != WorkPriority.Normal;
        return was;
    }

    private void GiveBack(int places)
    {
        _queue.GiveBack(places);
        _space.TellIfAwaited();
    }

    private SubmitResult Refused(SubmitResult result, int items)
    {
        try
        {
            PoolInstruments.Rejected(this, result == SubmitResult.Closed ? "draining" : "queue_full", items);
        }
        catch (Exception)
        {
            // A listener to the metrics threw; the submitter must have its answer all the same.
        }
        return result;
    }

    /// <summary>Does what was decided under the gate.</summary>
    public void CarryOut(ref Aftermath after)
    {
        if (after.IsNothing) return;
        while (after.TryTakeWoken(out QueueWorker? worker)) WorkQueue<ProcessorOps>.Wake(worker!);
        bool freed = false;
        while (after.TryTakeEnded(out PoolWorkItem? item))
        {
            freed = true;
            item!.EndedAt = Now; // it waited until now
            Notify(item, item.Outcome, null);
        }
        if (freed) _space.TellIfAwaited();
        if (after.NeedsTimer) SetExpiryTimer();
        if (after.IsDrained) _drained.TrySetResult();
    }

    private void Record(MeasurementBatch batch)
    {
        try
        {
            batch.Record(this);
        }
        catch (Exception)
        {
            // A listener to the metrics threw; nobody is left to tell.
        }
    }

    private void Notify(PoolWorkItem item, WorkOutcome outcome, Exception? error, MeasurementBatch? batch = null)
    {
        try
        {
            if (PoolInstruments.MeasureItems)
            {
                Measured measured = PoolInstruments.Measure(item, outcome);
                if (batch is null) PoolInstruments.Ended(this, [measured]);
                else batch.Add(this, measured);
            }
        }
        catch (Exception e)
        {
            // A listener to the metrics threw. The item must be told all the same.
            Unhandled(item, e);
        }
        if (_observer is not null)
        {
            try
            {
                _observer.WorkFinished(item, outcome, error);
            }
            catch (Exception)
            {
                // As in Tell.
            }
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
