using System.Diagnostics;
using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queue's interface: submitting, taking, ending queued items, closing. It owns the gate and combines the parts that are
/// guarded by it: the queued work (<see cref="Backlog{TOps}"/>), the workers (<see cref="WorkerRegistry{TOps}"/>), the sleeping ones
/// (<see cref="IdleWorkers{TOps}"/>), and the timer (<see cref="TimerArming{TOps}"/>). The protocol, and why no
/// wake-up and no item is lost, are in README.md beside this file.
/// </summary>
/// <remarks>
/// <code>
///   submitters ──one CAS──► Inbox ──whole, under the gate──► Lanes (high, normal, low) ──one, under the gate──► a worker
/// </code>
/// <para>The states are those of <see cref="PoolState"/>. After the close, only continuations and forced items of items in flight are accepted.
/// Stopping: a worker leaves when no item is queued or in flight. Stopped: every worker leaves.</para>
/// <para>Methods named …Locked are called under the gate. Side effects for after the gate are collected in a
/// <see cref="DeferredActions"/>.</para>
/// </remarks>
internal sealed class WorkQueue<TOps> : IReleasedCount
    where TOps : struct, IAtomicOps
{
    private const int SortInboxEvery = 64; // a power of two

    private readonly CacheLines _lines = new(1);
    private readonly Inbox<TOps> _inbox = new();
    private readonly WorkerRegistry<TOps> _registry = new();
    private readonly SubmitterFlags<TOps> _flags = new();
    private readonly int _capacity;
    private readonly object _owner; // the owner of the items that are queued here

    // Guarded by the gate.
    private Backlog<TOps> _backlog;
    private IdleWorkers<TOps> _idle;
    private TimerArming<TOps> _timer;
    private StandIns<TOps> _standIns;
    private bool _isStandInCheckSet;
    private bool _isDismissalSet;

    public WorkQueue(int capacity, bool limitsWaiting, int cores, object? owner = null)
    {
        _capacity = capacity;
        _owner = owner ?? this;
        _backlog = new Backlog<TOps>(_owner, _registry);
        _idle = new IdleWorkers<TOps>(_inbox, _registry, _flags, cores);
        _timer = new TimerArming<TOps>(_flags, limitsWaiting);
        _standIns = new StandIns<TOps>(_registry);
    }

    /// <summary>The state, which only moves forward. Guarded by the gate.</summary>
    public PoolState State
    {
        get;
        private set
        {
            Debug.Assert(PoolStates.IsStep(field, value), $"A pool does not become {value} when it is {field}.");
            field = value;
        }
    }

    /// <summary>The number of asynchronous items under way. The workers do not know it, because an item holds no worker while it awaits. Guarded by the gate.</summary>
    public int AsyncInFlight { get; set; }

    private ref int GateWord => ref _lines.Int(0);

    public void Enter()
    {
        Gate<TOps>.Enter(ref GateWord);
        NoteEntered();
    }

    public void Exit()
    {
        NoteExit();
        Gate<TOps>.Exit(ref GateWord);
    }

    private int _enteredBy; // the managed id of the thread that holds the gate; 0: none. Kept in debug builds

    /// <summary>In a debug build: asserts that the calling thread holds the gate. Each …Locked method calls it first.</summary>
    [Conditional("DEBUG")]
    public void AssertLocked()
    {
        Debug.Assert(_enteredBy == Environment.CurrentManagedThreadId, "A …Locked method is called without the gate.");
    }

    [Conditional("DEBUG")]
    private void NoteEntered()
    {
        Debug.Assert(_enteredBy == 0, "The gate is entered twice.");
        _enteredBy = Environment.CurrentManagedThreadId;
    }

    [Conditional("DEBUG")]
    private void NoteExit()
    {
        AssertLocked();
        _enteredBy = 0;
    }

    // --- submitting ---------------------------------------------------------------------------------------------------

    public bool IsClosed => _inbox.IsClosed;

    /// <summary>The number of queued and running items and resumptions. An estimate.</summary>
    public long PendingEstimate => _inbox.Reserved - CountReleased();

    /// <summary>The most items that may be queued or run: the capacity, and one for each live worker.</summary>
    public int Limit => _capacity + _registry.Live;

    /// <summary>
    /// Reserves places for up to the given number of items in one step. A queued or running item holds a place, so a worker that is
    /// free or starting adds one place to the capacity. The place is given back when the worker is done with the item.
    /// </summary>
    public int Reserve(int wanted, out long last) => _inbox.Reserve(wanted, Limit, this, out last);

    public void GiveBack(int places) => _inbox.GiveBack(places);

    /// <summary>
    /// Adds a chain of claimed items for which places are reserved. When this returns true, the items no longer belong to
    /// the submitter: they may have run, ended and been submitted again.
    /// </summary>
    /// <param name="oldest">The first of the chain.</param>
    /// <param name="newest">The last, linked to the first by Previous.</param>
    /// <param name="last">The number of the last place.</param>
    /// <param name="urgent">
    /// Whether the items need the gate at once: for a limit on queue time of their own, a priority that is not normal, a cancellation, or because
    /// another item caused them.
    /// </param>
    /// <param name="after">Collects the side effects.</param>
    /// <returns><see langword="false"/> if the queue is closed.</returns>
    public bool TryPush(PoolWorkItem oldest, PoolWorkItem newest, long last, bool urgent, ref DeferredActions after)
    {
        if (!_inbox.TryPush(oldest, newest)) return false; // fault point: submit-push
        // After the push, which is a full fence: pairs with the fences in IdleWorkers. Either this thread sees that a worker sleeps,
        // or the worker that falls asleep sees the item.
        if (_flags.IsWanted || urgent) // fault point: submit-attend
        {
            Enter();
            AttendLocked(ref after);
            Exit();
        }
        else if (last % SortInboxEvery == 0 && Gate<TOps>.TryEnter(ref GateWord))
        {
            NoteEntered();
            // Keeps the inbox short while all workers are busy, so that no thread has to sort thousands at once. The submitter has the items in its cache.
            SortInboxLocked(ref after);
            Exit();
        }
        return true;
    }

    /// <summary>Adds a continuation of an item under way, past the limit and after the close.</summary>
    /// <returns><see langword="false"/> if no worker is left to run it.</returns>
    public bool Post(in Resumption resumption, ref DeferredActions after)
    {
        Enter();
        try
        {
            if (State == PoolState.Stopped || _registry.Live == 0) return false;
            _backlog.Add(resumption); // first, since it may need memory
            _inbox.ReserveBeyondLimit();
            _idle.Notify(ref after); // fault point: resume-notify
            NoteCausedLocked(ref after); // fault point: resume-note-caused
            return true;
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Adds an item past the limit, because its submitter cannot be refused. After the close, it adds only an item that belongs to an
    /// item in flight: until that item has ended, the pool has not drained.</summary>
    /// <param name="item">The item.</param>
    /// <param name="submitterHasItem">Whether the submitter is a worker of this queue that holds an item.</param>
    /// <param name="cause">The item whose continuation it is; null: none, or unknown.</param>
    /// <param name="after">The side effects.</param>
    /// <returns><see langword="false"/> if the queue is closed to it.</returns>
    public bool TryForceLocked(PoolWorkItem item, bool submitterHasItem, PoolWorkItem? cause, ref DeferredActions after)
    {
        AssertLocked();
        bool belongsToRunning = submitterHasItem || IsInFlightHere(cause);
        if (State != PoolState.Running && (State == PoolState.Stopped || !belongsToRunning)) return false; // fault point: force-closed
        SortInboxLocked(ref after); // items that were pushed earlier go first
        _inbox.ReserveBeyondLimit();
        SortLocked(item, ref after);
        _idle.Notify(ref after);
        NoteCausedLocked(ref after);
        NoteTimerLocked(ref after);
        return true;
    }

    /// <summary>Whether it is in flight, and not in another pool. The owner is read after the state, because the item may have ended here meanwhile.</summary>
    private bool IsInFlightHere(PoolWorkItem? cause) =>
        cause?.State == WorkItemState.InFlight && ReferenceEquals(TOps.Read(ref cause.Owner), _owner);

    // --- taking -------------------------------------------------------------------------------------------------------

    /// <summary>Called by a worker without an item, before <see cref="Next"/>: takes an item of its local batch, if there is one to run.</summary>
    public bool TryTakeFromBatch(QueueWorker worker, long now, out Assignment assignment) =>
        LocalBatches<TOps>.TryTake(worker, _owner, now, out assignment);

    /// <summary>Whether the newest item of each priority is next, instead of the oldest.</summary>
    public bool TakesNewestFirst
    {
        get => _backlog.TakesNewestFirst; // an estimate for other threads
        set
        {
            Enter();
            _backlog.TakesNewestFirst = value;
            Exit();
        }
    }

    /// <summary>Called by a worker without an item: decides what it does next.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="now">The time.</param>
    /// <param name="batchPolicy">The limits of its local batch; see <see cref="LocalBatches{TOps}"/>.</param>
    /// <param name="assignment">What to run.</param>
    /// <param name="after">What to do then.</param>
    public NextStep Next(QueueWorker worker, long now, BatchPolicy batchPolicy, out Assignment assignment, ref DeferredActions after)
    {
        NextStep step;
        Enter();
        if (worker.IsStandIn)
        {
            step = NextOfStandInLocked(worker, now, out assignment, ref after);
            Exit();
            return step;
        }
        _backlog.EmptyLocalBatchOf(worker);
        _idle.Remove(worker); // after a spurious wake-up it is still listed
        while (true)
        {
            if (_registry.IsSurplus)
            {
                assignment = default;
                LeaveLocked(worker, ref after);
                step = NextStep.Exit;
                break;
            }
            if (_backlog.WantsInbox) SortInboxLocked(ref after);
            if (_backlog.TryTake(worker, now, batchPolicy, out assignment, ref after))
            {
                FoundLocked(worker, ref after);
                // The queue may still have an item that a blocked worker waits for.
                NoteCausedLocked(ref after); // fault point: next-note-caused
                step = NextStep.Run;
                break;
            }
            if (_backlog.AnyLikelyBatch) // fault point: rest-batches
            {
                _backlog.EmptyLocalBatches();
                continue;
            }
            CheckDrainedLocked(ref after);
            if (MayExitLocked)
            {
                LeaveLocked(worker, ref after);
                step = NextStep.Exit;
                break;
            }
            if (OwesCallers(worker, after)) // fault point: rest-owes
            {
                // Code of callers may take long, so no submitter may rely on this worker meanwhile.
                FoundLocked(worker, ref after);
                NoteCausedLocked(ref after);
                step = NextStep.Again;
                break;
            }
            if (_idle.Rest(worker, maySpin: State == PoolState.Running) is { } rest)
            {
                step = rest;
                break;
            }
        }
        Exit();
        return step;
    }

    /// <summary>The searching worker spins for a moment. Afterwards it calls Next again in any case.</summary>
    public void Spin() => _idle.Spin();

    /// <summary>Sleeps until this worker is woken.</summary>
    public static void Sleep(QueueWorker worker) => Parker<TOps>.Park(ref worker.ParkWord);

    /// <summary>Wakes a worker that was removed from the sleepers. Called after the gate is released.</summary>
    public static void Wake(QueueWorker worker) => Parker<TOps>.Unpark(ref worker.ParkWord);

    // --- ending queued items ------------------------------------------------------------------------------------------

    /// <summary>Removes an item that is still queued here and ends it.</summary>
    public bool TryRemove(PoolWorkItem item, WorkOutcome outcome, ref DeferredActions after)
    {
        const int Patience = 1000;
        Enter();
        for (int i = 0; ; i++)
        {
            if (!ReferenceEquals(TOps.Read(ref item.Owner), _owner)) break;
            bool onItsWay = item.State == WorkItemState.Claimed;
            GatherLocked(ref after);
            WorkItemState state = item.State;
            // The owner is read again after the state: the item may have ended here and be queued in another pool by now. No item is sorted into
            // a lane of this queue meanwhile, because this thread holds the gate.
            if (!ReferenceEquals(TOps.Read(ref item.Owner), _owner)) break;
            if (onItsWay && state == WorkItemState.Ending)
            {
                // It was cancelled before it was sorted in, so the sorting above has ended it.
                Exit();
                return true;
            }
            if (state == WorkItemState.Waiting)
            {
                _backlog.End(item, outcome, ref after);
                CheckDrainedLocked(ref after);
                Exit();
                return true;
            }
            if (state != WorkItemState.Claimed) break;
            // Its submitter is between the claim and the push: a few instructions, unless it was preempted. The cancellation
            // is recorded in the item, and the next sorting carries it out. Waiting here only makes it prompt.
            if (i == Patience) break;
            Exit();
            TOps.Yield();
            Enter();
        }
        Exit();
        return false;
    }

    /// <summary>Closes the queue, in one step that is ordered with every push.</summary>
    public bool CloseLocked(ref DeferredActions after)
    {
        AssertLocked();
        if (State != PoolState.Running) return false;
        State = PoolState.Draining;
        if (_inbox.Close() is { } newest) SortLocked(newest, ref after); // fault point: close-inbox
        CheckDrainedLocked(ref after); // fault point: close-drained
        return true;
    }

    /// <summary>Makes the workers leave when no work is left for them, or at once.</summary>
    public void StopLocked(PoolState state, ref DeferredActions after)
    {
        AssertLocked();
        Debug.Assert(State != PoolState.Running, "A pool stops only after it was closed.");
        if (State < state) State = state;
        CheckDrainedLocked(ref after);
        WakeAllLocked(ref after);
    }

    /// <summary>Drops the queued continuations: their items were abandoned, or no worker is left to run them.</summary>
    public void DropResumptionsLocked()
    {
        AssertLocked();
        _inbox.GiveBack(_backlog.DropResumptions());
    }

    /// <summary>Ends all queued items as not started, by priority and then by age.</summary>
    public void HandBackLocked(List<PoolWorkItem> handedBack, ref DeferredActions after)
    {
        AssertLocked();
        SortInboxLocked(ref after);
        _backlog.HandBack(handedBack, ref after);
        CheckDrainedLocked(ref after);
    }

    // --- limits on waiting --------------------------------------------------------------------------------------------

    /// <summary>Ends the expired items, since the timer has fired or was never set.</summary>
    public void ExpireLocked(long now, ref DeferredActions after)
    {
        AssertLocked();
        _timer.Fired(); // before the inbox is read: it passes the fence that pairs with the push
        SortInboxLocked(ref after);
        _backlog.EndExpired(now, ref after);
        CheckDrainedLocked(ref after);
        NoteTimerLocked(ref after);
    }

    /// <summary>Returns the time for which the caller must set the timer; null if the timer already covers the queued items.</summary>
    public long? TimerDueLocked(ref DeferredActions after)
    {
        AssertLocked();
        GatherLocked(ref after);
        long due = _backlog.NextExpiry;
        if (_timer.Covers(due)) return null;
        _timer.Set(due);
        return due;
    }

    private void NoteTimerLocked(ref DeferredActions after)
    {
        AssertLocked();
        after.NeedsTimer |= !_timer.Covers(_backlog.NextExpiry);
    }

    // --- workers that come and go -------------------------------------------------------------------------------------

    /// <summary>Adds a worker, whose thread is about to call <see cref="Next"/>. It counts as starting.</summary>
    public void AddLocked(QueueWorker worker)
    {
        AssertLocked();
        _registry.Add(worker, asStandIn: false);
    }

    /// <summary>Removes a worker whose loop ends. If it was the searcher and work is queued, wakes another worker.</summary>
    public void LeaveLocked(QueueWorker worker, ref DeferredActions after)
    {
        AssertLocked();
        if (!worker.IsLive) return;
        _backlog.EmptyLocalBatchOf(worker);
        if (worker.IsStandIn) _standIns.Remove(worker);
        else _idle.Remove(worker);
        _registry.Remove(worker);
        FoundLocked(worker, ref after); // fault point: leave-found
        NoteCausedLocked(ref after);
        CheckDrainedLocked(ref after);
    }

    public void ResizeLocked(int workers, ref DeferredActions after)
    {
        AssertLocked();
        _registry.Target = workers;
        if (_registry.IsSurplus) _idle.WakeAll(ref after);
    }

    // --- stand-ins ----------------------------------------------------------------------------------------------------

    /// <summary>The most stand-ins, which run only work that blocked workers wait for.</summary>
    public void LimitStandInsLocked(int most)
    {
        AssertLocked();
        _standIns.Most = most;
    }

    /// <summary>
    /// Decides whether a stand-in is needed, when the timer of the stand-in watch has fired. The caller sets the timer again unless this returns None.
    /// </summary>
    /// <param name="areBlocked">Whether every worker with an item is blocked.</param>
    /// <param name="isUnreserved">Whether they have been blocked for so long that no stand-in is reserved for deeper work.</param>
    /// <param name="waitsFor">The item that they wait for: it or its continuation is queued.</param>
    /// <param name="after">What to do then.</param>
    public StandInNeed NeedStandInLocked(bool areBlocked, bool isUnreserved, out PoolWorkItem? waitsFor, ref DeferredActions after)
    {
        AssertLocked();
        waitsFor = null;
        _isStandInCheckSet = false;
        SortInboxLocked(ref after);
        if (State == PoolState.Stopped || !_backlog.MayHaveCaused || !_idle.IsNobodyFree) return StandInNeed.None;
        _isStandInCheckSet = true;
        _standIns.IsUnreserved = isUnreserved;
        if (!areBlocked || !_registry.AreAllBusy) return StandInNeed.CheckAgain; // fault point: stand-in-busy
        int depth = _backlog.DeepestCaused(out waitsFor);
        if (depth == 0) return StandInNeed.CheckAgain;
        if (_standIns.Resting == 0 && _registry.StandIns >= _standIns.Most) return StandInNeed.UsedUp;
        if (!_standIns.MayRun(depth)) return StandInNeed.CheckAgain;
        return _standIns.TryWake(ref after) ? StandInNeed.Woken : StandInNeed.Start;
    }

    /// <summary>Adds a stand-in, whose thread is about to call <see cref="Next"/>.</summary>
    /// <returns><see langword="false"/> if the limit is reached.</returns>
    public bool TryAddStandInLocked(QueueWorker worker)
    {
        AssertLocked();
        if (State == PoolState.Stopped || _registry.StandIns >= _standIns.Most) return false;
        _registry.Add(worker, asStandIn: true);
        return true;
    }

    /// <summary>Dismisses the stand-ins that have been idle since the given time or longer, when the timer has fired.</summary>
    /// <returns>Whether to set the timer again.</returns>
    public bool DismissLocked(long since, ref DeferredActions after)
    {
        AssertLocked();
        _standIns.Dismiss(since, ref after);
        return _isDismissalSet = _standIns.Resting > 0;
    }

    public int StandInCount => _registry.StandIns;

    private NextStep NextOfStandInLocked(QueueWorker worker, long now, out Assignment assignment, ref DeferredActions after)
    {
        AssertLocked();
        worker.StandInDepth = 0;
        _standIns.Remove(worker); // after a spurious wake-up it is still listed
        assignment = default;
        SortInboxLocked(ref after);
        if (!worker.IsDismissed && worker.MayStandIn)
        {
            while (_backlog.DeepestCaused(out _) is > 0 and int depth && _standIns.MayRun(depth))
            {
                if (_backlog.TryTakeCaused(worker, now, out assignment, ref after)) return NextStep.Run;
            }
        }
        CheckDrainedLocked(ref after);
        if (worker.IsDismissed || MayExitLocked || _registry.StandIns > _standIns.Most)
        {
            LeaveLocked(worker, ref after);
            return NextStep.Exit;
        }
        if (OwesCallers(worker, after)) return NextStep.Again; // a check would wake it without need
        _standIns.Rest(worker, now);
        after.NeedsDismissal |= !_isDismissalSet;
        _isDismissalSet = true;
        return NextStep.Sleep;
    }

    /// <summary>
    /// Schedules a check while work is queued that a blocked worker may wait for and no worker is free. Called whenever one of the
    /// two conditions may have become true.
    /// </summary>
    private void NoteCausedLocked(ref DeferredActions after)
    {
        AssertLocked();
        if (!_backlog.MayHaveCaused || _isStandInCheckSet || !_idle.IsNobodyFree || State == PoolState.Stopped) return;
        _isStandInCheckSet = true;
        after.NeedsStandInCheck = true;
    }

    private void WakeAllLocked(ref DeferredActions after)
    {
        AssertLocked();
        _idle.WakeAll(ref after);
        _standIns.WakeAll(ref after);
    }

    // --- what can be seen ---------------------------------------------------------------------------------------------

    public int LiveWorkers => _registry.Live;

    /// <summary>All workers that were ever added.</summary>
    public ReadOnlySpan<QueueWorker> Workers => _registry.All;

    public long Accepted => _backlog.Accepted;

    public OutcomeCounts EndedUnrun => _backlog.EndedUnrun;

    public int Waiting => _backlog.Count;

    public int WaitingOf(WorkPriority priority) => _backlog.CountOf(priority);

    public PoolWorkItem? OldestOf(WorkPriority priority) => _backlog.OldestOf(priority);

    /// <summary>Whether a worker has a local batch. An estimate.</summary>
    public bool AnyLikelyBatch => _backlog.AnyLikelyBatch;

    /// <summary>Moves all queued items from the inbox and the local batches into the lanes, where they can be seen.</summary>
    public void GatherLocked(ref DeferredActions after)
    {
        AssertLocked();
        SortInboxLocked(ref after);
        _backlog.EmptyLocalBatches();
    }

    /// <summary>Reports that the queue has drained, if it has: it is closed, and every accepted item has ended. Later reports change nothing.</summary>
    public void CheckDrainedLocked(ref DeferredActions after)
    {
        AssertLocked();
        if (State == PoolState.Running || !IsEmptyLocked) return;
        after.IsDrained = true;
        if (State >= PoolState.Stopping) WakeAllLocked(ref after); // fault point: last-in-hand
    }

    public long CountReleased() => _backlog.Removed + _registry.Released;

    // --- under the gate -----------------------------------------------------------------------------------------------

    private bool HasWorkLocked
    {
        get
        {
            AssertLocked();
            return !_backlog.IsEmpty || _inbox.HasItems;
        }
    }

    private bool IsEmptyLocked
    {
        get
        {
            AssertLocked();
            return AsyncInFlight == 0 && !HasWorkLocked && !_registry.HasItemInHand;
        }
    }

    private bool MayExitLocked
    {
        get
        {
            AssertLocked();
            return State == PoolState.Stopped || (State == PoolState.Stopping && IsEmptyLocked);
        }
    }

    /// <summary>Whether the worker runs code of callers after the gate: it notifies ended items, or records measurements.</summary>
    private static bool OwesCallers(QueueWorker worker, in DeferredActions after) => after.HasEnded || worker.HasMeasured;

    /// <summary>
    /// The worker has work or leaves. If it was the searcher, the wake-up is passed on, because no worker searches now.
    /// </summary>
    private void FoundLocked(QueueWorker worker, ref DeferredActions after)
    {
        AssertLocked();
        if (_idle.EndSearch(worker) && HasWorkLocked) _idle.WakeOne(ref after); // fault point: found-pass-on
    }

    /// <summary>Serves a submitter whose flags made it take the gate.</summary>
    private void AttendLocked(ref DeferredActions after)
    {
        AssertLocked();
        SortInboxLocked(ref after);
        if (HasWorkLocked) _idle.Notify(ref after); // fault point: attend-notify
        NoteCausedLocked(ref after);
        NoteTimerLocked(ref after);
    }

    /// <summary>Sorts pushed items into the lanes. Items that were cancelled meanwhile end here.</summary>
    private void SortInboxLocked(ref DeferredActions after)
    {
        AssertLocked();
        if (_inbox.TakeAll() is { } newest) SortLocked(newest, ref after);
    }

    private void SortLocked(PoolWorkItem newest, ref DeferredActions after)
    {
        AssertLocked();
        // The searcher watches the inbox, which these items have left.
        if (_backlog.Sort(newest, ref after) > 0) _idle.Hint();
        CheckDrainedLocked(ref after);
    }
}
