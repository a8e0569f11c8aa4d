namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>A fault in the kernel.</summary>
/// <param name="Scenario">The scenario that shows it.</param>
/// <param name="Patches">The changes of the source that make it.</param>
internal sealed record PlantedFault(string Scenario, Patch[] Patches);

/// <summary>Faults that somebody could put into the kernel without any other test noticing, each with what it would break.</summary>
internal static class PlantedFaults
{
    private const string Queue = "WorkQueue.cs";
    private const string Idle = "IdleWorkers.cs";
    private const string Backlog = "Backlog.cs";
    private const string LocalBatches = "LocalBatches.cs";
    private const string WorkerRegistry = "WorkerRegistry.cs";
    private const string Timer = "TimerArming.cs";
    private const string Inbox = "Inbox.cs";
    private const string Gate = "Gate.cs";
    private const string Worker = "QueueWorker.cs";
    private const string Token = "TokenWatch.cs";
    private const string State = "PoolWorkItem.State.cs";
    private const string Cancellation = "PoolWorkItem.Cancellation.cs";
    private const string Parker = "Parker.cs";
    private const string Ring = "RecordRing.cs";
    private const string Stop = "PoolStop.cs";
    private const string Order = "StopOrder.cs";
    private const string Running = "RunningItem.cs";
    private const string Pool = "QueueWorld.cs"; // what the pool does around the queue

