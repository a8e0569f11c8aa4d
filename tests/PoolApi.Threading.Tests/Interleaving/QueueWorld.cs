using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;
using PoolApi.Threading.Core.Stopping;

namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>The result of a submission.</summary>
internal enum Submitted
{
    Accepted,
    Full,
    Closed,
    Taken, // another submitter has claimed the item
}

/// <summary>
/// A queue with its workers, the parties that submit, cancel and close, and the invariants that hold whatever they do at once.
/// It does only what the pool does around the queue.
/// </summary>
/// <remarks>
/// When all parties are done and every accepted item has ended, the thread that notices it closes and stops the queue. No thread
/// stays awake to do that, because it would hide a lost wake-up. So a worker that sleeps while work waits sleeps for ever, and
/// the schedule fails.
/// </remarks>
internal sealed class QueueWorld : World, IItemOwner, IStopHost
{
    private readonly Schedule _schedule;
    private readonly BatchPolicy _batchPolicy; // chosen for each schedule: local batches of at most 0, 1 or 2 items
    private readonly int _mostPending;
    private readonly List<ScheduledItem> _items = [];
    private readonly List<QueueWorker> _workers = [];
    private readonly CacheLines _words = new(4);
    private int _wordsUsed;
    private int _parties;
    private int _accepted;
    private int _ended;
    private int _timedOut;
    private int _interrupted; // items that the stop has interrupted
    private bool _isStopping;
    private bool _isDrained;
    private int _blocked; // workers inside an item that waits
    private bool _isChanging; // a worker is in the middle of changing its ledger

    public QueueWorld(Schedule schedule, int workers, int capacity, bool limitsWaiting = false, int dormant = 0)
    {
        _schedule = schedule;
        _batchPolicy = new BatchPolicy(schedule.Random.Below(3), LeaveForEach: 0);
        _mostPending = capacity + workers + dormant;
        Queue = new WorkQueue<ScheduledOps>(capacity, limitsWaiting, cores: 1 + schedule.Random.Below(4), owner: this);
        PoolStop = new PoolStop<ScheduledOps>(Queue, this);
        Queue.Enter();
        DeferredActions after = default;
        Queue.ResizeLocked(workers, ref after);
        Queue.LimitStandInsLocked(1);
        for (int i = 0; i < workers; i++)
        {
            QueueWorker worker = MakeWorker();
            Queue.AddLocked(worker);
            Add($"worker {i + 1}", () => Loop(worker));
        }
        Queue.Exit();
    }

    public WorkQueue<ScheduledOps> Queue { get; }

    /// <summary>The steps of a stop.</summary>
    public PoolStop<ScheduledOps> PoolStop { get; }

    public override IReadOnlyList<PoolWorkItem> SharedItems => _items;

    public long Now { get; set; }

    /// <summary>Called when the timer of the stand-in check must be set.</summary>
    public Action? WhenCheckIsNeeded { get; set; }

    /// <summary>Called when the expiry timer must be set, before it is set.</summary>
    public Action? WhenTimerIsNeeded { get; set; }

    // --- the parties ----------------------------------------------------------------------------------------------------

    public void AddParty(string name, Action body)
    {
        _parties++;
        Add(name, () =>
        {
            body();
            _parties--;
            StopIfAllIsDone();
        });
    }

    /// <summary>A worker whose thread waits to be hired.</summary>
    public QueueWorker AddDormant(string name, int word)
    {
        QueueWorker worker = MakeWorker();
        Add(name, () =>
        {
            Park(word);
            if (worker.IsLive) Loop(worker);
        });
        return worker;
    }

    public ScheduledItem Item(string name, Action? body = null, bool suspends = false)
    {
        var item = new ScheduledItem(name) { Body = body, Suspends = suspends };
        _items.Add(item);
        return item;
    }

    /// <summary>A word to park on, which the queue does not use.</summary>
    public int Word() => _wordsUsed++;

    public void Park(int word) => Parker<ScheduledOps>.Park(ref _words.Int(word));

    public void Unpark(int word) => Parker<ScheduledOps>.Unpark(ref _words.Int(word));

    /// <summary>Called by an item: blocks its worker until the word is unparked.</summary>
    public void Block(int word)
    {
        _blocked++;
        Park(word);
        _blocked--;
    }

    public void Fail(string what) => _schedule.Fail(what);

    // --- what the pool does ---------------------------------------------------------------------------------------------

