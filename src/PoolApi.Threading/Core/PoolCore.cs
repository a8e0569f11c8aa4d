using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;
using PoolApi.Threading.Core.Stopping;

namespace PoolApi.Threading.Core;

/// <summary>
/// The life of an item in a pool: submitted, taken, ended, and its end notified. It owns the queue, which knows the queued items and the sleeping workers,
/// and the pool's other parts, each of which has one responsibility.
/// </summary>
/// <remarks>
/// <code>
///                          FixedThreadPool ────────────► PoolShutdown (a whole stop)
///                                 │                           │
///   PoolViews (seen)              ▼                           ▼
///   CapacityWaiters (room) ◄──── PoolCore ────► PoolStop (its steps; StopOrder: their order)
///   ExpiryTimer, RunWatch ◄───┘ │  │ └─────► ObserverNotifier
///                               ▼  ▼
///        WorkQueue ◄── WorkerSet    AsyncItems (suspended, and back)
///                      (threads; StuckWatch, StandInWatch)
/// </code>
/// <para>Invariant, at every moment that a view can see: accepted = ended + queued + in flight. The queue's gate guards the queued items.
/// A worker's item and its counts change together (<see cref="WorkerLedger"/>).</para>
/// <para>No code of a caller runs under the gate: side effects that are decided there are carried out after it
/// (<see cref="DeferredActions"/>).</para>
/// </remarks>
internal sealed class PoolCore : IItemOwner, IStopHost
{
    private static readonly BatchPolicy TinyItems = new(Most: 64, LeaveForEach: 32);

    private readonly WorkQueue<ProcessorOps> _queue;
    private readonly PoolClock _clock;
    private readonly ObserverNotifier _observers;
    private readonly StuckWatch _watch;
    private readonly StandInWatch _standIns;
    private readonly ExpiryTimer _expiry;
    private readonly RunWatch _runs;
    private readonly long _long; // 20 µs: a longer item gets a record of its own
    private readonly long _longUnmeasured; // 20 ms: the same for times of the coarse clock
    private readonly long _tiny; // 1 µs: shorter items are taken in local batches, without a pass of the gate for each
    private readonly bool _hasShortLimit; // a limit too short for the coarse clock
    private readonly long _maxQueueTicks; // in ticks of the clock; long.MaxValue: no limit
    private readonly long _maxRunTicks; // likewise
    private volatile bool _limitsRuns; // the pool, or an accepted item, has a limit on run time

    public PoolCore(FixedThreadPoolOptions options, FixedThreadPool owner)
    {
        Owner = owner;
        Name = options.Name;
        Capacity = options.QueueCapacity;
        _clock = new PoolClock(options.TimeProvider);
        _tiny = _clock.Microseconds(1);
        _long = _clock.Microseconds(20);
        _longUnmeasured = _clock.Microseconds(20_000);
        _maxQueueTicks = _clock.ToTicks(options.MaxQueueTime);
        _maxRunTicks = _clock.ToTicks(options.MaxRunTime);
        _limitsRuns = _maxRunTicks != long.MaxValue;
        _hasShortLimit = options.MaxQueueTime < TimeSpan.FromSeconds(2) && options.MaxQueueTime != Timeout.InfiniteTimeSpan;
        _queue = new WorkQueue<ProcessorOps>(Capacity, _maxQueueTicks != long.MaxValue, Environment.ProcessorCount, this);
        Instruments = PoolInstruments.Of(options.MeterFactory);
        _observers = new ObserverNotifier(this, options.Observer);
        Async = new AsyncItems(this);
        Stop = new PoolStop<ProcessorOps>(_queue, this);
        Views = new PoolViews(this);
        using (ExecutionContext.SuppressFlow())
        {
            Space = new CapacityWaiters(this);
            _expiry = new ExpiryTimer(this);
            _runs = new RunWatch(this);
            _watch = new StuckWatch(this);
            _standIns = new StandInWatch(this);
        }
        Records = new PoolRecords(this, options.IsRecorded);
        Workers = new WorkerSet(this, options);
    }

    public FixedThreadPool Owner { get; }

    public string Name { get; }

    public int Capacity { get; }

    public PoolInstruments Instruments { get; }

    public PoolClock Clock => _clock;

