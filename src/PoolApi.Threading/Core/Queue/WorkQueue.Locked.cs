namespace PoolApi.Threading.Core.Queue;

/// <content>What happens under the gate.</content>
internal sealed partial class WorkQueue<TOps>
{
    private const int ResumptionTurns = 16; // of so many starts while resumptions wait, one is an item's

    private int _resumptionTurn;

    public int LiveWorkers => _live;

    /// <summary>How many workers there shall be; more leave when they next have nothing in hand. Set with <see cref="ResizeLocked"/>.</summary>
    public int TargetWorkers { get; private set; }

    public long Accepted => _accepted;

    public OutcomeCounts EndedUnrun => _endedUnrun;

    public int Waiting => _lanes.Count;

    public int WaitingOf(WorkPriority priority) => _lanes.CountOf(priority);

    public PoolWorkItem? OldestOf(WorkPriority priority) => _lanes.OldestOf(priority);

    public bool IsEmptyLocked
    {
        get
        {
            if (_lanes.Count > 0 || _resumptions.Count > 0 || AsyncInFlight > 0 || _inbox.HasItems || AnyBagGuess) return false;
            foreach (QueueWorker worker in _workers)
            {
                // Asynchronous ones are counted already, and a continuation left over from an ended one is nothing to wait for.
                if (Volatile.Read(ref worker.Ledger.Item) is { IsAsync: false, State: not WorkItemState.Abandoned }) return false;
            }
            return true;
        }
    }

    private bool MayExitLocked => State == QueueState.Stopped || (State == QueueState.Stopping && IsEmptyLocked);

    private bool IsSurplusLocked => _live > TargetWorkers;

    private bool HasWorkLocked => _lanes.Count > 0 || _resumptions.Count > 0 || _inbox.HasItems || AnyBagGuess;

    /// <summary>Makes a worker one of the queue's; its thread is about to call <see cref="Next"/>. It counts as on its way.</summary>
    public void AddLocked(QueueWorker worker)
    {
        worker.IsLive = true;
        worker.HasLooked = false;
        _live++;
        if (Array.IndexOf(_workers, worker) < 0) Volatile.Write(ref _workers, [.. _workers, worker]);
        Volatile.Write(ref _limit, _capacity + _live);
    }

    /// <summary>The worker leaves: its loop ends. If it was on its way to work, somebody else goes.</summary>
    public void LeaveLocked(QueueWorker worker, ref Aftermath after)
    {
        if (!worker.IsLive) return;
        if (worker.HasBagGuess) EmptyBagLocked(worker);
        worker.IsLive = false;
        _live--;
        Volatile.Write(ref _limit, _capacity + _live);
        _sleepers.Remove(worker);
        if (ReferenceEquals(_searcher, worker)) FoundLocked(worker, ref after);
        NothingLeftLocked(ref after);
    }

    public void ResizeLocked(int workers, ref Aftermath after)
    {
        TargetWorkers = workers;
        if (IsSurplusLocked) WakeAllLocked(ref after);
    }

    /// <summary>
    /// Adds an item past the limit, and past closing if nothing has to keep it out: what cannot be refused because it belongs
    /// to something that was accepted.
    /// </summary>
    public void ForceLocked(PoolWorkItem item, ref Aftermath after)
    {
        DrainLocked(ref after); // what was pushed before goes before
        _inbox.ReserveBeyondLimit();
        SortLocked(item, ref after);
        HaveWorkLocked(ref after);
        after.NeedsTimer |= NeedsTimerLocked;
    }

    /// <summary>Sorts what was pushed into the lanes. What was cancelled meanwhile ends here.</summary>
    public void DrainLocked(ref Aftermath after)
    {
        if (_inbox.TakeAll() is { } newest) SortLocked(newest, ref after);
    }

    /// <summary>Brings everything that waits to where it can be seen: out of the inbox and the bags, into the lanes.</summary>
    public void GatherLocked(ref Aftermath after)
    {
        DrainLocked(ref after);
        EmptyBagsLocked();
    }

    /// <summary>A submitter was asked to look in.</summary>
    private void AttendLocked(ref Aftermath after)
    {
        DrainLocked(ref after);
        if (HasWorkLocked) HaveWorkLocked(ref after);
        after.NeedsTimer |= NeedsTimerLocked;
    }