    public Submitted Submit(ScheduledItem item, WorkPriority priority = WorkPriority.Normal, long expiresAt = long.MaxValue, bool ownLimit = false, int depth = 0, CancellationToken token = default)
    {
        if (!TryClaim(item, priority, expiresAt, ownLimit, out WorkItemState was)) return Submitted.Taken;
        if (token.CanBeCanceled)
        {
            ScheduledOps.Fence(); // the registration takes a lock of the token's source
            item.Watch<ScheduledOps>(this, token);
        }
        item.Depth = (byte)depth;
        if (depth > 0) item.Extras = new ItemExtras(item);
        if (Queue.Reserve(1, out long last) == 0)
        {
            Unclaim(item, was);
            return Submitted.Full;
        }
        Enter(item);
        bool urgent = ownLimit || item.IsCancelRequested<ScheduledOps>() || priority == WorkPriority.High || depth > 0; // fault point: world-urgent
        if (_schedule.Random.OneIn(8)) last = 0; // a number at which the submitter sorts the inbox
        DeferredActions after = default;
        if (!Queue.TryPush(item, item, last, urgent, ref after))
        {
            Leave(item);
            Queue.GiveBack(1);
            Unclaim(item, was);
            return Submitted.Closed;
        }
        item.Accepted++;
        _accepted++;
        CarryOut(ref after);
        return Submitted.Accepted;
    }

    /// <summary>Submits as many items as fit. Like the pool, it reserves places, claims the items, fences, and then reads the cancellations.</summary>
    public Submitted SubmitBatch(ScheduledItem[] items, WorkPriority[] priorities, out int got)
    {
        got = Queue.Reserve(items.Length, out long last);
        if (got == 0) return Submitted.Full;
        var was = new WorkItemState[got];
        bool urgent = false;
        for (int i = 0; i < got; i++)
        {
            if (!TryClaim(items[i], priorities[i], long.MaxValue, false, out was[i])) Fail($"{items[i]} is {items[i].State}, and cannot be submitted");
            Enter(items[i]);
            if (i > 0) items[i].Previous = items[i - 1];
            urgent |= priorities[i] == WorkPriority.High;
        }
        ScheduledOps.Fence(); // fault point: world-batch-fence
        for (int i = 0; i < got; i++) urgent |= items[i].IsCancelRequested<ScheduledOps>();
        if (_schedule.Random.OneIn(2)) last = 0; // as in the pool: the submitter sorts the inbox, unless another thread holds the gate
        DeferredActions after = default;
        if (!Queue.TryPush(items[0], items[got - 1], last, urgent, ref after))
        {
            for (int i = 0; i < got; i++)
            {
                Leave(items[i]);
                Unclaim(items[i], was[i]);
            }
            Queue.GiveBack(got);
            got = 0;
            return Submitted.Closed;
        }
        for (int i = 0; i < got; i++) items[i].Accepted++;
        _accepted += got;
        CarryOut(ref after);
        return Submitted.Accepted;
    }

    public void Cancel(ScheduledItem item)
    {
        item.NoteAsked<ScheduledOps>(WorkOutcome.Cancelled);
        item.MarkCancelled<ScheduledOps>(WorkOutcome.Cancelled);
        bool isHere = ReferenceEquals(ScheduledOps.Read(ref item.Owner), this);
        ScheduledOps.Spot();
        if (!isHere) return;
        DeferredActions after = default;
        Queue.TryRemove(item, WorkOutcome.Cancelled, ref after);
        CarryOut(ref after);
    }

    /// <summary>An item on a worker submits another, which the queue cannot refuse while the first one holds its worker.</summary>
    public void Force(ScheduledItem item)
    {
        if (!TryClaim(item, WorkPriority.Normal, long.MaxValue, ownLimit: false, out WorkItemState was)) Fail($"{item} is {item.State}");
        DeferredActions after = default;
        Queue.Enter();
        bool taken = Queue.TryForceLocked(item, submitterHasItem: true, cause: null, ref after);
        Queue.Exit();
        if (!taken)
        {
            Unclaim(item, was);
            return;
        }
        item.Accepted++;
        _accepted++;
        CarryOut(ref after);
    }

    public void Close() => PoolStop.Close();

    public void Stop() => PoolStop.LetGo();

    public void HandBack() => PoolStop.HandBackQueued();

    public void StopAtOnce() => PoolStop.Abandon();