    public WorkQueue<ProcessorOps> Queue => _queue;

    public WorkerSet Workers { get; }

    public AsyncItems Async { get; }

    public PoolStop<ProcessorOps> Stop { get; }

    public PoolViews Views { get; }

    public DeclaredLabels Labels { get; } = new();

    public ObserverNotifier Observers => _observers;

    public PoolRecords Records { get; }

    public CapacityWaiters Space { get; }

    public IdleSignal Idle { get; } = new();

    public bool IsClosed => _queue.IsClosed;

    /// <summary>Whether the pool is closed, or is just about to be. Cheap to read.</summary>
    public bool IsClosing => (Stop.Pins.Reasons & PinReason.Closing) != 0;

    /// <summary>Accepts an item, unless the pool is closed or full. An accepted item will end.</summary>
    /// <param name="item">The item.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <param name="options">The options of the submission.</param>
    /// <param name="waits">Whether the submitter waits for space if there is none. Then a full queue does not count as a refusal.</param>
    /// <param name="by">Who submits, if another thread has continued for the submitter since. Default: the calling thread.</param>
    public SubmitResult Submit(
        PoolWorkItem item, CancellationToken cancellationToken, in WorkOptions options, bool waits = false, in Submitter by = default)
    {
        if (_queue.IsClosed) return _observers.Refused(SubmitResult.Closed, 1);
        WorkItemState was = Claim(item, cancellationToken, options, SubmissionTime(item, options), out bool urgent);
        if (by.Depth > 0 && item.Depth == 0)
        {
            item.SetCause(by.Worker, by.Depth);
            urgent = true; // as in Claim
        }
        if (_queue.Reserve(1, out long last) == 0)
        {
            item.Unclaim<ProcessorOps>(was);
            if (waits && !_queue.IsClosed) return SubmitResult.QueueFull;
            return _observers.Refused(_queue.IsClosed ? SubmitResult.Closed : SubmitResult.QueueFull, 1);
        }
        DeferredActions after = default;
        // CancelRequested is read after the reservation, which is a full fence: pairs with the fence in MarkCancelled.
        if (!_queue.TryPush(item, item, last, urgent || item.CancelRequested, ref after))
        {
            item.Unclaim<ProcessorOps>(was);
            GiveBack(1);
            return _observers.Refused(SubmitResult.Closed, 1);
        }
        CarryOut(ref after);
        return SubmitResult.Accepted;
    }

    /// <summary>Accepts as many of the items as there is space for, from the front, in two atomic steps for all of them.</summary>
    public int Submit(ReadOnlySpan<PoolWorkItem> items, CancellationToken cancellationToken, in WorkOptions options, out SubmitResult result)
    {
        result = SubmitResult.Accepted;
        if (items.IsEmpty) return 0;
        int count = _queue.IsClosed ? 0 : _queue.Reserve(items.Length, out _);
        if (count == 0)
        {
            result = _observers.Refused(_queue.IsClosed ? SubmitResult.Closed : SubmitResult.QueueFull, items.Length);
            return 0;
        }

        long now = _clock.Now;
        bool urgent = false;
        int claimed = 0;
        scoped Span<WorkItemState> was = default;
        try
        {
            was = count <= 256 ? stackalloc WorkItemState[count] : new WorkItemState[count];
            for (; claimed < count; claimed++)
            {
                ArgumentNullException.ThrowIfNull(items[claimed], nameof(items));
                was[claimed] = Claim(items[claimed], cancellationToken, options, now, out bool one);
                urgent |= one;
                if (claimed > 0) items[claimed].Previous = items[claimed - 1];
            }
        }
        catch
        {
            for (int i = 0; i < claimed; i++) items[i].Unclaim<ProcessorOps>(was[i]);
            GiveBack(count);
            throw;
        }
        // As in Submit: this fence is between the claims and the reads of CancelRequested. (The places were reserved before the claims.)
        Interlocked.MemoryBarrier();
        foreach (PoolWorkItem item in items[..count]) urgent |= item.CancelRequested;

        DeferredActions after = default;
        if (!_queue.TryPush(items[0], items[count - 1], 0, urgent, ref after))
        {
            for (int i = 0; i < count; i++) items[i].Unclaim<ProcessorOps>(was[i]);
            GiveBack(count);
            result = _observers.Refused(SubmitResult.Closed, items.Length);
            return 0;
        }
        CarryOut(ref after);
        if (count < items.Length) result = _observers.Refused(SubmitResult.QueueFull, items.Length - count);
        return count;
    }