    private void SortLocked(PoolWorkItem? newest, ref Aftermath after)
    {
        if (newest is null) return;
        Lanes.ThreeLists batch = default;
        int count = 0;
        for (PoolWorkItem? item = newest; item is not null; count++)
        {
            PoolWorkItem current = item;
            item = current.Previous;
            if (current.CancelRequested)
            {
                current.Previous = null;
                _accepted++;
                EndUnrunLocked(current, current.CancelReason.ToOutcome(), ref after);
                count--;
                continue;
            }
            current.State = WorkItemState.Waiting;
            batch[Lanes.LaneOf(current.Priority)].AddFirst(current);
            if (current.ExpiryIndex < 0) _ownLimits.Add(current);
        }
        _accepted += count;
        // What is not normal has a turn among them, so none of them may be out of reach.
        if (batch[Lanes.LaneOf(WorkPriority.Normal)].Count != count) EmptyBagsLocked();
        _lanes.Append(ref batch);
        // The searcher watches the inbox, where these are no more.
        if (_searcher is not null && count > 0) TOps.Write(ref SearchHint, 1);
        NothingLeftLocked(ref after);
    }

    private bool TryDequeueLocked(QueueWorker worker, long now, out Assignment assignment, ref Aftermath after)
    {
        // Resumptions first: finishing what was started frees memory and callers sooner than starting more.
        bool itemsTurn = _resumptions.Count > 0 && ++_resumptionTurn % ResumptionTurns == 0;
        if (!itemsTurn && TryResumeLocked(worker, now, out assignment)) return true;
        while (_lanes.TryTake(out PoolWorkItem? item))
        {
            if (item.ExpiryIndex != 0) _ownLimits.Remove(item);
            if (item.ExpiresAt <= now)
            {
                EndUnrunLocked(item, WorkOutcome.Expired, ref after);
                continue;
            }
            item.State = WorkItemState.InFlight;
            assignment = new Assignment(item, null, null);
            TakeInHand(worker, item, now, isStart: true);
            return true;
        }
        // The items whose turn it was may all have expired: a resumption that stayed behind would be slept through.
        return TryResumeLocked(worker, now, out assignment);
    }

    private bool TryResumeLocked(QueueWorker worker, long now, out Assignment assignment)
    {
        if (!_resumptions.TryDequeue(out Resumption resumption))
        {
            assignment = default;
            return false;
        }
        assignment = new Assignment(resumption.Item, resumption.Callback, resumption.State);
        TakeInHand(worker, resumption.Item, now, isStart: false);
        return true;
    }

    private void TakeInHand(QueueWorker worker, PoolWorkItem item, long now, bool isStart)
    {
        WorkerLedger ledger = worker.Ledger;
        ledger.BeginChange();
        ledger.Item = item;
        ledger.ItemSince = now;
        ledger.EndChange();
        item.TakenLocked(_owner, isStart);
    }

    /// <summary>
    /// The worker has work, or leaves. If it was the searcher, nobody searches now: whoever was pushed meanwhile relied on it,
    /// so it passes the wake on.
    /// </summary>
    private void FoundLocked(QueueWorker worker, ref Aftermath after)
    {
        worker.HasLooked = false;
        if (!ReferenceEquals(_searcher, worker)) return;
        _searcher = null;
        if (_sleepers.Count == 0) return;
        PublishAttention();
        TOps.Fence(); // pairs with the push: whoever pushes after this sees the word, whoever pushed before is seen here
        if (HasWorkLocked) WakeSearcherLocked(ref after);
    }

    /// <summary>
    /// Nothing to do for the worker: it looks for a moment, as the one searcher, or it sleeps. Null: something has come.
    /// </summary>
    private NextStep? RestLocked(QueueWorker worker)
    {
        if (!worker.HasLooked && (_searcher is null || ReferenceEquals(_searcher, worker)) && MaySpinLocked)
        {
            _searcher = worker;
            worker.HasLooked = true;
            TOps.Write(ref SearchHint, 0);
            PublishAttention();
            return NextStep.Look;
        }
        worker.HasLooked = false;
        if (ReferenceEquals(_searcher, worker)) _searcher = null;
        _sleepers.Push(worker);
        PublishAttention();
        TOps.Fence(); // pairs with the push, as in FoundLocked
        if (!_inbox.HasItems) return NextStep.Sleep;
        _sleepers.Remove(worker);
        _searcher ??= worker; // it searches still: whoever pushed before it could be seen to sleep relies on it
        PublishAttention();
        return null;
    }