    public static IReadOnlyDictionary<string, PlantedFault> All { get; } = new Dictionary<string, PlantedFault>
    {
        // --- sleeping and waking ---
        ["a worker that falls asleep does not make that visible before it looks again"] = new("a caller with two items that submits them again as soon as both have ended",
        [
            new(Idle, "        TOps.Fence(); // pairs with the push, as in EndSearch\n", ""),
        ]),
        ["a worker does not look again before it sleeps"] = new("two items one after the other, one worker",
        [
            new(Idle, "if (!_inbox.HasItems) return NextStep.Sleep;", "if (worker.Sleeps) return NextStep.Sleep;"),
        ]),
        ["a worker that looked again and found something is not the searcher any more"] = new("two items that wait for each other, two workers",
        [
            new(Idle, "        _searcher ??= worker; // it still searches: a submitter that pushed before the sleep was visible relies on it\n", ""),
        ]),
        ["a wake-up is not passed on when more work is there"] = new("a batch whose items wait for each other, three workers",
        [
            new(Queue, "        if (_idle.EndSearch(worker) && HasWorkLocked) _idle.WakeOne(ref after);\n", "        _idle.EndSearch(worker);\n"),
        ]),
        ["a searcher that found work does not make visible that nobody searches before it looks for more"] = new("two items that wait for each other, two workers",
        [
            new(Idle, "        TOps.Fence(); // pairs with the push: a submitter that pushes after this sees the word, and the caller sees the item of one that pushed before\n", ""),
        ]),
        ["a searcher that leaves tells nobody"] = new("fewer workers while items come",
        [
            new(Queue, "        _registry.Remove(worker);\n        FoundLocked(worker, ref after);\n", "        _registry.Remove(worker);\n"),
        ]),
        ["a submitter who was asked to look in wakes nobody"] = new("two items one after the other, one worker",
        [
            new(Queue, "        if (HasWorkLocked) _idle.Notify(ref after);\n", ""),
        ]),
        ["a submitter who was asked to look in overlooks what workers carry"] = new("a batch whose items wait for each other, three workers",
        [
            new(Queue, "        if (HasWorkLocked) _idle.Notify(ref after);\n", "        if (_backlog.Count > 0) _idle.Notify(ref after);\n"),
        ]),
        ["a worker that finds the lanes empty rests, whatever the others carry"] = new("two items that wait for each other, two workers",
        [
            new(Queue, "            if (_backlog.AnyLikelyBatch)\n", "            if (false)\n"),
        ]),
        ["what a worker takes out of its local batch is in its hand only after the local batch's gate has opened"] = new("closing while two submit",
        [
            Patch.At(LocalBatches, "batch-take", ""),
            Patch.At(LocalBatches, "batch-taken", "worker.TakeInHand<TOps>(item, owner, now, isStart: true); assignment = new Assignment(item, null, null);"),
        ]),
        ["what a worker takes out of its local batch has left the batch before it is in the worker's hand"] = new("closing while two submit",
        [
            Patch.At(LocalBatches, "batch-take", "worker.LocalBatch.RemoveFirst();"),
            Patch.At(LocalBatches, "batch-remove", "worker.TakeInHand<TOps>(item, owner, now, isStart: true);"),
        ]),
        ["a resumption wakes nobody"] = new("an item that is suspended and resumed",
        [
            new(Queue, "            _idle.Notify(ref after);\n", ""),
        ]),
        ["a worker whose turn for items brought none sleeps beside a resumption"] = new("many resumptions, and an item that expires among them",
        [
            new(Backlog, "        return TryResume(worker, now, out assignment);\n", "        assignment = default;\n        return false;\n"),
        ]),
        ["a submitter looks whether somebody sleeps before it pushes"] = new("two submitters, one worker",
        [
            new(Queue, "        if (!_inbox.TryPush(oldest, newest)) return false;\n",
                "        bool attend = _flags.IsWanted;\n        if (!_inbox.TryPush(oldest, newest)) return false;\n"),
            new(Queue, "if (_flags.IsWanted || urgent)", "if (attend || urgent)"),
        ]),

        // --- closing and stopping ---
        ["whether everything has ended is decided before the inbox is closed"] = new("closing while two submit",
        [
            new(Queue, "        if (_inbox.Close() is { } newest) SortLocked(newest, ref after);\n        CheckDrainedLocked(ref after);\n",
                "        SortInboxLocked(ref after);\n        CheckDrainedLocked(ref after);\n        if (_inbox.Close() is { } newest) SortLocked(newest, ref after);\n"),
        ]),
        ["the inbox is emptied in one step and closed in another"] = new("closing while two submit",
        [
            new(Inbox, "        object? was = TOps.Exchange(ref _newest, Closed);\n",
                "        object? was = TOps.Exchange(ref _newest, null);\n        TOps.Exchange(ref _newest, Closed);\n"),
        ]),
        ["what a worker has in hand does not count when it is asked whether everything has ended"] = new("closing while two submit",
        [
            new(WorkerRegistry, "is { IsAsync: false, State: not WorkItemState.Abandoned }) return true;",
                "is { IsAsync: false, State: WorkItemState.Abandoned }) return true;"),
        ]),
        ["the last worker with something in hand wakes nobody when all may leave"] = new("an item that is suspended and resumed",
        [
            new(Queue, "        if (State >= PoolState.Stopping) WakeAllLocked(ref after);\n", ""),
        ]),

        ["a close pins nothing"] = new("a stop, and what has ended is submitted to another pool",
        [
            Patch.At(Stop, "close-pin", ""),
        ]),
        ["a worker notifies an item of its end while a stop looks at it"] = new("a stop, and what has ended is submitted to another pool",
        [
            Patch.At(Running, "return-pinned", ""),
        ]),
        ["a worker reads whether items are pinned before it has released its item"] = new("a limit on run time, and what has ended is submitted to another pool",
        [
            new(Running, "        ledger.BeginChange<TOps>();\n", "        bool isPinned = stop.Pins.Reasons != PinReason.None;\n        ledger.BeginChange<TOps>();\n"),
            Patch.At(Running, "return-pinned", "if (isPinned) stop.CheckDrained();"),
        ]),
        ["an item is queued between the two steps of a stop that abandons"] = new("a stop while an item submits another",
        [
            new(Stop, "        queue.StopLocked(PoolState.Stopped, ref after);\n        HandBackLocked(ref after);\n",
                "        HandBackLocked(ref after);\n        queue.Exit();\n        queue.Enter();\n        queue.StopLocked(PoolState.Stopped, ref after);\n"),
        ]),
        ["an item that was left behind submits another to the pool that has stopped"] = new("a stop while an item submits another",
        [
            Patch.At(Queue, "force-closed", "if (State != PoolState.Running && !belongsToRunning) return false;"),
        ]),
        ["a stop that misses its deadline cancels nothing"] = new("a stop that cancels, and waits for its workers",
        [
            Patch.At(Order, "order-cancel", "await completesWithin(stop.Drained, deadline).ConfigureAwait(false);"),
        ]),
        ["a stop does not let its workers go"] = new("a stop that cancels, and waits for its workers",
        [
            Patch.At(Order, "order-let-go", ""),
        ]),
        ["a stop whose workers do not come back abandons nothing"] = new("a stop whose deadlines are over, and an item that may not listen",
        [
            Patch.At(Order, "order-abandon", "await completesWithin(stop.Exited, grace).ConfigureAwait(false); return [];"),
        ]),
        ["an abandoned item is not counted"] = new("a stop whose deadlines are over, and an item that may not listen",
        [
            Patch.At(Stop, "abandon-count", ""),
        ]),
        ["an item that a stop has cancelled is not counted"] = new("a stop that cancels, and waits for its workers",
        [
            Patch.At(Stop, "interrupted-count", "{ }"),
        ]),
        ["a stop abandons an item that a limit has just ended"] = new("a stop whose deadlines are over, and a limit on run time",
        [
            new(Stop, "            if (!item.IsAsync && item.TryMove<TOps>(WorkItemState.InFlight, WorkItemState.Abandoned)) items.Add(item);\n",
                "            if (!item.IsAsync) items.Add(item);\n            item.TryMove<TOps>(WorkItemState.InFlight, WorkItemState.Abandoned);\n"),
        ]),
        ["the last worker that leaves tells nobody"] = new("a stop that cancels, and waits for its workers",
        [
            Patch.At(Stop, "worker-left", "bool last = false;"),
        ]),

        // --- items ---
        ["the claim and the end of an item are a read and a write"] = new("a limit on run time ends an item while the queue is stopped",
        [
            Patch.At(State, "state-move",
                "if (Volatile.Read(ref StateWord) != (int)from) return false; Volatile.Write(ref StateWord, (int)to); return true;"),
        ]),
        ["a worker that runs the code of an item that has timed out is not waited for"] = new("a limit on run time ends an item while the queue is stopped",
        [
            new(WorkerRegistry, "is { IsAsync: false, State: not WorkItemState.Abandoned }) return true;",
                "is { IsAsync: false, State: not (WorkItemState.Abandoned or WorkItemState.TimedOut) }) return true;"),
            new(WorkerRegistry, "                if (item.State == WorkItemState.TimedOut) return true;\n", ""),
        ]),
        ["an item is in the inbox before it is linked to the one below"] = new("two submitters, one worker",
        [
            new(Inbox, "            oldest.Previous = Unsafe.As<PoolWorkItem>(head);\n", ""),
            new(Inbox, "            if (ReferenceEquals(was, head)) return true;\n",
                "            if (ReferenceEquals(was, head))\n            {\n                oldest.Previous = Unsafe.As<PoolWorkItem>(head);\n                return true;\n            }\n"),
        ]),
        ["a submitter touches its item after the push"] = new("two submitters, one worker",
        [
            new(Queue, "        if (!_inbox.TryPush(oldest, newest)) return false;\n",
                "        if (!_inbox.TryPush(oldest, newest)) return false;\n        newest.Next = null;\n"),
        ]),
        ["an item is told its end before its worker has given back its place"] = new("a caller that submits again as soon as it is told",
        [
            new(Pool, "        bool isMine = RunningItem<ScheduledOps>.EndAndRelease(item, outcome, worker, Now, PoolStop);\n",
                "        bool isMine = item.TryMove<ScheduledOps>(WorkItemState.InFlight, WorkItemState.Ending);\n        if (isMine) Tell(item);\n        Release(worker, item, isMine);\n        if (isMine) return;\n"),
        ]),
        ["a place is reserved without looking whether somebody else took it"] = new("four callers and two places",
        [
            new(Inbox, "            if (was == reserved) return got;\n", "            if (was == reserved || TOps.Add(ref _reserved, got) > 0) return got;\n"),
        ]),
        ["a reservation that lost its step does not count again"] = new("three callers and three places",
        [
            new(Inbox, "            counted = false; // ", "            // "),
        ]),
        ["a reservation goes by the count that somebody else wrote over its own"] = new("three callers and three places",
        [
            Patch.At(Inbox, "inbox-own-count", "long room = limit - (reserved - TOps.Read(ref _releasedSeen));"),
        ]),

        // --- a worker's ledger ---
        ["a reader of a ledger does not look whether it was changed meanwhile"] = new("a worker changes its ledger while two look",
        [
            Patch.At(Worker, "ledger-reread", "return copy;"),
        ]),
        ["a ledger does not say that a change has begun"] = new("a worker changes its ledger while two look",
        [
            Patch.At(Worker, "ledger-begin", ""),
            Patch.At(Worker, "ledger-end", "where TOps : struct, IAtomicOps => TOps.Write(ref _version, _version + 2);"),
        ]),

        // --- a submitter's token ---
        ["a refused item names its pool until its token's callback is over"] = new("a token fires while its item is submitted, run or refused",
        [
            Patch.At(Cancellation, "unclaim-owner", ""),
        ]),
        ["a token fires though its submission is over"] = new("a token fires while its item is submitted again without it",
        [
            Patch.At(Token, "watch-is-over", ""),
        ]),
        ["the end of a submission does not wait for the callback of its token"] = new("a token fires while its item is submitted again without it",
        [
            Patch.At(Token, "watch-end-enter", ""),
            Patch.At(Token, "watch-end-exit", ""),
        ]),

        // --- limits on waiting ---
        ["the timer does not make visible that it has fired before it looks for what waits"] = new("limits on waiting, and the timer",
        [
            new(Timer, "        TOps.Fence(); // pairs with the push: a submitter that pushes after this sets the timer, and the item of one that pushed before is found in the inbox\n", ""),
        ]),
        ["an item with a limit of its own is pushed like any other"] = new("own limits on waiting, and the timer",
        [
            new(Queue, "if (_flags.IsWanted || urgent)", "if (_flags.IsWanted)"),
        ]),

        // --- stand-ins ---
        ["a worker that takes something else leaves what a blocked one waits for to nobody"] = new("two workers that are blocked by an item of one of them",
        [
            new(Queue, "                NoteCausedLocked(ref after); // it may have taken something else\n", ""),
        ]),
        ["a look that finds a worker at work is the last"] = new("a worker that is blocked by an item of its own, one worker",
        [
            new(Queue, "        if (!areBlocked || !_registry.AreAllBusy) return StandInNeed.CheckAgain;\n",
                "        if (!areBlocked || !_registry.AreAllBusy)\n        {\n            _isStandInCheckSet = false;\n            return StandInNeed.None;\n        }\n"),
        ]),
        ["a continuation that comes while no worker is free sets no look"] = new("a worker that is blocked by a continuation of what it runs",
        [
            new(Queue, "            _backlog.Add(resumption);\n            _idle.Notify(ref after);\n            NoteCausedLocked(ref after);\n",
                "            _backlog.Add(resumption);\n            _idle.Notify(ref after);\n"),
        ]),
        ["an item that a worker submits is pushed like any other"] = new("a worker that is blocked by an item of its own, one worker",
        [
            new(Pool, "priority == WorkPriority.High || depth > 0;\n        if (_schedule", "priority == WorkPriority.High;\n        if (_schedule"),
        ]),

        // --- the gate and the parker ---
        ["whoever leaves the gate wakes nobody"] = new("three threads at the gate",
        [
            new(Gate, "if (TOps.Exchange(ref gate, Open) == HeldAndAwaited) TOps.Wake(ref gate);", "TOps.Exchange(ref gate, Open);"),
        ]),
        ["the gate is opened by a store, after a look whether somebody sleeps"] = new("three threads at the gate",
        [
            new(Gate, "if (TOps.Exchange(ref gate, Open) == HeldAndAwaited) TOps.Wake(ref gate);",
                "bool awaited = TOps.Read(ref gate) == HeldAndAwaited;\n        TOps.Write(ref gate, Open);\n        if (awaited) TOps.Wake(ref gate);"),
        ]),
        ["whoever was woken at the gate forgets that others may sleep there"] = new("three threads at the gate",
        [
            new(Gate, "        while (TOps.Exchange(ref gate, HeldAndAwaited) != Open) TOps.Wait(ref gate, HeldAndAwaited);\n",
                "        while (!TryEnter(ref gate))\n        {\n            TOps.CompareExchange(ref gate, HeldAndAwaited, Held);\n            TOps.Wait(ref gate, HeldAndAwaited);\n        }\n"),
        ]),
        ["the gate is entered without looking whether it is held"] = new("three threads at the gate",
        [
            new(Gate, "            if (TOps.Read(ref gate) == Open && TryEnter(ref gate)) return;\n        }\n        for (int i = 0; i < Yields; i++)",
                "            if (TOps.Read(ref gate) == Open)\n            {\n                TOps.Write(ref gate, Held);\n                return;\n            }\n        }\n        for (int i = 0; i < Yields; i++)"),
        ]),
        ["a permit is lost if nobody is parked"] = new("parking and unparking",
        [
            new(Parker, "if (TOps.Exchange(ref word, Permit) == Parked)", "if (TOps.CompareExchange(ref word, Permit, Parked) == Parked)"),
        ]),
        ["parking ends when the sleep ends, permit or not"] = new("parking and unparking",
        [
            new(Parker, "while (TOps.CompareExchange(ref word, Empty, Permit) != Permit);", "while (TOps.Exchange(ref word, Empty) == Empty);"),
        ]),

        // --- the flight recorder ---
        ["a reader does not look whether what it copied has been overwritten meanwhile"] = new("a recorder and two readers, a ring of two",
        [
            new(Ring, "        int begun = TOps.Read(ref _words.Int(Begun));\n", "        int begun = done;\n"),
        ]),
        ["a reader looks at what is done, and not at what is begun, after it has copied"] = new("a recorder and two readers, a ring of two",
        [
            new(Ring, "        int begun = TOps.Read(ref _words.Int(Begun));\n", "        int begun = TOps.Read(ref _words.Int(Done));\n"),
        ]),
        ["an entry is written before it is begun"] = new("a recorder and two readers, a ring of two",
        [
            new(Ring, "        TOps.Write(ref _words.Int(Begun), next);\n", ""),
            new(Ring, "        TOps.Write(ref _words.Int(Done), next);", "        TOps.Write(ref _words.Int(Begun), next);\n        TOps.Write(ref _words.Int(Done), next);"),
        ]),
        ["an entry is done before it is written"] = new("a recorder and two readers, a ring of two",
        [
            new(Ring, "        slots.Store(_next & (capacity - 1), entry);\n", ""),
            new(Ring, "        _next = next;\n", "        slots.Store(_next & (capacity - 1), entry);\n        _next = next;\n"),
        ]),
    };
}