    /// <summary>
    /// Accepts an item past the capacity, because its submitter cannot be refused: a task of the pool's scheduler, or a callback
    /// of its context. After the close, the pool accepts in this way only an item that belongs to an item in flight.
    /// </summary>
    /// <param name="item">The item.</param>
    /// <param name="cause">The item whose continuation it is; null: none, or unknown.</param>
    /// <param name="isContinuation">Whether it continues work that began before.</param>
    public bool TryForce(PoolWorkItem item, PoolWorkItem? cause = null, bool isContinuation = false)
    {
        WorkItemState was = Claim(item, default, default, _clock.Now, out _);
        if (!HasItemInHand(Worker.Current))
        {
            if (cause is not null) item.SetCause(cause.LastWorker, cause.Depth + (cause.State == WorkItemState.InFlight ? 1 : 0));
            else if (isContinuation) item.SetCause(null, 1);
        }
        DeferredActions after = default;
        _queue.Enter();
        bool taken = _queue.TryForceLocked(item, HasItemInHand(Worker.Current), cause, ref after);
        _queue.Exit();
        if (!taken)
        {
            item.Unclaim<ProcessorOps>(was);
            _observers.Refused(SubmitResult.Closed, 1);
            return false;
        }
        CarryOut(ref after);
        return true;
    }

    private bool NoteCause(PoolWorkItem item, Worker worker)
    {
        if (!HasItemInHand(worker)) return false;
        item.SetCause(worker, worker.Ledger.Item!.Depth + 1); // as in SubmitterHere
        return true;
    }

    /// <summary>The calling thread as a submitter, for code that continues after an await.</summary>
    public Submitter SubmitterHere() =>
        Worker.Current is { } worker && HasItemInHand(worker) ? new Submitter(worker, worker.Ledger.Item!.Depth + 1) : default;

    /// <summary>
    /// Whether the worker belongs to this pool and holds an item. Such a pool has not drained, with one exception: the worker runs a continuation
    /// of an item that has already ended.
    /// </summary>
    private bool HasItemInHand(Worker? worker) => worker?.Core == this && worker.Ledger.Item is not null;

    /// <summary>Called by a worker without an item: decides what it does next.</summary>
    public NextStep Next(Worker worker, long now, out Assignment assignment)
    {
        if (worker.StuckSince != 0) Workers.Recovered(worker);
        NextStep step = NextStep.Run;
        if (!_queue.TryTakeFromBatch(worker, now, out assignment))
        {
            DeferredActions after = default;
            double mean = worker.Ledger.MeanTicks;
            worker.HasTinyItems = mean > 0 && mean < _tiny;
            if (!worker.HasTinyItems) _observers.Record(worker.Measured);
            if (worker.IsStandIn) worker.MayStandIn = _standIns.AreOthersBlocked(worker);
            worker.HasMeasured = !worker.Measured.IsLikelyEmpty;
            step = _queue.Next(worker, now, worker.HasTinyItems ? TinyItems : default, out assignment, ref after);
            CarryOut(ref after);
            if (step != NextStep.Run) _observers.Record(worker.Measured);
            else Records.NoteWork();
            worker.Recorder.AtGate(step == NextStep.Run ? assignment.Item : null, now);
            // The worker's last release came before the gate, a full fence; pairs with CapacityWaiters.Enlist.
            Space.NotifyIfAwaited();
        }
        if (step == NextStep.Run)
        {
            PoolWorkItem item = assignment.Item;
            bool limited = _limitsRuns;
            worker.IsTimed = limited || item.IsTimed || worker.IsSample() || Instruments.MeasureTimes;
            if (assignment.Callback is null)
            {
                long start = Math.Max(item.SubmittedAt, !worker.IsTimed || (worker.LastStampIsPrecise && worker.LastStamp == now) ? now : _clock.Now);
                item.StartedAt = start == 0 ? 1 : start; // 0 means "not started", and a clock may begin at 0
            }
            // The worker may have read the clock before the item was submitted and been delayed since. That time does not belong to the item.
            if (item.SubmittedAt > now) worker.Ledger.BeginItemAt<ProcessorOps>(item.SubmittedAt);
            item.LastWorker = worker;
            _watch.WorkerIsBusy();
            if (limited && assignment.Callback is null) Limit(item);
        }
        else if (step == NextStep.Exit)
        {
            Stop.WorkerLeft();
        }
        return step;
    }