    /// <summary>Spinning is for cores that nothing else can use: not while the other workers use all of them but one.</summary>
    private bool MaySpinLocked => State == QueueState.Open && _live - _sleepers.Count - 1 < _cores - 1;

    /// <summary>There is work in the lanes or among the resumptions: see that somebody comes for it.</summary>
    private void HaveWorkLocked(ref Aftermath after)
    {
        if (_searcher is not null) TOps.Write(ref SearchHint, 1);
        else WakeSearcherLocked(ref after);
    }

    private void WakeSearcherLocked(ref Aftermath after)
    {
        if (!_sleepers.TryPop(out QueueWorker? sleeper)) return;
        _searcher = sleeper;
        PublishAttention();
        after.Wake(sleeper);
    }

    private void WakeAllLocked(ref Aftermath after)
    {
        while (_sleepers.TryPop(out QueueWorker? sleeper)) after.Wake(sleeper);
        TOps.Write(ref SearchHint, 1);
        PublishAttention();
    }

    /// <summary>Says so once, when the queue is closed and everything accepted has ended.</summary>
    public void NothingLeftLocked(ref Aftermath after)
    {
        if (State == QueueState.Open || !IsEmptyLocked) return;
        after.IsDrained = true;
        if (State >= QueueState.Stopping) WakeAllLocked(ref after);
    }

    private void UnlinkLocked(PoolWorkItem item)
    {
        _lanes.Remove(item);
        _ownLimits.Remove(item);
    }

    private void EndUnrunLocked(PoolWorkItem item, WorkOutcome outcome, ref Aftermath after)
    {
        item.ExpiryIndex = 0;
        item.Outcome = outcome;
        item.State = WorkItemState.Ending;
        _endedUnrun.Add(outcome);
        Volatile.Write(ref _removed, _removed + 1);
        after.Tell(item);
    }

    private void PublishAttention()
    {
        int attention = (_sleepers.Count > 0 && _searcher is null ? WakeSomebody : 0) | (_limitsWaiting && !_timerIsSet ? SetTimer : 0);
        if (attention == _attention) return;
        _attention = attention;
        TOps.Write(ref AttentionWord, attention);
    }

    // --- limits on waiting --------------------------------------------------------------------------------------------

    private bool NeedsTimerLocked => NextExpiryLocked is var due && due != long.MaxValue && (!_timerIsSet || due < _timerDue);

    /// <summary>When the next waiting item expires; long.MaxValue for never. What is in the inbox does not count.</summary>
    private long NextExpiryLocked
    {
        get
        {
            // An item at the head of its lane came before the others there, and under the same limit or a longer one than
            // its own; those with limits of their own are in the heap.
            long due = _ownLimits.Top?.ExpiresAt ?? long.MaxValue;
            for (int priority = (int)WorkPriority.Low; priority <= (int)WorkPriority.High; priority++)
                due = Math.Min(due, _lanes.OldestOf((WorkPriority)priority)?.ExpiresAt ?? long.MaxValue);
            return due;
        }
    }

    /// <summary>The timer has fired, or was never set: ends what has waited too long.</summary>
    public void ExpireLocked(long now, ref Aftermath after)
    {
        _timerIsSet = false;
        PublishAttention();
        TOps.Fence(); // pairs with the push: whoever pushes after this sets the timer, whoever pushed before is sorted here
        DrainLocked(ref after);
        EmptyBagsLocked();
        while (_ownLimits.Top is { } item && item.ExpiresAt <= now) Expire(item, ref after);
        for (int priority = (int)WorkPriority.Low; priority <= (int)WorkPriority.High; priority++)
        {
            while (_lanes.OldestOf((WorkPriority)priority) is { } item && item.ExpiresAt <= now) Expire(item, ref after);
        }
        NothingLeftLocked(ref after);
        after.NeedsTimer |= NeedsTimerLocked;

        void Expire(PoolWorkItem item, ref Aftermath after)
        {
            UnlinkLocked(item);
            EndUnrunLocked(item, WorkOutcome.Expired, ref after);
        }
    }

    /// <summary>For when to set the timer, if it must be; the caller sets it.</summary>
    public long? TimerDueLocked(ref Aftermath after)
    {
        DrainLocked(ref after);
        EmptyBagsLocked();
        if (!NeedsTimerLocked) return null;
        _timerIsSet = true;
        _timerDue = NextExpiryLocked;
        PublishAttention();
        return _timerDue;
    }
}