    /// <summary>A stop without the joins. The deadline of its drain may expire at any moment.</summary>
    /// <param name="grace">The grace time after the deadline. Zero: it may expire at any moment. Infinite: it never expires.</param>
    public void Shutdown(TimeSpan grace)
    {
        StopOrder<ScheduledOps>.RunAsync(PoolStop, TimeSpan.Zero, grace, CompletesWithin).GetAwaiter().GetResult();
        PoolStop.Finish();
        foreach (ScheduledItem item in _items)
        {
            if (!item.IsElsewhere && StateOf(item) is (WorkItemState.Waiting or WorkItemState.InFlight)) Fail($"the stop has finished, and {item} is {item.State}");
        }

        Task<bool> CompletesWithin(Task step, TimeSpan timeout)
        {
            while (!step.IsCompleted)
            {
                if (timeout == TimeSpan.Zero && _schedule.Random.OneIn(8)) return Task.FromResult(false);
                ScheduledOps.Yield();
            }
            return Task.FromResult(true);
        }
    }

    /// <summary>Submits an item that has ended to another pool, which runs it for ever.</summary>
    public void SubmitElsewhere(ScheduledItem item)
    {
        if (!item.TryClaim<ScheduledOps>(out _)) Fail($"{item} is {item.State}, and cannot be submitted elsewhere");
        item.Owner = null;
        item.HasRunLimit = false;
        item.IsElsewhere = true;
        item.State = WorkItemState.Waiting;
        item.State = WorkItemState.InFlight;
        ScheduledOps.Spot();
    }

    /// <summary>Ends the item by its limit on run time, if it has one and a worker runs it now. The worker continues with its code.</summary>
    public void TimeOut(ScheduledItem item)
    {
        PoolStop.Pins.Pin(PinReason.RunWatch);
        Queue.Enter();
        bool isFound = item.HasRunLimit && _workers.Exists(worker => ReferenceEquals(ScheduledOps.Read(ref worker.Ledger.Item), item));
        bool isEnded = isFound && RunningItem<ScheduledOps>.TryTimeOutLocked(item, Now, PoolStop, out _);
        if (isEnded && item.IsElsewhere) Fail($"{item} has timed out, and another pool runs it");
        if (isEnded) _timedOut++;
        if (isEnded && item.IsStopSignalled<ScheduledOps>()) _interrupted++;
        Queue.Exit();
        PoolStop.Pins.Unpin(PinReason.RunWatch);
        if (isEnded) NotifyEnded(item);
    }

    public void Resize(int workers, QueueWorker? hired = null)
    {
        DeferredActions after = default;
        Queue.Enter();
        Queue.ResizeLocked(workers, ref after);
        if (hired is not null) Queue.AddLocked(hired);
        Queue.Exit();
        CarryOut(ref after);
    }

    public void Expire()
    {
        DeferredActions after = default;
        Queue.Enter();
        Queue.ExpireLocked(Now, ref after);
        Queue.Exit();
        CarryOut(ref after);
    }

    public long? TimerDue()
    {
        DeferredActions after = default;
        Queue.Enter();
        long? due = Queue.TimerDueLocked(ref after);
        Queue.Exit();
        CarryOut(ref after);
        return due;
    }

    /// <summary>Resumes a suspended item.</summary>
    public bool Resume(ScheduledItem item)
    {
        DeferredActions after = default;
        bool posted = Queue.Post(new Resumption(item, _ => { }, null), ref after);
        CarryOut(ref after);
        return posted;
    }

    /// <summary>The timer of the stand-in check has fired.</summary>
    /// <param name="hired">The worker that becomes the stand-in, if one is needed and there is none.</param>
    /// <param name="isHired">Whether this call has made it the stand-in.</param>
    /// <returns>Whether the timer is set again.</returns>
    public bool CheckStandIns(QueueWorker hired, out bool isHired)
    {
        DeferredActions after = default;
        Queue.Enter();
        StandInNeed need = Queue.NeedStandInLocked(AreBlocked(null), isUnreserved: false, out PoolWorkItem? waitsFor, ref after);
        if (need != StandInNeed.None && need != StandInNeed.CheckAgain && waitsFor is null) Fail("a stand-in is needed, and no item waits for one");
        isHired = need == StandInNeed.Start;
        if (isHired && !Queue.TryAddStandInLocked(hired)) Fail("no stand-in may be added");
        Queue.Exit();
        CarryOut(ref after);
        return need != StandInNeed.None;
    }

