using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// What waits, once it is out of the inbox: items in lanes and local batches, continuations, and the order in which they are taken;
/// and the counts of what has ended without a worker. Guarded by the gate.
/// </summary>
internal struct Backlog<TOps>
    where TOps : struct, IAtomicOps
{
    private const int ResumptionTurns = 16; // of so many starts while resumptions wait, one is an item's

    private readonly object _owner; // what items that wait here name as their holder
    private readonly ExpiryHeap _ownLimits = new();
    private readonly ResumptionQueue _resumptions = new();
    private CausedItems _caused = new();
    private Lanes _lanes;
    private LocalBatches<TOps> _batches;
    private int _resumptionTurn;
    private long _accepted;
    private long _removed;
    private OutcomeCounts _endedUnrun;

    public Backlog(object owner, WorkerRegistry<TOps> registry)
    {
        _owner = owner;
        _batches = new LocalBatches<TOps>(registry);
    }

    public readonly bool IsEmpty => _lanes.Count == 0 && _resumptions.Count == 0 && !_batches.AnyGuess;

    /// <summary>Whether a worker carries anything; may be asked by anybody.</summary>
    public readonly bool AnyBatchGuess => _batches.AnyGuess;

    /// <summary>Whether of each priority the newest item is next, not the oldest.</summary>
    public bool TakesNewestFirst
    {
        readonly get => _lanes.TakesNewestFirst;
        set
        {
            EmptyLocalBatches();
            _lanes.TakesNewestFirst = value;
        }
    }

    /// <summary>Whether anything waits that a stand-in might run; of continuations, only <see cref="DeepestCaused"/> can tell.</summary>
    public readonly bool MayHaveCaused => _caused.Count > 0 || _resumptions.Count > 0;

    /// <summary>Whether to look into the inbox before the next item is taken.</summary>
    public readonly bool WantDrain => _lanes.WantDrain;

    /// <summary>Items in the lanes.</summary>
    public readonly int Count => _lanes.Count;

    /// <summary>Items that came out of the inbox; what has ended since included.</summary>
    public readonly long Accepted => _accepted;

    /// <summary>Places freed by items that ended without having run; may be asked by anybody.</summary>
    public long Removed => Volatile.Read(ref _removed);

    public readonly OutcomeCounts EndedUnrun => _endedUnrun;

    /// <summary>When the next waiting item expires; long.MaxValue for never. What is in the inbox or carried does not count.</summary>
    public readonly long NextExpiry
    {
        get
        {
            // An item at the head of its lane came before the others there, and under the same limit or a longer one than
            // its own; those with limits of their own are in the heap.
            long due = _ownLimits.Top?.ExpiresAt ?? long.MaxValue;
            for (int priority = (int)WorkPriority.Low; priority <= (int)WorkPriority.High; priority++)
                due = Math.Min(due, OldestOf((WorkPriority)priority)?.ExpiresAt ?? long.MaxValue);
            return due;
        }
    }

    public readonly int CountOf(WorkPriority priority) => _lanes.CountOf(priority);

    public readonly PoolWorkItem? OldestOf(WorkPriority priority) => _lanes.OldestOf(priority);

    // --- coming -------------------------------------------------------------------------------------------------------

    /// <summary>Sorts items into their lanes, given newest first and linked by Previous. What was cancelled meanwhile ends here.</summary>
    /// <returns>How many wait now.</returns>
    public int Sort(PoolWorkItem newest, ref DeferredActions after)
    {
        Lanes.ThreeLists batch = default;
        int count = 0;
        int cancelled = 0;
        for (PoolWorkItem? item = newest; item is not null;)
        {
            PoolWorkItem current = item;
            item = current.Previous;
            if (current.CancelRequested)
            {
                current.Previous = null;
                EndUnrun(current, current.CancelOutcome, ref after);
                cancelled++;
                continue;
            }
            count++;
            current.State = WorkItemState.Waiting;
            batch[Lanes.LaneOf(current.Priority)].AddFirst(current);
            if (current.ExpiryIndex < 0) _ownLimits.Add(current);
            if (current.Depth != 0) _caused.Add(current);
        }
        _accepted += count + cancelled;
        // What is not normal has a turn among them, so none of them may be out of reach.
        if (batch[Lanes.LaneOf(WorkPriority.Normal)].Count != count) EmptyLocalBatches();
        _lanes.Append(ref batch);
        return count;
    }

    public void Add(in Resumption resumption)
    {
        _resumptions.Enqueue(resumption);
        EmptyLocalBatches(); // it goes first
    }

    // --- taking -------------------------------------------------------------------------------------------------------

    /// <summary>The worker takes what is next in hand, and a few more along.</summary>
    /// <returns>False if nothing is here; then workers may still carry something.</returns>
    public bool TryTake(QueueWorker worker, long now, BatchPolicy batchPolicy, out Assignment assignment, ref DeferredActions after)
    {
        if (_lanes.IsLowTurn) EmptyLocalBatches(); // so that a local batch whose worker came upon a long item is not passed by for ever
        if (!TryDequeue(worker, now, out assignment, ref after)) return false;
        if (_resumptions.Count == 0) _batches.Fill(worker, batchPolicy, ref _lanes);
        return true;
    }

    private bool TryDequeue(QueueWorker worker, long now, out Assignment assignment, ref DeferredActions after)
    {
        // Resumptions first: finishing what was started frees memory and callers sooner than starting more.
        bool itemsTurn = _resumptions.Count > 0 && ++_resumptionTurn % ResumptionTurns == 0;
        if (!itemsTurn && TryResume(worker, now, out assignment)) return true;
        while (_lanes.TryTake(out PoolWorkItem? item))
        {
            if (item.ExpiryIndex != 0) _ownLimits.Remove(item);
            if (item.Depth != 0) _caused.Remove(item);
            if (item.ExpiresAt <= now)
            {
                EndUnrun(item, WorkOutcome.Expired, ref after);
                continue;
            }
            StartOn(worker, item, now, out assignment);
            return true;
        }
        // The items whose turn it was may all have expired: a resumption that stayed behind would be slept through.
        return TryResume(worker, now, out assignment);
    }

    private readonly bool TryResume(QueueWorker worker, long now, out Assignment assignment)
    {
        if (!_resumptions.TryDequeue(out Resumption resumption))
        {
            assignment = default;
            return false;
        }
        ResumeOn(worker, resumption, now, out assignment);
        return true;
    }

    private readonly void StartOn(QueueWorker worker, PoolWorkItem item, long now, out Assignment assignment)
    {
        item.State = WorkItemState.InFlight;
        assignment = new Assignment(item, null, null);
        worker.TakeInHand<TOps>(item, _owner, now, isStart: true);
    }

    private readonly void ResumeOn(QueueWorker worker, in Resumption resumption, long now, out Assignment assignment)
    {
        assignment = new Assignment(resumption.Item, resumption.Callback, resumption.State);
        worker.TakeInHand<TOps>(resumption.Item, _owner, now, isStart: false);
    }

    // --- for stand-ins ------------------------------------------------------------------------------------------------

    /// <summary>The length of the longest chain of items that waits for something here; 0: there is none.</summary>
    /// <param name="by">The item that is at its end: the one that waits here, or whose continuation does.</param>
    public readonly int DeepestCaused(out PoolWorkItem? by)
    {
        int depth = _resumptions.FindDeepest(out int place);
        by = _caused.Deepest;
        if (by is not null && by.Depth > depth) return by.Depth;
        by = depth == 0 ? null : _resumptions.PeekAt(place).Item;
        return depth;
    }

    /// <summary>A stand-in takes what the longest chain of items waits for. There is something.</summary>
    /// <returns>False: it had expired.</returns>
    public bool TryTakeCaused(QueueWorker standIn, long now, out Assignment assignment, ref DeferredActions after)
    {
        assignment = default;
        int depth = _resumptions.FindDeepest(out int place);
        if (_caused.Deepest is { } item && item.Depth > depth)
        {
            if (item.ExpiresAt <= now)
            {
                End(item, WorkOutcome.Expired, ref after);
                return false;
            }
            _lanes.Remove(item);
            _ownLimits.Remove(item);
            _caused.Remove(item);
            standIn.StandInDepth = item.Depth;
            StartOn(standIn, item, now, out assignment);
        }
        else
        {
            standIn.StandInDepth = depth;
            ResumeOn(standIn, _resumptions.TakeAt(place), now, out assignment);
        }
        return true;
    }

    // --- local batches ---------------------------------------------------------------------------------------------------------

    public void EmptyLocalBatches() => _batches.EmptyAll(ref _lanes);

    public void EmptyLocalBatchOf(QueueWorker worker)
    {
        if (worker.HasBatchGuess<TOps>()) LocalBatches<TOps>.Empty(worker, ref _lanes);
    }

    // --- ending what waits --------------------------------------------------------------------------------------------

    /// <summary>Ends an item that waits in its lane.</summary>
    public void End(PoolWorkItem item, WorkOutcome outcome, ref DeferredActions after)
    {
        _lanes.Remove(item);
        _ownLimits.Remove(item);
        if (item.Depth != 0) _caused.Remove(item);
        EndUnrun(item, outcome, ref after);
    }

    /// <summary>Ends what has waited too long.</summary>
    public void EndExpired(long now, ref DeferredActions after)
    {
        EmptyLocalBatches();
        while (_ownLimits.Top is { } item && item.ExpiresAt <= now) End(item, WorkOutcome.Expired, ref after);
        for (int priority = (int)WorkPriority.Low; priority <= (int)WorkPriority.High; priority++)
        {
            while (OldestOf((WorkPriority)priority) is { } item && item.ExpiresAt <= now) End(item, WorkOutcome.Expired, ref after);
        }
    }

    /// <summary>Ends every item as not started: the highest priority first, in each the oldest first.</summary>
    public void HandBack(List<PoolWorkItem> handedBack, ref DeferredActions after)
    {
        EmptyLocalBatches();
        for (WorkPriority priority = WorkPriority.High; priority >= WorkPriority.Low; priority--)
        {
            while (OldestOf(priority) is { } item)
            {
                End(item, WorkOutcome.NotStarted, ref after);
                handedBack.Add(item);
            }
        }
    }

    /// <summary>Drops the continuations.</summary>
    /// <returns>How many they were.</returns>
    public readonly int DropResumptions()
    {
        int count = _resumptions.Count;
        _resumptions.Clear();
        return count;
    }

    private void EndUnrun(PoolWorkItem item, WorkOutcome outcome, ref DeferredActions after)
    {
        item.ExpiryIndex = 0;
        item.Outcome = outcome;
        item.State = WorkItemState.Ending;
        _endedUnrun.Add(outcome);
        Volatile.Write(ref _removed, _removed + 1);
        after.Tell(item);
    }
}
