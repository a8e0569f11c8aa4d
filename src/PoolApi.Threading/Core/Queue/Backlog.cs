using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queued work outside the inbox: items in lanes and local batches, continuations, and the order in which they are taken,
/// and the counts of items that ended without a worker. Guarded by the gate.
/// </summary>
internal struct Backlog<TOps>
    where TOps : struct, IAtomicOps
{
    private const int ResumptionTurns = 16; // while resumptions are queued, one turn in so many is an item's

    private readonly object _owner; // the owner of the items that are queued here
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

    public readonly bool IsEmpty => _lanes.Count == 0 && _resumptions.Count == 0 && !_batches.LikelyAny;

    /// <summary>Whether a worker has a local batch. Any thread may read it.</summary>
    public readonly bool AnyLikelyBatch => _batches.LikelyAny;

    /// <summary>Whether the newest item of each priority is next instead of the oldest.</summary>
    public bool TakesNewestFirst
    {
        readonly get => _lanes.TakesNewestFirst;
        set
        {
            EmptyLocalBatches();
            _lanes.TakesNewestFirst = value;
        }
    }

    /// <summary>Whether work is queued that a stand-in might run. For continuations only <see cref="DeepestCaused"/> knows.</summary>
    public readonly bool MayHaveCaused => _caused.Count > 0 || _resumptions.Count > 0;

    /// <summary>Whether to sort the inbox before the next item is taken.</summary>
    public readonly bool WantsInbox => _lanes.WantsInbox;

    /// <summary>The number of items in the lanes.</summary>
    public readonly int Count => _lanes.Count;

    /// <summary>The number of items that came out of the inbox, including items that have ended since.</summary>
    public readonly long Accepted => _accepted;

    /// <summary>The number of places freed by items that ended without having run. Any thread may read it.</summary>
    public long Removed => TOps.Read(ref _removed);

    public readonly OutcomeCounts EndedUnrun => _endedUnrun;

    /// <summary>When the next queued item expires; long.MaxValue for never. Items in the inbox and in local batches do not count.</summary>
    public readonly long NextExpiry
    {
        get
        {
            // The head of a lane was queued first, and its limit is the common one or shorter. So it expires no later than the other items
            // there with the common limit. The items with limits of their own are in the heap, unless there was no memory for it.
            long due = _ownLimits.Top?.ExpiresAt ?? long.MaxValue;
            for (int priority = (int)WorkPriority.Low; priority <= (int)WorkPriority.High; priority++)
                due = Math.Min(due, OldestOf((WorkPriority)priority)?.ExpiresAt ?? long.MaxValue);
            return due;
        }
    }

    public readonly int CountOf(WorkPriority priority) => _lanes.CountOf(priority);

    public readonly PoolWorkItem? OldestOf(WorkPriority priority) => _lanes.OldestOf(priority);

    // --- coming -------------------------------------------------------------------------------------------------------

    /// <summary>Sorts items into their lanes, given newest first and linked by Previous. Items that were cancelled meanwhile end here.</summary>
    /// <returns>The number of items that are queued now.</returns>
    public int Sort(PoolWorkItem newest, ref DeferredActions after)
    {
        Lanes.ThreeLists batch = default;
        int count = 0;
        int cancelled = 0;
        for (PoolWorkItem? item = newest; item is not null;)
        {
            PoolWorkItem current = item;
            item = current.Previous;
            if (current.IsCancelRequested<TOps>())
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
        // An item of high or low priority needs its turn among the normal ones, so none of those may stay in a local batch.
        if (batch[Lanes.LaneOf(WorkPriority.Normal)].Count != count) EmptyLocalBatches();
        _lanes.Append(ref batch);
        return count;
    }

    public void Add(in Resumption resumption)
    {
        _resumptions.Enqueue(resumption);
        EmptyLocalBatches(); // so that the continuation runs before their items
    }

    // --- taking -------------------------------------------------------------------------------------------------------

    /// <summary>The worker takes the next item, and a few more into its local batch.</summary>
    /// <returns><see langword="false"/> if no work is here. Workers may still have local batches.</returns>
    public bool TryTake(QueueWorker worker, long now, BatchPolicy batchPolicy, out Assignment assignment, ref DeferredActions after)
    {
        if (_lanes.IsLowTurn) EmptyLocalBatches(); // a worker that runs a long item must not keep its batch while other items are queued
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
        // The items whose turn it was may all have expired. Without this, the worker would sleep while a resumption is queued.
        return TryResume(worker, now, out assignment); // fault point: turn-resume
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

    /// <summary>The length of the longest chain of items that waits for work in this queue; 0: there is none.</summary>
    /// <param name="by">The last item of the chain: it, or its continuation, is queued here.</param>
    public readonly int DeepestCaused(out PoolWorkItem? by)
    {
        int depth = _resumptions.FindDeepest(out int index);
        by = _caused.Deepest;
        if (by is not null && by.Depth > depth) return by.Depth;
        by = depth == 0 ? null : _resumptions.PeekAt(index).Item;
        return depth;
    }

    /// <summary>A stand-in takes the work that the longest chain of items waits for. There must be such work.</summary>
    /// <returns><see langword="false"/> if it had expired.</returns>
    public bool TryTakeCaused(QueueWorker standIn, long now, out Assignment assignment, ref DeferredActions after)
    {
        assignment = default;
        int depth = _resumptions.FindDeepest(out int index);
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
            ResumeOn(standIn, _resumptions.TakeAt(index), now, out assignment);
        }
        return true;
    }

    // --- local batches ---------------------------------------------------------------------------------------------------------

    public void EmptyLocalBatches() => _batches.EmptyAll(ref _lanes);

    public void EmptyLocalBatchOf(QueueWorker worker)
    {
        if (worker.LikelyHasBatch<TOps>()) LocalBatches<TOps>.Empty(worker, ref _lanes);
    }

    // --- ending queued items ------------------------------------------------------------------------------------------

    /// <summary>Ends an item that is queued in its lane.</summary>
    public void End(PoolWorkItem item, WorkOutcome outcome, ref DeferredActions after)
    {
        _lanes.Remove(item);
        _ownLimits.Remove(item);
        if (item.Depth != 0) _caused.Remove(item);
        EndUnrun(item, outcome, ref after);
    }

    /// <summary>Ends the expired items.</summary>
    public void EndExpired(long now, ref DeferredActions after)
    {
        EmptyLocalBatches();
        while (_ownLimits.Top is { } item && item.ExpiresAt <= now) End(item, WorkOutcome.Expired, ref after);
        for (int priority = (int)WorkPriority.Low; priority <= (int)WorkPriority.High; priority++)
        {
            while (OldestOf((WorkPriority)priority) is { } item && item.ExpiresAt <= now) End(item, WorkOutcome.Expired, ref after);
        }
    }

    /// <summary>Ends every item as not started, by priority and then by age.</summary>
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
    /// <returns>The number of dropped continuations.</returns>
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
        TOps.Write(ref _removed, _removed + 1);
        after.AddEnded(item);
    }
}