    public void DismissStandIns()
    {
        DeferredActions after = default;
        Queue.Enter();
        Queue.DismissLocked(Now, ref after);
        Queue.Exit();
        CarryOut(ref after);
    }

    /// <summary>Whether all workers that have an item in hand, except the given one, are blocked.</summary>
    private bool AreBlocked(QueueWorker? but)
    {
        int busy = 0;
        foreach (QueueWorker worker in _workers)
        {
            if (!ReferenceEquals(worker, but) && worker.Ledger.Item is not null) busy++;
        }
        return busy == _blocked;
    }

    /// <summary>Reads all counts at one moment, under the gate, and checks them.</summary>
    public void Observe()
    {
        DeferredActions after = default;
        Queue.Enter();
        Queue.GatherLocked(ref after);
        if (!_isChanging)
        {
            long ended = Queue.EndedUnrun.Total + _timedOut + PoolStop.AbandonedLocked;
            int inHand = 0;
            foreach (QueueWorker worker in _workers)
            {
                ended += worker.Ledger.Ended.Total;
                if (worker.Ledger.Item is { State: not (WorkItemState.TimedOut or WorkItemState.Abandoned) }) inHand++;
            }
            if (Queue.Accepted != ended + Queue.Waiting + inHand)
                Fail($"accepted {Queue.Accepted}, ended {ended}, waiting {Queue.Waiting}, in hand {inHand}");
        }
        Queue.Exit();
        CarryOut(ref after);
        CheckPending();
    }

    private bool TryClaim(ScheduledItem item, WorkPriority priority, long expiresAt, bool ownLimit, out WorkItemState was)
    {
        if (!item.TryClaim<ScheduledOps>(out was)) return false;
        item.Priority = priority;
        item.ExpiresAt = expiresAt;
        item.ExpiryIndex = ownLimit ? -1 : 0;
        item.Next = null;
        item.SetOwner<ScheduledOps>(this);
        ScheduledOps.Spot();
        return true;
    }

    private static void Unclaim(ScheduledItem item, WorkItemState was)
    {
        ScheduledOps.Spot();
        item.Unclaim<ScheduledOps>(was);
    }

    bool IItemOwner.TryEndQueued(PoolWorkItem item, WorkOutcome outcome, ref DeferredActions after)
    {
        bool removed = Queue.TryRemove(item, outcome, ref after);
        // TryRemove waits for the push of a claimed item, and gives up after many rounds. Only a submitter that waits for this callback takes so long.
        if (!removed && ReferenceEquals(item.Owner, this) && StateOf((ScheduledItem)item) == WorkItemState.Claimed)
            Fail($"a token's callback gave up waiting for the submitter of {item}");
        return removed;
    }

    void IItemOwner.CarryOut(ref DeferredActions after) => CarryOut(ref after);

    long IStopHost.Now => Now;

    /// <summary>None, because the suspended items of a scenario are not <see cref="PoolWorkItem.IsAsync"/>.</summary>
    PoolWorkItem[] IStopHost.AsyncItemsLocked() => [];

    void IStopHost.AbandonAsyncItemsLocked(List<PoolWorkItem> abandoned) { }

    void IStopHost.CarryOut(ref DeferredActions after) => CarryOut(ref after);

    void IStopHost.RefuseWaiters() { }

    void IStopHost.CancelToken(PoolWorkItem item, CancellationTokenSource? source)
    {
        ((ScheduledItem)item).IsCancelled = true;
        ((ScheduledItem)item).WhenCancelled?.Invoke(false);
    }

    void IStopHost.NotifyAbandoned(IReadOnlyList<PoolWorkItem> items)
    {
        _interrupted += items.Count;
        foreach (PoolWorkItem item in items)
        {
            NotifyEnded((ScheduledItem)item);
            ((ScheduledItem)item).WhenCancelled?.Invoke(true);
        }
    }

    void IStopHost.StopTimers() { }

    void IItemOwner.Unhandled(PoolWorkItem item, Exception error) => Fail($"a callback threw: {error.Message}");

    private void Enter(ScheduledItem item)
    {
        item.IsInside = true;
        CheckPending();
    }

    private static void Leave(ScheduledItem item) => item.IsInside = false;

