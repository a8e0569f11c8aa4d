using System.Diagnostics;
using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queue as others use it: submitting, taking, ending what waits, closing. It has the gate, and puts together what is
/// guarded by it: what waits (<see cref="Backlog{TOps}"/>), who there is (<see cref="WorkerRegistry{TOps}"/>), who sleeps
/// (<see cref="IdleWorkers{TOps}"/>), until when the timer is set (<see cref="TimerArming{TOps}"/>). The protocol, and why no
/// wake-up and no item is lost, stands in README.md beside this file.
/// </summary>
/// <remarks>
/// <code>
///   submitters ──one CAS──► Inbox ──whole, under the gate──► Lanes (high, normal, low) ──one, under the gate──► a worker
/// </code>
/// <para><b>Open → Closed → Stopping → Stopped</b>, only forward. Closed: nothing is accepted. Stopping: a worker that finds
/// the queue empty and nothing in flight leaves. Stopped: every worker leaves.</para>
/// <para>Methods named …Locked are called under the gate. What must be done after it is collected in an
/// <see cref="DeferredActions"/>.</para>
/// </remarks>
internal sealed class WorkQueue<TOps> : IReleasedCount
    where TOps : struct, IAtomicOps
{
    private const int DrainEvery = 64; // a power of two

    private readonly CacheLines _lines = new(1);
    private readonly Inbox<TOps> _inbox = new();
    private readonly WorkerRegistry<TOps> _registry = new();
    private readonly SubmitterFlags<TOps> _flags = new();
    private readonly int _capacity;
    private readonly object _owner; // what items that wait here name as their holder

    // Guarded by the gate.
    private Backlog<TOps> _backlog;
    private IdleWorkers<TOps> _idle;
    private TimerArming<TOps> _timer;
    private StandIns<TOps> _standIns;
    private bool _isLookSet;
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

    /// <summary>Closed, Stopping or Stopped as far as workers go; only forward. Guarded by the gate.</summary>
    public QueueState State { get; private set; }

    /// <summary>Asynchronous items under way. They hold no worker while they await, so workers do not tell. Guarded by the gate.</summary>
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

    /// <summary>In a debug build: the calling thread holds the gate. Each …Locked method says so first.</summary>
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

    /// <summary>Items and resumptions that wait or run; out of date as soon as it is read.</summary>
    public long PendingGuess => _inbox.Reserved - CountReleased();

    /// <summary>How many may wait or run: the capacity, and one for each live worker.</summary>
    public int Limit => _capacity + _registry.Live;

    /// <summary>
    /// Places for up to so many items, in one step. A place is taken by an item that waits or runs, so a worker that is
    /// free, or on its way, is room for one beyond the capacity; and it is given back when the worker is done with it.
    /// </summary>
    public int Reserve(int wanted, out long last) => _inbox.Reserve(wanted, Limit, this, out last);

    public void GiveBack(int places) => _inbox.GiveBack(places);

    /// <summary>
    /// Adds a chain of claimed items for which places are reserved. From the moment this returns true the items are not
    /// the submitter's any more: they may have run, ended and been submitted again.
    /// </summary>
    /// <param name="oldest">The first of the chain.</param>
    /// <param name="newest">The last, linked to the first by Previous.</param>
    /// <param name="last">The number of the last place.</param>
    /// <param name="urgent">Something about the items needs the gate at once: a limit of their own, a cancellation.</param>
    /// <param name="after">What to do then.</param>
    /// <returns>False if the queue is closed.</returns>
    public bool TryPush(PoolWorkItem oldest, PoolWorkItem newest, long last, bool urgent, ref DeferredActions after)
    {
        if (!_inbox.TryPush(oldest, newest)) return false;
        // After the push, which is a full fence: pairs with the fences in IdleWorkers. Either this sees that somebody sleeps,
        // or the worker that falls asleep sees the item.
        if (_flags.IsWanted || urgent)
        {
            Enter();
            AttendLocked(ref after);
            Exit();
        }
        else if (last % DrainEvery == 0 && Gate<TOps>.TryEnter(ref GateWord))
        {
            NoteEntered();
            // So that the inbox stays short while all workers are busy, and nobody has to sort out thousands at once; and who pushed them has them in his cache.
            DrainLocked(ref after);
            Exit();
        }
        return true;
    }

    /// <summary>Adds a continuation of an item that is under way: past the limit and past closing.</summary>
    /// <returns>False if nobody is left to run it.</returns>
    public bool Post(in Resumption resumption, ref DeferredActions after)
    {
        Enter();
        bool posted = State != QueueState.Stopped && _registry.Live > 0;
        if (posted)
        {
            _inbox.ReserveBeyondLimit();
            _backlog.Add(resumption);
            _idle.Notify(ref after);
            NoteCausedLocked(ref after);
        }
        Exit();
        return posted;
    }

    /// <summary>
    /// Adds an item past the limit, and past closing if nothing has to keep it out: what cannot be refused because it belongs
    /// to something that was accepted.
    /// </summary>
    public void ForceLocked(PoolWorkItem item, ref DeferredActions after)
    {
        AssertLocked();
        DrainLocked(ref after); // what was pushed before goes before
        _inbox.ReserveBeyondLimit();
        SortLocked(item, ref after);
        _idle.Notify(ref after);
        NoteCausedLocked(ref after);
        NoteTimerLocked(ref after);
    }

    // --- taking -------------------------------------------------------------------------------------------------------

    /// <summary>Called by a worker that has nothing in hand, before <see cref="Next"/>: an item that it carries, if any is to be run.</summary>
    public bool TryTakeFromBatch(QueueWorker worker, long now, out Assignment assignment) =>
        LocalBatches<TOps>.TryTake(worker, _owner, now, out assignment);

    /// <summary>Whether of each priority the newest item is next, not the oldest.</summary>
    public bool TakesNewestFirst
    {
        get => _backlog.TakesNewestFirst; // racy, for who asks
        set
        {
            Enter();
            _backlog.TakesNewestFirst = value;
            Exit();
        }
    }

    /// <summary>Called by a worker that has nothing in hand: what to do next.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="now">The time.</param>
    /// <param name="batchPolicy">How many items more it may take along; see <see cref="LocalBatches{TOps}"/>.</param>
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
        _idle.Remove(worker); // it woke for no reason of ours
        while (true)
        {
            if (_registry.IsSurplus)
            {
                assignment = default;
                LeaveLocked(worker, ref after);
                step = NextStep.Exit;
                break;
            }
            if (_backlog.WantDrain) DrainLocked(ref after);
            if (_backlog.TryTake(worker, now, batchPolicy, out assignment, ref after))
            {
                FoundLocked(worker, ref after);
                NoteCausedLocked(ref after); // it may have taken something else
                step = NextStep.Run;
                break;
            }
            if (_backlog.AnyBatchGuess)
            {
                _backlog.EmptyLocalBatches();
                continue;
            }
            NothingLeftLocked(ref after);
            if (MayExitLocked)
            {
                LeaveLocked(worker, ref after);
                step = NextStep.Exit;
                break;
            }
            if (_idle.Rest(worker, maySpin: State == QueueState.Open) is { } rest)
            {
                step = rest;
                break;
            }
        }
        Exit();
        return step;
    }

    /// <summary>The worker that searches looks for a moment. Then it calls Next again, whatever it saw.</summary>
    public void Look() => _idle.Look();

    /// <summary>Sleeps until somebody wakes this worker.</summary>
    public static void Sleep(QueueWorker worker) => Parker<TOps>.Park(ref worker.ParkWord);

    /// <summary>Wakes a worker that was taken off the sleepers; after the gate.</summary>
    public static void Wake(QueueWorker worker) => Parker<TOps>.Unpark(ref worker.ParkWord);

    // --- ending what waits --------------------------------------------------------------------------------------------

    /// <summary>Takes an item out of the queue, if it still waits here, and ends it.</summary>
    public bool TryRemove(PoolWorkItem item, WorkOutcome outcome, ref DeferredActions after)
    {
        const int Patience = 1000;
        Enter();
        for (int i = 0; ; i++)
        {
            if (!ReferenceEquals(item.Holder, _owner)) break;
            bool onItsWay = item.State == WorkItemState.Claimed;
            GatherLocked(ref after);
            WorkItemState state = item.State;
            // Again, after the state: it may have ended here and be waiting elsewhere by now. Nothing comes to wait here meanwhile.
            if (!ReferenceEquals(Volatile.Read(ref item.Holder), _owner)) break;
            if (onItsWay && state == WorkItemState.Ending)
            {
                // Asked to cancel itself before it came here, it was ended by this drain.
                Exit();
                return true;
            }
            if (state == WorkItemState.Waiting)
            {
                _backlog.End(item, outcome, ref after);
                NothingLeftLocked(ref after);
                Exit();
                return true;
            }
            if (state != WorkItemState.Claimed) break;
            // Its submitter is between the claim and the push: a few instructions, unless it was preempted. What was asked
            // for is remembered in the item and done by the next drain; waiting here only makes it prompt.
            if (i == Patience) break;
            Exit();
            TOps.Yield();
            Enter();
        }
        Exit();
        return false;
    }

    /// <summary>From here on nothing more is accepted; in one step with every push.</summary>
    public bool CloseLocked(ref DeferredActions after)
    {
        AssertLocked();
        if (State != QueueState.Open) return false;
        State = QueueState.Closed;
        if (_inbox.Close() is { } newest) SortLocked(newest, ref after);
        NothingLeftLocked(ref after);
        return true;
    }

    /// <summary>Workers leave as soon as nothing is left for them, or at once.</summary>
    public void StopLocked(QueueState state, ref DeferredActions after)
    {
        AssertLocked();
        if (State < state) State = state;
        NothingLeftLocked(ref after);
        WakeAllLocked(ref after);
    }

    /// <summary>Drops the continuations that wait: their items have been abandoned, or nobody is left to run them.</summary>
    public void DropResumptionsLocked() => _inbox.GiveBack(_backlog.DropResumptions());

    /// <summary>Ends everything that waits as not started: the highest priority first, in each the oldest first.</summary>
    public void HandBackLocked(List<PoolWorkItem> handedBack, ref DeferredActions after)
    {
        AssertLocked();
        DrainLocked(ref after);
        _backlog.HandBack(handedBack, ref after);
        NothingLeftLocked(ref after);
    }

    // --- limits on waiting --------------------------------------------------------------------------------------------

    /// <summary>The timer has fired, or was never set: ends what has waited too long.</summary>
    public void ExpireLocked(long now, ref DeferredActions after)
    {
        AssertLocked();
        _timer.Fired(); // before the inbox is looked into: it passes the fence that pairs with the push
        DrainLocked(ref after);
        _backlog.EndExpired(now, ref after);
        NothingLeftLocked(ref after);
        NoteTimerLocked(ref after);
    }

    /// <summary>For when to set the timer, if it must be; the caller sets it.</summary>
    public long? TimerDueLocked(ref DeferredActions after)
    {
        AssertLocked();
        GatherLocked(ref after);
        long due = _backlog.NextExpiry;
        if (_timer.Covers(due)) return null;
        _timer.Set(due);
        return due;
    }

    private void NoteTimerLocked(ref DeferredActions after) => after.NeedsTimer |= !_timer.Covers(_backlog.NextExpiry);

    // --- workers that come and go -------------------------------------------------------------------------------------

    /// <summary>Makes a worker one of the queue's; its thread is about to call <see cref="Next"/>. It counts as on its way.</summary>
    public void AddLocked(QueueWorker worker) => _registry.Add(worker, asStandIn: false);

    /// <summary>The worker leaves: its loop ends. If it was on its way to work, somebody else goes.</summary>
    public void LeaveLocked(QueueWorker worker, ref DeferredActions after)
    {
        AssertLocked();
        if (!worker.IsLive) return;
        _backlog.EmptyLocalBatchOf(worker);
        if (worker.IsStandIn) _standIns.Remove(worker);
        else _idle.Remove(worker);
        _registry.Remove(worker);
        FoundLocked(worker, ref after);
        NoteCausedLocked(ref after);
        NothingLeftLocked(ref after);
    }

    public void ResizeLocked(int workers, ref DeferredActions after)
    {
        AssertLocked();
        _registry.Target = workers;
        if (_registry.IsSurplus) _idle.WakeAll(ref after);
    }

    // --- stand-ins ----------------------------------------------------------------------------------------------------

    /// <summary>How many workers there may be beyond the others, for what blocked workers wait for alone.</summary>
    public void LimitStandInsLocked(int most) => _standIns.Most = most;

    /// <summary>
    /// The timer for looking has fired: whether a stand-in is needed. Whatever this returns but None, the caller sets the timer again.
    /// </summary>
    /// <param name="areBlocked">Whether every worker that has something in hand is blocked.</param>
    /// <param name="isUnreserved">Whether that has been so for so long that no stand-in is to be held back for what may come.</param>
    /// <param name="waitsFor">What they wait for: an item, or one whose continuation waits.</param>
    /// <param name="after">What to do then.</param>
    public StandInNeed LookLocked(bool areBlocked, bool isUnreserved, out PoolWorkItem? waitsFor, ref DeferredActions after)
    {
        AssertLocked();
        waitsFor = null;
        _isLookSet = false;
        DrainLocked(ref after);
        if (State == QueueState.Stopped || !_backlog.MayHaveCaused || !_idle.IsNobodyFree) return StandInNeed.None;
        _isLookSet = true;
        _standIns.IsUnreserved = isUnreserved;
        if (!areBlocked || !_registry.AreAllBusy) return StandInNeed.LookAgain;
        int depth = _backlog.DeepestCaused(out waitsFor);
        if (depth == 0) return StandInNeed.LookAgain;
        if (_standIns.Resting == 0 && _registry.StandIns >= _standIns.Most) return StandInNeed.UsedUp;
        if (!_standIns.MayRun(depth)) return StandInNeed.LookAgain;
        return _standIns.TryWake(ref after) ? StandInNeed.Woken : StandInNeed.Start;
    }

    /// <summary>Makes a worker one of the queue's stand-ins; its thread is about to call <see cref="Next"/>.</summary>
    /// <returns>False: there may be no more.</returns>
    public bool TryAddStandInLocked(QueueWorker worker)
    {
        AssertLocked();
        if (State == QueueState.Stopped || _registry.StandIns >= _standIns.Most) return false;
        _registry.Add(worker, asStandIn: true);
        return true;
    }

    /// <summary>The timer for dismissing has fired: stand-ins that have rested since then, or longer, leave.</summary>
    /// <returns>Whether to set it again.</returns>
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
        _standIns.Remove(worker); // it woke for no reason of ours
        assignment = default;
        DrainLocked(ref after);
        if (!worker.IsDismissed && worker.MayStandIn)
        {
            while (_backlog.DeepestCaused(out _) is > 0 and int depth && _standIns.MayRun(depth))
            {
                if (_backlog.TryTakeCaused(worker, now, out assignment, ref after)) return NextStep.Run;
            }
        }
        NothingLeftLocked(ref after);
        if (worker.IsDismissed || MayExitLocked || _registry.StandIns > _standIns.Most)
        {
            LeaveLocked(worker, ref after);
            return NextStep.Exit;
        }
        _standIns.Rest(worker, now);
        after.NeedsDismissal |= !_isDismissalSet;
        _isDismissalSet = true;
        return NextStep.Sleep;
    }

    /// <summary>
    /// While something waits that a blocked worker may wait for, and no worker is free, a look is set. Called whenever one of the
    /// two may have come about.
    /// </summary>
    private void NoteCausedLocked(ref DeferredActions after)
    {
        AssertLocked();
        if (!_backlog.MayHaveCaused || _isLookSet || !_idle.IsNobodyFree || State == QueueState.Stopped) return;
        _isLookSet = true;
        after.NeedsLook = true;
    }

    private void WakeAllLocked(ref DeferredActions after)
    {
        AssertLocked();
        _idle.WakeAll(ref after);
        _standIns.WakeAll(ref after);
    }

    // --- what can be seen ---------------------------------------------------------------------------------------------

    public int LiveWorkers => _registry.Live;

    public long Accepted => _backlog.Accepted;

    public OutcomeCounts EndedUnrun => _backlog.EndedUnrun;

    public int Waiting => _backlog.Count;

    public int WaitingOf(WorkPriority priority) => _backlog.CountOf(priority);

    public PoolWorkItem? OldestOf(WorkPriority priority) => _backlog.OldestOf(priority);

    /// <summary>Whether a worker carries items; out of date as soon as it is read.</summary>
    public bool AnyBatchGuess => _backlog.AnyBatchGuess;

    /// <summary>Brings everything that waits to where it can be seen: out of the inbox and the local batches, into the lanes.</summary>
    public void GatherLocked(ref DeferredActions after)
    {
        AssertLocked();
        DrainLocked(ref after);
        _backlog.EmptyLocalBatches();
    }

    /// <summary>Says so once, when the queue is closed and everything accepted has ended.</summary>
    public void NothingLeftLocked(ref DeferredActions after)
    {
        AssertLocked();
        if (State == QueueState.Open || !IsEmptyLocked) return;
        after.IsDrained = true;
        if (State >= QueueState.Stopping) WakeAllLocked(ref after);
    }

    public long CountReleased() => _backlog.Removed + _registry.Released;

    // --- under the gate -----------------------------------------------------------------------------------------------

    private bool HasWorkLocked => !_backlog.IsEmpty || _inbox.HasItems;

    private bool IsEmptyLocked => AsyncInFlight == 0 && !HasWorkLocked && !_registry.HasItemInHand;

    private bool MayExitLocked => State == QueueState.Stopped || (State == QueueState.Stopping && IsEmptyLocked);

    /// <summary>
    /// The worker has work, or leaves. If it was the searcher, nobody searches now, and the wake is passed on.
    /// </summary>
    private void FoundLocked(QueueWorker worker, ref DeferredActions after)
    {
        AssertLocked();
        if (_idle.EndSearch(worker) && HasWorkLocked) _idle.WakeOne(ref after);
    }

    /// <summary>A submitter was asked to look in.</summary>
    private void AttendLocked(ref DeferredActions after)
    {
        AssertLocked();
        DrainLocked(ref after);
        if (HasWorkLocked) _idle.Notify(ref after);
        NoteCausedLocked(ref after);
        NoteTimerLocked(ref after);
    }

    /// <summary>Sorts what was pushed into the lanes. What was cancelled meanwhile ends here.</summary>
    private void DrainLocked(ref DeferredActions after)
    {
        AssertLocked();
        if (_inbox.TakeAll() is { } newest) SortLocked(newest, ref after);
    }

    private void SortLocked(PoolWorkItem newest, ref DeferredActions after)
    {
        AssertLocked();
        // The searcher watches the inbox, where these are no more.
        if (_backlog.Sort(newest, ref after) > 0) _idle.Hint();
        NothingLeftLocked(ref after);
    }
}
