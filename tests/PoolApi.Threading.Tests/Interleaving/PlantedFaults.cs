namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>Faults that somebody could put into the kernel without any other test noticing, each with what it would break.</summary>
internal static class PlantedFaults
{
    private const string Queue = "WorkQueue.cs";
    private const string Locked = "WorkQueue.Locked.cs";
    private const string Bags = "WorkQueue.Bags.cs";
    private const string Inbox = "Inbox.cs";
    private const string Gate = "Gate.cs";
    private const string Parker = "Parker.cs";
    private const string Pool = "QueueWorld.cs"; // what the pool does around the queue

    public static IReadOnlyDictionary<string, Patch[]> All { get; } = new Dictionary<string, Patch[]>
    {
        // --- sleeping and waking ---
        ["a worker that falls asleep does not make that visible before it looks again"] =
        [
            new(Locked, "        TOps.Fence(); // pairs with the push, as in FoundLocked\n", ""),
        ],
        ["a worker does not look again before it sleeps"] =
        [
            new(Locked, "if (!_inbox.HasItems) return NextStep.Sleep;", "if (worker.Sleeps) return NextStep.Sleep;"),
        ],
        ["a worker that looked again and found something is not the searcher any more"] =
        [
            new(Locked, "        _searcher ??= worker; // it searches still: whoever pushed before it could be seen to sleep relies on it\n", ""),
        ],
        ["a wake-up is not passed on when more work is there"] =
        [
            new(Locked, "        if (HasWorkLocked) WakeSearcherLocked(ref after);\n", ""),
        ],
        ["a searcher that found work does not make visible that nobody searches before it looks for more"] =
        [
            new(Locked, "        TOps.Fence(); // pairs with the push: whoever pushes after this sees the word, whoever pushed before is seen here\n", ""),
        ],
        ["a searcher that leaves tells nobody"] =
        [
            new(Locked, "        if (ReferenceEquals(_searcher, worker)) FoundLocked(worker, ref after);\n", ""),
        ],
        ["a submitter who was asked to look in wakes nobody"] =
        [
            new(Locked, "        if (HasWorkLocked) HaveWorkLocked(ref after);\n", ""),
        ],
        ["a submitter who was asked to look in overlooks what workers carry"] =
        [
            new(Locked, "        if (HasWorkLocked) HaveWorkLocked(ref after);\n", "        if (_lanes.Count > 0) HaveWorkLocked(ref after);\n"),
        ],
        ["a worker that finds the lanes empty rests, whatever the others carry"] =
        [
            new(Queue, "            if (AnyBagGuess)\n", "            if (false)\n"),
        ],
        ["what a worker takes out of its bag is in its hand only after the bag's gate has opened"] =
        [
            new(Bags, "                TakeInHand(worker, item, now, isStart: true);\n", ""),
            new(Bags, "                assignment = new Assignment(item, null, null);\n                return true;\n",
                "                TakeInHand(worker, item, now, isStart: true);\n                assignment = new Assignment(item, null, null);\n                return true;\n"),
        ],
        ["a resumption wakes nobody"] =
        [
            new(Queue, "            HaveWorkLocked(ref after);\n", ""),
        ],
        ["a worker whose turn for items brought none sleeps beside a resumption"] =
        [
            new(Locked, "        return TryResumeLocked(worker, now, out assignment);\n", "        assignment = default;\n        return false;\n"),
        ],
        ["a submitter looks whether somebody sleeps before it pushes"] =
        [
            new(Queue, "        if (!_inbox.TryPush(oldest, newest)) return false;\n",
                "        bool attend = TOps.Read(ref AttentionWord) != 0;\n        if (!_inbox.TryPush(oldest, newest)) return false;\n"),
            new(Queue, "if (TOps.Read(ref AttentionWord) != 0 || urgent)", "if (attend || urgent)"),
        ],

        // --- closing and stopping ---
        ["whether everything has ended is decided before the inbox is closed"] =
        [
            new(Queue, "        SortLocked(_inbox.Close(), ref after);\n        NothingLeftLocked(ref after);\n",
                "        DrainLocked(ref after);\n        NothingLeftLocked(ref after);\n        SortLocked(_inbox.Close(), ref after);\n"),
        ],
        ["the inbox is emptied in one step and closed in another"] =
        [
            new(Inbox, "        object? was = TOps.Exchange(ref _newest, Closed);\n",
                "        object? was = TOps.Exchange(ref _newest, null);\n        TOps.Exchange(ref _newest, Closed);\n"),
        ],
        ["what a worker has in hand does not count when it is asked whether everything has ended"] =
        [
            new(Locked, "is { IsAsync: false, State: not WorkItemState.Abandoned }) return false;",
                "is { IsAsync: false, State: WorkItemState.Abandoned }) return false;"),
        ],
        ["the last worker with something in hand wakes nobody when all may leave"] =
        [
            new(Locked, "        if (State >= QueueState.Stopping) WakeAllLocked(ref after);\n", ""),
        ],

        // --- items ---
        ["an item is in the inbox before it is linked to the one below"] =
        [
            new(Inbox, "            oldest.Previous = Unsafe.As<PoolWorkItem>(head);\n", ""),
            new(Inbox, "            if (ReferenceEquals(was, head)) return true;\n",
                "            if (ReferenceEquals(was, head))\n            {\n                oldest.Previous = Unsafe.As<PoolWorkItem>(head);\n                return true;\n            }\n"),
        ],
        ["a submitter touches its item after the push"] =
        [
            new(Queue, "        if (!_inbox.TryPush(oldest, newest)) return false;\n",
                "        if (!_inbox.TryPush(oldest, newest)) return false;\n        newest.Next = null;\n"),
        ],
        ["an item is told its end before its worker has given back its place"] =
        [
            new(Pool, "        Release(worker, item, ends);\n        if (ends) Tell(item);\n",
                "        if (ends) item.State = WorkItemState.Ending;\n        if (ends) Tell(item);\n        Release(worker, item, ends);\n"),
            new(Pool, "        if (ends) item.State = WorkItemState.Ending;\n        _isChanging = true;\n", "        _isChanging = true;\n"),
        ],
        ["a place is reserved without looking whether somebody else took it"] =
        [
            new(Inbox, "            if (was == reserved) return got;\n", "            if (was == reserved || TOps.Add(ref _reserved, got) > 0) return got;\n"),
        ],
        ["a reservation that lost its step does not count again"] =
        [
            new(Inbox, "            counted = false; // ", "            // "),
        ],
        ["a reservation goes by the count that somebody else wrote over its own"] =
        [
            new(Inbox, "(reserved - released);", "(reserved - Volatile.Read(ref _releasedSeen));"),
        ],

        // --- limits on waiting ---
        ["the timer does not make visible that it has fired before it looks for what waits"] =
        [
            new(Locked, "        TOps.Fence(); // pairs with the push: whoever pushes after this sets the timer, whoever pushed before is sorted here\n", ""),
        ],
        ["an item with a limit of its own is pushed like any other"] =
        [
            new(Queue, "if (TOps.Read(ref AttentionWord) != 0 || urgent)", "if (TOps.Read(ref AttentionWord) != 0)"),
        ],

        // --- the gate and the parker ---
        ["whoever leaves the gate wakes nobody"] =
        [
            new(Gate, "if (TOps.Exchange(ref gate, Open) == HeldAndAwaited) TOps.Wake(ref gate);", "TOps.Exchange(ref gate, Open);"),
        ],
        ["the gate is opened by a store, after a look whether somebody sleeps"] =
        [
            new(Gate, "if (TOps.Exchange(ref gate, Open) == HeldAndAwaited) TOps.Wake(ref gate);",
                "bool awaited = TOps.Read(ref gate) == HeldAndAwaited;\n        TOps.Write(ref gate, Open);\n        if (awaited) TOps.Wake(ref gate);"),
        ],
        ["whoever was woken at the gate forgets that others may sleep there"] =
        [
            new(Gate, "        while (TOps.Exchange(ref gate, HeldAndAwaited) != Open) TOps.Wait(ref gate, HeldAndAwaited);\n",
                "        while (!TryEnter(ref gate))\n        {\n            TOps.CompareExchange(ref gate, HeldAndAwaited, Held);\n            TOps.Wait(ref gate, HeldAndAwaited);\n        }\n"),
        ],
        ["the gate is entered without looking whether it is held"] =
        [
            new(Gate, "            if (TOps.Read(ref gate) == Open && TryEnter(ref gate)) return;\n        }\n        for (int i = 0; i < Yields; i++)",
                "            if (TOps.Read(ref gate) == Open)\n            {\n                TOps.Write(ref gate, Held);\n                return;\n            }\n        }\n        for (int i = 0; i < Yields; i++)"),
        ],
        ["a permit is lost if nobody is parked"] =
        [
            new(Parker, "if (TOps.Exchange(ref word, Permit) == Parked)", "if (TOps.CompareExchange(ref word, Permit, Parked) == Parked)"),
        ],
        ["parking ends when the sleep ends, permit or not"] =
        [
            new(Parker, "while (TOps.CompareExchange(ref word, Empty, Permit) != Permit);", "while (TOps.Exchange(ref word, Empty) == Empty);"),
        ],
    };
}