    private void Limit(PoolWorkItem item)
    {
        Interlocked.MemoryBarrier(); // publishes StartedAt before the timer's due time is read; pairs with RunWatch
        long limit = RunLimitOf(item);
        if (limit != long.MaxValue) _runs.Started(item.StartedAt + limit);
    }

    /// <summary>The longest time that an item of this pool may run, in ticks of the clock; long.MaxValue: no limit.</summary>
    public long RunLimitOf(PoolWorkItem item) => Math.Min(_maxRunTicks, item.OwnRunLimit);

    /// <summary>Ends a running item, whose code may continue running. Called under the gate, with items pinned.</summary>
    /// <param name="item">The item.</param>
    /// <param name="now">The time.</param>
    /// <param name="source">The source to cancel after the gate is released. A source that is created later cancels itself.</param>
    /// <returns><see langword="false"/> if the item has ended, or is ending, in another way.</returns>
    public bool TryTimeOutLocked(PoolWorkItem item, long now, out CancellationTokenSource? source)
    {
        _queue.AssertLocked();
        if (!RunningItem<ProcessorOps>.TryTimeOutLocked(item, now, Stop, out source)) return false;
        Async.TimedOutLocked(item);
        return true;
    }

    /// <summary>A stand-in is about to leave, because its state could not be made.</summary>
    public void StandInFailed() => _standIns.StartFailed();

    /// <summary>Lets a worker look for work for a moment before it sleeps.</summary>
    public void Spin() => _queue.Spin();

    /// <summary>A synchronous item's code has returned. The item has already ended if it was abandoned or timed out meanwhile.</summary>
    public void End(PoolWorkItem item, WorkOutcome outcome, Exception? error, Worker worker)
    {
        WorkerLedger ledger = worker.Ledger;
        bool timed = worker.IsTimed;
        // A coarse time after a precise one may seem to go back.
        long now = timed ? _clock.Now : Math.Max(_clock.Coarse, ledger.ItemSince);
        worker.LastStamp = now;
        worker.LastStampIsPrecise = timed;
        bool mine = RunningItem<ProcessorOps>.EndAndRelease(item, outcome, worker, now, Stop);
        worker.LastTook = timed ? Math.Max(0, now - item.StartedAt) : 0;
        if (timed) ledger.AddToMean(worker.LastTook);
        if (outcome != WorkOutcome.Completed || now - item.StartedAt > (timed ? _long : _longUnmeasured) || (item.IsTimed && !worker.HasTinyItems))
            worker.Recorder.Ended(item, mine ? outcome : null, ledger.ItemSince, now);
        if (mine) _observers.Ended(item, outcome, error, worker.HasTinyItems ? worker.Measured : null);
    }

    /// <summary>Ends an item if it is queued in this pool.</summary>
    public bool EndQueued(PoolWorkItem item, WorkOutcome outcome)
    {
        DeferredActions after = default;
        bool removed = TryEndQueued(item, outcome, ref after);
        CarryOut(ref after);
        return removed;
    }

    /// <summary>The same as <see cref="EndQueued"/> for a caller that holds a lock: the caller carries out the side effects later.</summary>
    public bool TryEndQueued(PoolWorkItem item, WorkOutcome outcome, ref DeferredActions after) =>
        _queue.TryRemove(item, outcome, ref after);

    /// <summary>Reads the clock precisely if an item is timed or has a short limit, otherwise coarsely.</summary>
    private long SubmissionTime(PoolWorkItem item, in WorkOptions options) =>
        item.IsTimed || _hasShortLimit || options.MaxQueueTime is not null || Instruments.MeasureTimes ? _clock.Now : _clock.Coarse;

