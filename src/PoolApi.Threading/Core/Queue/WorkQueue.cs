using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// What waits for a worker, and who sleeps: submitting, taking, sleeping, waking and closing, and nothing else. The
/// protocol, and why no wake-up and no item is lost, stands in README.md beside this file.
/// </summary>
/// <remarks>
/// <code>
///   submitters ──one CAS──► Inbox ──whole, under the gate──► Lanes (high, normal, low) ──one, under the gate──► a worker
/// </code>
/// <para><b>Open → Closed → Stopping → Stopped</b>, only forward. Closed: nothing is accepted. Stopping: a worker that finds
/// the queue empty and nothing in flight leaves. Stopped: every worker leaves.</para>
/// <para>Methods named …Locked are called under the gate. What must be done after it is collected in an
/// <see cref="Aftermath"/>.</para>
/// </remarks>
internal sealed partial class WorkQueue<TOps> : IReleasedCount
    where TOps : struct, IAtomicOps
{
    // The attention word: what a submitter, having pushed, must take the gate for. 0 in the common case.
    private const int WakeSomebody = 1; // a worker sleeps, and none searches
    private const int SetTimer = 2; // there is a common limit on waiting, and the timer is not set

    private const int DrainEvery = 64; // a power of two

    private readonly CacheLines _lines = new(3);
    private readonly Inbox<TOps> _inbox = new();
    private readonly int _capacity;
    private readonly bool _limitsWaiting;
    private readonly int _cores;
    private readonly object _owner; // what items that wait here name as their holder
    private QueueWorker[] _workers = []; // replaced, never changed, under the gate
    private int _limit; // capacity and one for each live worker

    // Guarded by the gate.
    private Lanes _lanes;
    private readonly Queue<Resumption> _resumptions = new();
    private readonly ExpiryHeap _ownLimits = new();
    private SleeperStack _sleepers;
    private QueueWorker? _searcher; // awake and about to look, or spinning: the one that no submitter need wake
    private int _live;
    private int _attention; // as last published
    private bool _timerIsSet;
    private long _timerDue;
    private long _accepted;
    private long _removed; // places freed by items that ended without having run
    private OutcomeCounts _endedUnrun;

    public WorkQueue(int capacity, bool limitsWaiting, int cores, object? owner = null)
    {
        _capacity = capacity;
        _limitsWaiting = limitsWaiting;
        _cores = cores;
        _owner = owner ?? this;
        _attention = limitsWaiting ? SetTimer : 0;
        AttentionWord = _attention;
    }

    /// <summary>Closed, Stopping or Stopped as far as workers go; only forward. Guarded by the gate.</summary>
    public QueueState State { get; private set; }

    /// <summary>Asynchronous items under way. They hold no worker while they await, so workers do not tell. Guarded by the gate.</summary>
    public int AsyncInFlight { get; set; }

    private ref int GateWord => ref _lines.Int(0);

    private ref int AttentionWord => ref _lines.Int(1);

    private ref int SearchHint => ref _lines.Int(2); // 1: the spinning searcher shall look under the gate

    public void Enter() => Gate<TOps>.Enter(ref GateWord);

    public void Exit() => Gate<TOps>.Exit(ref GateWord);

    // --- submitting ---------------------------------------------------------------------------------------------------

    public bool IsClosed => _inbox.IsClosed;

    /// <summary>Items and resumptions that wait or run; out of date as soon as it is read.</summary>
    public long PendingGuess => _inbox.Reserved - CountReleased();

    /// <summary>How many may wait or run: the capacity, and one for each live worker.</summary>
    public int Limit => Volatile.Read(ref _limit);

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
    public bool TryPush(PoolWorkItem oldest, PoolWorkItem newest, long last, bool urgent, ref Aftermath after)
    {
        if (!_inbox.TryPush(oldest, newest)) return false;
        // After the push, which is a full fence: pairs with the fence in RestLocked and FoundLocked. Either this sees that
        // somebody sleeps, or the worker that falls asleep sees the item.
        if (TOps.Read(ref AttentionWord) != 0 || urgent)
        {
            Enter();
            AttendLocked(ref after);
            Exit();
        }
        else if (last % DrainEvery == 0 && Gate<TOps>.TryEnter(ref GateWord))
        {
            // So that the inbox stays short while all workers are busy, and nobody has to sort out thousands at once; and who pushed them has them in his cache.
            DrainLocked(ref after);
            Exit();
        }
        return true;
    }

    /// <summary>Adds a continuation of an item that is under way: past the limit and past closing.</summary>
    /// <returns>False if nobody is left to run it.</returns>
    public bool Post(in Resumption resumption, ref Aftermath after)
    {
        Enter();
        bool posted = State != QueueState.Stopped && _live > 0;
        if (posted)
        {
            _inbox.ReserveBeyondLimit();
            _resumptions.Enqueue(resumption);
            EmptyBagsLocked(); // it goes first
            HaveWorkLocked(ref after);
        }
        Exit();
        return posted;
    }

    // --- taking -------------------------------------------------------------------------------------------------------

    /// <summary>Called by a worker that has nothing in hand: what to do next.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="now">The time.</param>
    /// <param name="carry">How many items more it may take along; see WorkQueue.Bags.cs.</param>
    /// <param name="assignment">What to run.</param>
    /// <param name="after">What to do then.</param>
    public NextStep Next(QueueWorker worker, long now, Carry carry, out Assignment assignment, ref Aftermath after)
    {
        NextStep step;
        Enter();
        if (worker.HasBagGuess) EmptyBagLocked(worker);
        if (worker.Sleeps) _sleepers.Remove(worker); // it woke for no reason of ours
        while (true)
        {
            if (IsSurplusLocked)
            {
                assignment = default;
                LeaveLocked(worker, ref after);
                step = NextStep.Exit;
                break;
            }
            if (_lanes.WantDrain) DrainLocked(ref after);
            if (_lanes.IsLowTurn) EmptyBagsLocked(); // so that a bag whose worker came upon a long item is not passed by for ever
            if (TryDequeueLocked(worker, now, out assignment, ref after))
            {
                FillBagLocked(worker, carry);
                FoundLocked(worker, ref after);
                step = NextStep.Run;
                break;
            }
            if (AnyBagGuess)
            {
                EmptyBagsLocked();
                continue;
            }
            NothingLeftLocked(ref after);
            if (MayExitLocked)
            {
                LeaveLocked(worker, ref after);
                step = NextStep.Exit;
                break;
            }
            if (RestLocked(worker) is { } rest)
            {
                step = rest;
                break;
            }
        }
        Exit();
        return step;
    }

    /// <summary>The worker that searches looks for a moment. Then it calls Next again, whatever it saw.</summary>
    public void Look()
    {
        long since = 0;
        while (TOps.KeepLooking(ref since))
        {
            if (_inbox.HasItems || TOps.Read(ref SearchHint) != 0) return;
        }
    }

    /// <summary>Sleeps until somebody wakes this worker.</summary>
    public static void Sleep(QueueWorker worker) => Parker<TOps>.Park(ref worker.ParkWord);

    /// <summary>Wakes a worker that was taken off the sleepers; after the gate.</summary>
    public static void Wake(QueueWorker worker) => Parker<TOps>.Unpark(ref worker.ParkWord);

    // --- ending what waits --------------------------------------------------------------------------------------------

    /// <summary>Takes an item out of the queue, if it still waits here, and ends it.</summary>
    public bool TryRemove(PoolWorkItem item, WorkOutcome outcome, ref Aftermath after)
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
                UnlinkLocked(item);
                EndUnrunLocked(item, outcome, ref after);
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
    public bool CloseLocked(ref Aftermath after)
    {
        if (State != QueueState.Open) return false;
        State = QueueState.Closed;
        SortLocked(_inbox.Close(), ref after);
        NothingLeftLocked(ref after);
        return true;
    }

    /// <summary>Workers leave as soon as nothing is left for them, or at once.</summary>
    public void StopLocked(QueueState state, ref Aftermath after)
    {
        if (State < state) State = state;
        NothingLeftLocked(ref after);
        WakeAllLocked(ref after);
    }

    /// <summary>Drops the continuations that wait: their items have been abandoned, or nobody is left to run them.</summary>
    public void DropResumptionsLocked()
    {
        _inbox.GiveBack(_resumptions.Count);
        _resumptions.Clear();
    }

    /// <summary>Ends everything that waits as not started: the highest priority first, in each the oldest first.</summary>
    public void HandBackLocked(List<PoolWorkItem> handedBack, ref Aftermath after)
    {
        DrainLocked(ref after);
        EmptyBagsLocked();
        for (WorkPriority priority = WorkPriority.High; priority >= WorkPriority.Low; priority--)
        {
            while (_lanes.OldestOf(priority) is { } item)
            {
                UnlinkLocked(item);
                EndUnrunLocked(item, WorkOutcome.NotStarted, ref after);
                handedBack.Add(item);
            }
        }
        NothingLeftLocked(ref after);
    }

    public long CountReleased()
    {
        long sum = Volatile.Read(ref _removed);
        foreach (QueueWorker worker in Volatile.Read(ref _workers)) sum += worker.Ledger.Released;
        return sum;
    }
}