    private void CarryOut(ref DeferredActions after)
    {
        while (after.TryTakeWoken(out QueueWorker? worker)) WorkQueue<ScheduledOps>.Wake(worker!);
        if (after.IsDrained)
        {
            NoteDrained();
            PoolStop.OnDrained();
        }
        while (after.TryTakeEnded(out PoolWorkItem? item))
        {
            var ended = (ScheduledItem)item!;
            ended.Unrun++;
            LeaveAndNotifyEnded(ended);
        }
        if (after.NeedsTimer) WhenTimerIsNeeded?.Invoke();
        if (after.NeedsStandInCheck) WhenCheckIsNeeded?.Invoke();
    }

    // --- the workers ----------------------------------------------------------------------------------------------------

    private QueueWorker MakeWorker()
    {
        var worker = new QueueWorker();
        _workers.Add(worker);
        return worker;
    }

    private void Loop(QueueWorker worker)
    {
        while (true)
        {
            NextStep step = NextStep.Run;
            if (!Queue.TryTakeFromBatch(worker, Now, out Assignment assignment))
            {
                DeferredActions after = default;
                worker.MayStandIn = AreBlocked(worker);
                step = Queue.Next(worker, Now, _batchPolicy, out assignment, ref after);
                CarryOut(ref after);
            }
            switch (step)
            {
                case NextStep.Run:
                    Run(worker, assignment);
                    if (((ScheduledItem)assignment.Item).IsDeadly) Replace(worker);
                    break;
                case NextStep.Spin:
                    Queue.Spin();
                    break;
                case NextStep.Again:
                    break;
                case NextStep.Sleep:
                    WorkQueue<ScheduledOps>.Sleep(worker);
                    break;
                default:
                    PoolStop.WorkerLeft();
                    return;
            }
        }
    }

    private void Run(QueueWorker worker, in Assignment assignment)
    {
        var item = (ScheduledItem)assignment.Item;
        bool resumes = assignment.Callback is not null;
        if (StateOf(item) is not (WorkItemState.InFlight or WorkItemState.TimedOut or WorkItemState.Abandoned)) Fail($"{item} is run, and is {item.State}");
        if (item.Active > 0 && !resumes) Fail($"{item} is run by two workers");
        if (_isDrained && StateOf(item) != WorkItemState.Abandoned) Fail($"{item} is run after the drain was reported");
        item.Active++;
        ScheduledOps.Spot();
        if (resumes)
        {
            if (--item.ResumptionsLeft == 0)
            {
                CountUnderWay(-1);
                item.IsDone = true;
            }
            item.WhenResumed?.Invoke();
        }
        else
        {
            item.Runs++;
            item.IsDone = !item.Suspends;
            if (item.Suspends) CountUnderWay(1);
            item.Body?.Invoke();
        }
        // The item may be resumed before the worker that started it has returned from it. The last of the two ends it.
        bool ends = --item.Active == 0 && item.IsDone;
        if (item.Suspends)
        {
            bool isLast = ends && item.TryMove<ScheduledOps>(WorkItemState.InFlight, WorkItemState.Ending);
            if (ends && !isLast) Fail($"{item} has returned, and is {item.State}");
            Release(worker, item, isLast);
            if (isLast) LeaveAndNotifyEnded(item);
            return;
        }
        _isChanging = true;
        WorkOutcome outcome = item.IsCancelled ? WorkOutcome.Cancelled : WorkOutcome.Completed;
        bool isMine = RunningItem<ScheduledOps>.EndAndRelease(item, outcome, worker, Now, PoolStop); // fault point: world-end
        _isChanging = false;
        if (isMine && outcome == WorkOutcome.Cancelled) _interrupted++;
        ScheduledOps.Spot();
        if (isMine) LeaveAndNotifyEnded(item);
        else if (StateOf(item) is not (WorkItemState.TimedOut or WorkItemState.Abandoned)) Fail($"{item} has returned, and is {item.State}");
    }

    /// <summary>The worker's thread has died, and another takes its place.</summary>
    private void Replace(QueueWorker worker)
    {
        DeferredActions after = default;
        Queue.Enter();
        Queue.LeaveLocked(worker, ref after);
        Queue.Exit();
        CarryOut(ref after);
        Queue.Enter();
        Queue.AddLocked(worker);
        Queue.Exit();
    }

    private void CountUnderWay(int change)
    {
        Queue.Enter();
        Queue.AsyncInFlight += change;
        Queue.Exit();
    }