    private WorkItemState Claim(PoolWorkItem item, CancellationToken cancellationToken, in WorkOptions options, long now, out bool urgent)
    {
        long limit = _maxQueueTicks;
        bool ownLimit = false;
        if (options.MaxQueueTime is { } own)
        {
            long ticks = _clock.ToTicks(own);
            ownLimit = ticks < limit;
            if (ownLimit) limit = ticks;
        }
        WorkItemState was = item.Claim(this, options.Priority, now, limit == long.MaxValue ? limit : now + limit);
        if (ownLimit) item.ExpiryIndex = -1;
        if (options.MaxRunTime is { } run && run != Timeout.InfiniteTimeSpan)
        {
            item.LimitRun(_clock.ToTicks(run));
            if (!_limitsRuns) _limitsRuns = true; // published with the item
        }
        if (cancellationToken.CanBeCanceled) item.Watch<ProcessorOps>(this, cancellationToken);
        // The heap must hold an item with its own limit, and an item that is not normal must take its turn, so both are sorted in at once.
        urgent = ownLimit || options.Priority != WorkPriority.Normal;
        // An item that a worker submits while it runs another item is sorted in at once too, since the worker may wait for it; see CausedItems.
        if (Worker.Current is { } worker) urgent |= NoteCause(item, worker);
        return was;
    }

    long IStopHost.Now => _clock.Now;

    PoolWorkItem[] IStopHost.AsyncItemsLocked() => Async.UnderWayLocked();

    void IStopHost.AbandonAsyncItemsLocked(List<PoolWorkItem> abandoned) => Async.AbandonLocked(abandoned);

    void IStopHost.RefuseWaiters() => Space.NotifyIfAwaited();

    void IStopHost.NotifyAbandoned(IReadOnlyList<PoolWorkItem> items)
    {
        foreach (PoolWorkItem item in items) Records.EndedElsewhere(item, WorkOutcome.Abandoned);
        foreach (PoolWorkItem item in items) _observers.Ended(item, WorkOutcome.Abandoned, null);
    }

    /// <summary>Cancels the token before it returns. The callbacks run on other threads, because a callback that blocks must hold up
    /// neither a stop with a deadline nor a timer.</summary>
    /// <param name="item">The item.</param>
    /// <param name="source">The source of the submission; null: its token was never read.</param>
    public void CancelToken(PoolWorkItem item, CancellationTokenSource? source)
    {
        if (source is null) return;
        try
        {
            // Not awaited: it reports its own failure.
            _ = CancelAsync();
        }
        catch (OutOfMemoryException e)
        {
            _observers.Unhandled(item, e); // the caller continues with other items
        }

        async Task CancelAsync()
        {
            try
            {
                await source.CancelAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (e is AggregateException or OutOfMemoryException)
            {
                _observers.Unhandled(item, e);
            }
        }
    }

    void IItemOwner.Unhandled(PoolWorkItem item, Exception error) => _observers.Unhandled(item, error);

    private void GiveBack(int places)
    {
        _queue.GiveBack(places);
        Space.NotifyIfAwaited();
    }

    /// <summary>
    /// Carries out the side effects that were decided under the gate. Code of a caller runs last, since it may take long or be hit by an
    /// interrupt that it has caused.
    /// </summary>
    public void CarryOut(ref DeferredActions after)
    {
        if (after.IsNothing) return;
        Wake(ref after);
        if (after.NeedsTimer)
        {
            _expiry.Set(ref after);
            Wake(ref after);
        }
        if (after.NeedsStandInCheck) _standIns.SetCheck();
        if (after.NeedsDismissal) _standIns.SetDismissal();
        if (after.IsDrained) Stop.OnDrained();
        for (bool first = true; after.TryTakeEnded(out PoolWorkItem? item); first = false)
        {
            if (first) Space.NotifyIfAwaited(); // once for all of their places
            item!.EndedAt = _clock.Now; // it was queued until now
            Records.EndedElsewhere(item, item.Outcome);
            _observers.Ended(item, item.Outcome, null);
        }

        static void Wake(ref DeferredActions after)
        {
            while (after.TryTakeWoken(out QueueWorker? worker)) WorkQueue<ProcessorOps>.Wake(worker!);
        }
    }

    /// <summary>The pool has stopped.</summary>
    public void StopTimers()
    {
        _expiry.Stop();
        Records.Release();
        _runs.Stop();
        Space.Stop();
        _watch.Stop();
        _standIns.Stop();
    }
}
