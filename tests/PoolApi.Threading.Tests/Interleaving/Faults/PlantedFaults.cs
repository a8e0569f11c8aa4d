namespace PoolApi.Threading.Tests.Interleaving.Faults;

/// <summary>A fault in the kernel.</summary>
/// <param name="Scenario">The scenario that shows it.</param>
/// <param name="Patches">The changes of the source that make it.</param>
internal sealed record PlantedFault(string Scenario, Patch[] Patches);

/// <summary>Faults that a change could bring into the kernel and other tests could miss, each with the scenario that shows it.</summary>
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
        ["a worker that falls asleep does not publish that before it checks the inbox again"] = new("a caller with two items that submits them again as soon as both have ended",
        [
            new(Idle, "rest-fence", ""),
        ]),
        ["a worker does not check the inbox again before it sleeps"] = new("two items one after the other, one worker",
        [
            new(Idle, "rest-check-again", "if (worker.Sleeps) return NextStep.Sleep;"),
        ]),
        ["a worker that found an item in its last check is no longer the searcher"] = new("two items that wait for each other, two workers",
        [
            new(Idle, "rest-search-on", ""),
        ]),
        ["a wake-up is not passed on when more work is there"] = new("a batch whose items wait for each other, three workers",
        [
            new(Queue, "found-pass-on", "_idle.EndSearch(worker);"),
        ]),
        ["a searcher that found work does not publish that no worker searches before it checks for more"] = new("two items that wait for each other, two workers",
        [
            new(Idle, "end-search-fence", ""),
        ]),
        ["a searcher that leaves wakes no other worker"] = new("fewer workers while items come",
        [
            new(Queue, "leave-found", ""),
        ]),
        ["a submitter that was asked to take the gate wakes no worker"] = new("two items one after the other, one worker",
        [
            new(Queue, "attend-notify", ""),
        ]),
        ["a submitter that was asked to take the gate ignores the local batches"] = new("a batch whose items wait for each other, three workers",
        [
            new(Queue, "attend-notify", "if (_backlog.Count > 0) _idle.Notify(ref after);"),
        ]),
        ["a worker that finds the lanes empty rests although other workers have local batches"] = new("two items that wait for each other, two workers",
        [
            new(Queue, "rest-batches", "if (false)"),
        ]),
        ["what a worker takes out of its local batch is in its hand only after the local batch's gate has opened"] = new("closing while two submit",
        [
            new(LocalBatches, "batch-take", ""),
            new(LocalBatches, "batch-taken", "worker.TakeInHand<TOps>(item, owner, now, isStart: true); assignment = new Assignment(item, null, null);"),
        ]),
        ["what a worker takes out of its local batch has left the batch before it is in the worker's hand"] = new("closing while two submit",
        [
            new(LocalBatches, "batch-take", "worker.LocalBatch.RemoveFirst();"),
            new(LocalBatches, "batch-remove", "worker.TakeInHand<TOps>(item, owner, now, isStart: true);"),
        ]),
        ["a resumption wakes no worker"] = new("an item that is suspended and resumed",
        [
            new(Queue, "resume-notify", ""),
        ]),
        ["a worker that finds no item in its turn for items sleeps although a resumption is queued"] = new("many resumptions, and an item that expires among them",
        [
            new(Backlog, "turn-resume", "assignment = default; return false;"),
        ]),
        ["a submitter checks for sleeping workers before it pushes"] = new("two submitters, one worker",
        [
            new(Queue, "submit-push", "bool attend = _flags.IsWanted; if (!_inbox.TryPush(oldest, newest)) return false;"),
            new(Queue, "submit-attend", "if (attend || urgent)"),
        ]),

        // --- closing and stopping ---
        ["the pool decides whether it has drained before it closes the inbox"] = new("closing while two submit",
        [
            new(Queue, "close-inbox", "SortInboxLocked(ref after); CheckDrainedLocked(ref after); if (_inbox.Close() is { } newest) SortLocked(newest, ref after);"),
            new(Queue, "close-drained", ""),
        ]),
        ["the inbox is emptied in one step and closed in another"] = new("closing while two submit",
        [
            new(Inbox, "inbox-close", "object? was = TOps.Exchange(ref _newest, null); TOps.Exchange(ref _newest, Closed);"),
        ]),
        ["a running item does not count when the pool decides whether it has drained"] = new("closing while two submit",
        [
            new(WorkerRegistry, "in-hand-counts", "if (item is { IsAsync: false, State: WorkItemState.Abandoned }) return true;"),
        ]),
        ["the last worker that runs an item does not wake the others when all may leave"] = new("an item that is suspended and resumed",
        [
            new(Queue, "last-in-hand", ""),
        ]),

        ["a close pins nothing"] = new("a stop, and what has ended is submitted to another pool",
        [
            new(Stop, "close-pin", ""),
        ]),
        ["a worker notifies an item of its end while a stop looks at it"] = new("a stop, and what has ended is submitted to another pool",
        [
            new(Running, "return-pinned", ""),
        ]),
        ["a worker reads whether items are pinned before it has released its item"] = new("a limit on run time, and what has ended is submitted to another pool",
        [
            new(Running, "return-begin", "bool isPinned = stop.Pins.Reasons != PinReason.None; ledger.BeginChange<TOps>();"),
            new(Running, "return-pinned", "if (isPinned) stop.CheckDrained();"),
        ]),
        ["an item is queued between the two steps of a stop that abandons"] = new("a stop while an item submits another",
        [
            new(Stop, "abandon-stop", "HandBackLocked(ref after); queue.Exit(); queue.Enter(); queue.StopLocked(PoolState.Stopped, ref after);"),
            new(Stop, "abandon-hand-back", ""),
        ]),
        ["an item that was left behind submits another to the pool that has stopped"] = new("a stop while an item submits another",
        [
            new(Queue, "force-closed", "if (State != PoolState.Running && !belongsToRunning) return false;"),
        ]),
        ["a stop that misses its deadline cancels nothing"] = new("a stop that cancels, and waits for its workers",
        [
            new(Order, "order-cancel", "await completesWithin(stop.Drained, deadline).ConfigureAwait(false);"),
        ]),
        ["a stop does not let its workers go"] = new("a stop that cancels, and waits for its workers",
        [
            new(Order, "order-let-go", ""),
        ]),
        ["a stop whose workers do not come back abandons nothing"] = new("a stop whose deadlines are over, and an item that may not listen",
        [
            new(Order, "order-abandon", "await completesWithin(stop.Exited, grace).ConfigureAwait(false); return [];"),
        ]),
        ["an abandoned item is not counted"] = new("a stop whose deadlines are over, and an item that may not listen",
        [
            new(Stop, "abandon-count", ""),
        ]),
        ["an item that a stop has cancelled is not counted"] = new("a stop that cancels, and waits for its workers",
        [
            new(Stop, "interrupted-count", "{ }"),
        ]),
        ["a stop abandons an item that a limit has just ended"] = new("a stop whose deadlines are over, and a limit on run time",
        [
            new(Stop, "abandon-item", "if (!item.IsAsync) items.Add(item); item.TryMove<TOps>(WorkItemState.InFlight, WorkItemState.Abandoned);"),
        ]),
        ["the last worker that leaves does not signal that all have left"] = new("a stop that cancels, and waits for its workers",
        [
            new(Stop, "worker-left", "bool last = false;"),
        ]),

        // --- items ---
        ["the claim and the end of an item are a read and a write"] = new("a limit on run time ends an item while the queue is stopped",
        [
            new(State, "state-move",
                "if (Volatile.Read(ref StateWord) != (int)from) return false; Volatile.Write(ref StateWord, (int)to); return true;"),
        ]),
        ["a worker that runs the code of an item that has timed out is not waited for"] = new("a limit on run time ends an item while the queue is stopped",
        [
            new(WorkerRegistry, "in-hand-counts", "if (item is { IsAsync: false, State: not (WorkItemState.Abandoned or WorkItemState.TimedOut) }) return true;"),
            new(WorkerRegistry, "in-hand-timed-out", ""),
        ]),
        ["an item is in the inbox before it is linked to the one below"] = new("two submitters, one worker",
        [
            new(Inbox, "push-link", ""),
            new(Inbox, "push-done", "if (ReferenceEquals(was, head)) { oldest.Previous = Unsafe.As<PoolWorkItem>(head); return true; }"),
        ]),
        ["a submitter touches its item after the push"] = new("two submitters, one worker",
        [
            new(Queue, "submit-push", "if (!_inbox.TryPush(oldest, newest)) return false; newest.Next = null;"),
        ]),
        ["an item is notified of its end before its place is given back"] = new("a caller that submits again as soon as it is notified",
        [
            new(Pool, "world-end", "bool isMine = item.TryMove<ScheduledOps>(WorkItemState.InFlight, WorkItemState.Ending); if (isMine) LeaveAndNotifyEnded(item); Release(worker, item, isMine); if (isMine) return;"),
        ]),
        ["a place is reserved without checking whether another submitter took it"] = new("four callers and two places",
        [
            new(Inbox, "reserve-step", "if (was == reserved || TOps.Add(ref _reserved, got) > 0) return got;"),
        ]),
        ["a reservation that lost its step does not count again"] = new("three callers and three places",
        [
            new(Inbox, "reserve-count-again", ""),
        ]),
        ["a reservation goes by the count that somebody else wrote over its own"] = new("three callers and three places",
        [
            new(Inbox, "inbox-own-count", "long room = limit - (reserved - TOps.Read(ref _releasedSeen));"),
        ]),

        // --- a worker's ledger ---
        ["a reader of a ledger does not look whether it was changed meanwhile"] = new("a worker changes its ledger while two look",
        [
            new(Worker, "ledger-reread", "return copy;"),
        ]),
        ["a ledger does not say that a change has begun"] = new("a worker changes its ledger while two look",
        [
            new(Worker, "ledger-begin", ""),
            new(Worker, "ledger-end", "where TOps : struct, IAtomicOps => TOps.Write(ref _version, _version + 2);"),
        ]),

        // --- cancelling ---
        ["a batch reads its marks before others see its claims"] = new("cancelling the last of a batch, for whose end the only worker waits",
        [
            new(Pool, "world-batch-fence", ""),
        ]),
        ["a canceller looks for the item's pool before others see the mark"] = new("cancelling the last of a batch, for whose end the only worker waits",
        [
            new(Cancellation, "mark-fence", ""),
        ]),

        // --- a submitter's token ---
        ["a refused item names its pool until its token's callback is over"] = new("a token fires while its item is submitted, run or refused",
        [
            new(Cancellation, "unclaim-owner", ""),
        ]),
        ["a token fires though its submission is over"] = new("a token fires while its item is submitted again without it",
        [
            new(Token, "watch-is-over", ""),
        ]),
        ["the end of a submission does not wait for the callback of its token"] = new("a token fires while its item is submitted again without it",
        [
            new(Token, "watch-end-enter", ""),
            new(Token, "watch-end-exit", ""),
        ]),

        // --- limits on waiting ---
        ["the timer does not publish that it has fired before it checks the queued items"] = new("limits on waiting, and the timer",
        [
            new(Timer, "timer-fired-fence", ""),
        ]),
        ["an item with a limit of its own is pushed like any other"] = new("own limits on waiting, and the timer",
        [
            new(Queue, "submit-attend", "if (_flags.IsWanted)"),
        ]),

        ["a worker notifies an item that has expired while submitters rely on it to search or to be woken"] = new("an item expires, and its notification ends only after another item has run",
        [
            new(Queue, "rest-owes", "if (false)"),
        ]),

        // --- stand-ins ---
        ["a worker that takes another item schedules no check for the item that a blocked worker waits for"] = new("two workers that are blocked by an item of one of them",
        [
            new(Queue, "next-note-caused", ""),
        ]),
        ["a check that finds a busy worker is the last"] = new("a worker that is blocked by an item of its own, one worker",
        [
            new(Queue, "stand-in-busy", "if (!areBlocked || !_registry.AreAllBusy) { _isStandInCheckSet = false; return StandInNeed.None; }"),
        ]),
        ["a continuation that is queued while no worker is free schedules no check"] = new("a worker that is blocked by a continuation of what it runs",
        [
            new(Queue, "resume-note-caused", ""),
        ]),
        ["an item that a worker submits is pushed like any other"] = new("a worker that is blocked by an item of its own, one worker",
        [
            new(Pool, "world-urgent", "bool urgent = ownLimit || item.IsCancelRequested<ScheduledOps>() || priority == WorkPriority.High;"),
        ]),

        // --- the gate and the parker ---
        ["a thread that leaves the gate wakes no waiting thread"] = new("three threads at the gate",
        [
            new(Gate, "gate-exit", "TOps.Exchange(ref gate, Open);"),
        ]),
        ["the gate is opened by a store, after a check for waiting threads"] = new("three threads at the gate",
        [
            new(Gate, "gate-exit", "bool awaited = TOps.Read(ref gate) == HeldAndAwaited; TOps.Write(ref gate, Open); if (awaited) TOps.Wake(ref gate);"),
        ]),
        ["a thread that was woken at the gate does not mark that others may wait there"] = new("three threads at the gate",
        [
            new(Gate, "gate-wait", "while (!TryEnter(ref gate)) { TOps.CompareExchange(ref gate, HeldAndAwaited, Held); TOps.Wait(ref gate, HeldAndAwaited); }"),
        ]),
        ["the gate is entered without an atomic check whether it is held"] = new("three threads at the gate",
        [
            new(Gate, "gate-spin", "if (TOps.Read(ref gate) == Open) { TOps.Write(ref gate, Held); return; }"),
        ]),
        ["a permit is lost if nobody is parked"] = new("parking and unparking",
        [
            new(Parker, "unpark", "if (TOps.CompareExchange(ref word, Permit, Parked) == Parked) TOps.Wake(ref word);"),
        ]),
        ["parking ends when the sleep ends, permit or not"] = new("parking and unparking",
        [
            new(Parker, "park-until", "while (TOps.Exchange(ref word, Empty) == Empty);"),
        ]),

        // --- the flight recorder ---
        ["a reader does not check whether its copy was overwritten meanwhile"] = new("a recorder and two readers, a ring of two",
        [
            new(Ring, "read-begun", "int begun = done;"),
        ]),
        ["a reader checks the count of done entries, and not of begun entries, after it has copied"] = new("a recorder and two readers, a ring of two",
        [
            new(Ring, "read-begun", "int begun = TOps.Read(ref _words.Int(Done));"),
        ]),
        ["an entry is written before it is begun"] = new("a recorder and two readers, a ring of two",
        [
            new(Ring, "record-begin", ""),
            new(Ring, "record-done", "TOps.Write(ref _words.Int(Begun), next); TOps.Write(ref _words.Int(Done), next);"),
        ]),
        ["an entry is done before it is written"] = new("a recorder and two readers, a ring of two",
        [
            new(Ring, "record-store", ""),
            new(Ring, "record-next", "slots.Store(_next & (capacity - 1), entry); _next = next;"),
        ]),
    };
}