    private void Release(QueueWorker worker, ScheduledItem item, bool ends)
    {
        _isChanging = true;
        worker.Ledger.BeginChange<ScheduledOps>();
        if (ends) worker.Ledger.Ended.Add(WorkOutcome.Completed);
        Leave(item);
        worker.Ledger.Release<ScheduledOps>(Now);
        worker.Ledger.EndChange<ScheduledOps>();
        _isChanging = false;
        ScheduledOps.Spot();
    }

    private void LeaveAndNotifyEnded(ScheduledItem item)
    {
        if (StateOf(item) != WorkItemState.Ending) Fail($"{item} is notified of its end, and is {item.State}");
        Leave(item);
        NotifyEnded(item);
    }

    private void NotifyEnded(ScheduledItem item)
    {
        item.Ends++;
        ScheduledOps.Spot();
        item.EndWatch<ScheduledOps>();
        if (StateOf(item) is not (WorkItemState.TimedOut or WorkItemState.Abandoned)) item.State = WorkItemState.Ended;
        ScheduledOps.Spot();
        item.WhenEnded?.Invoke(item);
        _ended++;
        StopIfAllIsDone();
    }

    // --- what must hold -------------------------------------------------------------------------------------------------

    public override void Check()
    {
        foreach (ScheduledItem item in _items)
        {
            if (item.Accepted != item.Ends) Fail($"{item} was accepted {item.Accepted} times and notified of its end {item.Ends} times");
            if (item.Runs + item.Unrun != item.Ends) Fail($"{item} was run {item.Runs} times and not run {item.Unrun} times, and ended {item.Ends} times");
            if (item.IsElsewhere)
            {
                if (item.IsStopSignalled<ScheduledOps>() || item.IsCancelRequested<ScheduledOps>())
                    Fail($"the pool has cancelled {item}, which another pool runs by then");
                if (item.State != WorkItemState.InFlight) Fail($"{item} is {item.State}, and another pool runs it");
            }
            else if (item.State is not (WorkItemState.Created or WorkItemState.Ended or WorkItemState.TimedOut or WorkItemState.Abandoned))
            {
                Fail($"{item} is {item.State} at the end");
            }
        }
        if (!_isDrained) Fail("the drain was never reported");
        Queue.Enter();
        long ended = Queue.EndedUnrun.Total + _timedOut + PoolStop.AbandonedLocked;
        Queue.Exit();
        foreach (QueueWorker worker in _workers)
        {
            ended += worker.Ledger.Ended.Total;
            if (worker.IsLive) Fail("a worker has ended and is still counted as live");
        }
        if (Queue.Accepted != _accepted || ended != _accepted || Queue.Waiting != 0)
            Fail($"accepted {_accepted}, counted as accepted {Queue.Accepted}, as ended {ended}, as waiting {Queue.Waiting}");
        if (PoolStop.Interrupted != _interrupted) Fail($"{_interrupted} items were interrupted, counted as {PoolStop.Interrupted}");
        if (PoolStop.NotStarted.Length != _items.Count(static item => item is { Unrun: > 0, Outcome: WorkOutcome.NotStarted }))
            Fail($"{PoolStop.NotStarted.Length} items are reported as handed back");
        if (Queue.PendingEstimate != 0) Fail($"{Queue.PendingEstimate} places were never given back");
        if (Queue.LiveWorkers != 0) Fail($"{Queue.LiveWorkers} workers are left");
    }

    private void CheckPending()
    {
        int pending = 0;
        foreach (ScheduledItem item in _items)
        {
            if (item.IsInside && !item.IsElsewhere && StateOf(item) is (WorkItemState.Claimed or WorkItemState.Waiting or WorkItemState.InFlight)) pending++;
        }
        if (pending > _mostPending) Fail($"{pending} items wait or run, and at most {_mostPending} may");
    }

    /// <summary>Reads the state without a step, so that a check of several items sees one moment.</summary>
    private static WorkItemState StateOf(ScheduledItem item) => (WorkItemState)item.StateWord;

    private void NoteDrained()
    {
        foreach (ScheduledItem item in _items)
        {
            if (item.IsElsewhere) continue;
            if (StateOf(item) is WorkItemState.Waiting or WorkItemState.InFlight) Fail($"the drain is reported, and {item} is {item.State}");
            if (item.Active > 0 && StateOf(item) != WorkItemState.Abandoned) Fail($"the drain is reported, and a worker runs {item}");
        }
        _isDrained = true;
    }

    private void StopIfAllIsDone()
    {
        if (_parties > 0 || _accepted != _ended || _isStopping) return;
        _isStopping = true;
        Close();
        Stop();
    }
}
