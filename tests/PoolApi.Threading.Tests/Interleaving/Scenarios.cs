namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>The scenarios. Each has few threads with few steps, because faults need few, and the schedules are then short and many.</summary>
internal static class Scenarios
{
    public static IReadOnlyList<Scenario> All { get; } =
    [
        .. PrimitiveScenarios.All,
        .. RecordRingScenarios.All,
        new("two items one after the other, one worker", 2, OneAfterTheOther),
        new("two submitters, one worker", 3, TwoSubmitters),
        new("two items that wait for each other, two workers", 4, ItemsThatMeet),
        new("a batch whose items wait for each other, three workers", 4, BatchThatMeets),
        new("a batch and an item that wait for each other, three workers", 5, BatchAndItemThatMeet),
        new("two submitters, room for one", 3, LittleRoom),
        new("batches and items, little room", 4, BatchesWithLittleRoom),
        new("a caller that submits again as soon as it is notified", 3, SubmitAgainWhenEnded),
        new("a caller with two items that submits them again as soon as both have ended", 3, SubmitTwoAgainWhenEnded),
        new("an item submitted again by its own end", 3, SubmitAgainFromTheEnd),
        new("closing while two submit", 4, ClosingWhileSubmitting),
        new("stopping while one submits, two workers", 4, StoppingWhileSubmitting),
        new("stopping, and handing back what waits", 4, HandingBack),
        new("stopping at once, and handing back what waits", 4, StoppingAtOnce),
        new("cancelling while it is submitted and run", 3, Cancelling),
        new("cancelling one of two that wait", 4, CancellingOneOfTwo),
        new("cancelling what is submitted again", 4, CancellingWhatIsSubmittedAgain),
        new("cancelling one of three that come at once, while the others wait for each other", 4, CancellingOneOfABatch),
        new("cancelling the last of a batch, for whose end the only worker waits", 3, CancellingTheLastOfABatch),
        new("cancelling while the queue is stopped", 4, CancellingWhileStopping),
        new("a token fires while its item is submitted, run or refused", 3, TokenFires),
        new("a token fires while its item is submitted again without it", 3, TokenOfTheSubmissionBefore),
        new("two that submit the same item", 3, SameItemTwice),
        new("a limit on run time ends an item that is just returning", 3, RunLimit),
        new("a limit on run time ends an item while the queue is stopped", 4, RunLimitWhileStopping),
        new("a limit on run time, and what has ended is submitted to another pool", 3, RunLimitAndSubmittedElsewhere),
        new("a stop whose deadlines are over, and an item that may not listen", 4, ShuttingDown),
        new("a stop whose deadlines are over, and a limit on run time", 4, ShuttingDownWithRunLimit),
        new("a stop that cancels, and waits for its workers", 4, ShuttingDownWithoutHurry),
        new("a stop while an item submits another", 3, ShuttingDownWhileForced),
        new("a stop, and what has ended is submitted to another pool", 3, ShuttingDownAndSubmittedElsewhere),
        new("three priorities, one worker", 2, Priorities),
        new("a high item beside items that wait for it", 4, HighItemThatIsWaitedFor),
        new("an item that is suspended and resumed", 4, Suspended),
        new("a resumption while all sleep, and closing", 4, SuspendedAndClosed),
        new("many resumptions, and an item that expires among them", 4, ManyResumptions),
        new("fewer workers while items come", 4, FewerWorkers),
        new("fewer workers while items that wait for each other come", 5, FewerWorkersWhileItemsMeet),
        new("another worker while items wait", 4, OneMoreWorker),
        new("one worker goes, another comes", 4, OneGoesOneComes),
        new("a worker's thread dies and is replaced", 4, WorkerDies),
        new("a worker's thread dies while the queue is stopped", 4, WorkerDiesWhileStopping),
        new("limits on waiting, and the timer", 4, Expiry),
        new("own limits on waiting, and the timer", 4, OwnLimits),
        new("an item expires, and its notification ends only after another item has run", 3, EndThatWaits),
        new("a worker that is blocked by an item of its own, one worker", 4, BlockedByAnItem),
        new("two workers that are blocked by an item of one of them", 5, BothBlockedByAnItem),
        new("a worker that is blocked by a continuation of what it runs", 4, BlockedByAContinuation),
        new("a worker that is blocked by an item of its own while the queue is stopped", 5, BlockedWhileStopping),
        new("looking at everything while items come", 4, Observing),
    ];

    private static QueueWorld EndThatWaits(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 2);
        int isNotified = world.Word();
        int hasRun = world.Word();
        ScheduledItem expired = world.Item("a");
        expired.WhenEnded = _ =>
        {
            world.Unpark(isNotified);
            world.Park(hasRun);
        };
        ScheduledItem other = world.Item("b", () => world.Unpark(hasRun));
        world.AddParty("submitter", () =>
        {
            MustBe(world, Submitted.Accepted, world.Submit(expired, expiresAt: 0));
            world.Park(isNotified);
            MustBe(world, Submitted.Accepted, world.Submit(other));
        });
        return world;
    }

    private static QueueWorld SameItemTwice(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        ScheduledItem item = world.Item("a");
        foreach (string name in (string[])["submitter", "submitter b"]) world.AddParty(name, () => MustNotBe(world, Submitted.Full, world.Submit(item)));
        return world;
    }

    private static QueueWorld RunLimit(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        ScheduledItem[] items = [world.Item("a"), world.Item("b")];
        AddSubmitter(world, "submitter", items);
        AddRunLimit(world, items[0]);
        return world;
    }

    private static QueueWorld RunLimitWhileStopping(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        ScheduledItem[] items = [world.Item("a"), world.Item("b")];
        AddSubmitterUnlessClosed(world, "submitter", items);
        AddRunLimit(world, items[0]);
        AddCloser(world);
        return world;
    }

    private static QueueWorld RunLimitAndSubmittedElsewhere(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        ScheduledItem item = SubmittedElsewhereWhenEnded(world);
        AddSubmitter(world, "submitter", item);
        AddRunLimit(world, item);
        return world;
    }

    private static QueueWorld ShuttingDown(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 3);
        bool listens = schedule.Random.OneIn(4);
        AddSubmitterUnlessClosed(world, "submitter", StuckItem(world, listens), world.Item("a"));
        world.AddParty("stopper", () => world.Shutdown(grace: TimeSpan.Zero));
        return world;
    }

    private static QueueWorld ShuttingDownWithRunLimit(Schedule schedule)
    {
        // The worker, the limit and the stop compete to end the item.
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        ScheduledItem item = schedule.Random.OneIn(2) ? world.Item("a") : StuckItem(world, listens: true);
        AddSubmitterUnlessClosed(world, "submitter", item);
        AddRunLimit(world, item);
        world.AddParty("stopper", () => world.Shutdown(grace: TimeSpan.Zero));
        return world;
    }

    private static QueueWorld ShuttingDownWithoutHurry(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 3);
        AddSubmitterUnlessClosed(world, "submitter", StuckItem(world, listens: true), world.Item("a"));
        world.AddParty("stopper", () => world.Shutdown(Timeout.InfiniteTimeSpan));
        return world;
    }

    private static QueueWorld ShuttingDownWhileForced(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        ScheduledItem forced = world.Item("forced");
        AddSubmitterUnlessClosed(world, "submitter", world.Item("a", () => world.Force(forced)));
        world.AddParty("stopper", () => world.Shutdown(grace: TimeSpan.Zero));
        return world;
    }

    private static QueueWorld ShuttingDownAndSubmittedElsewhere(Schedule schedule)
    {
        // The stop begins while the item is on its worker, and marks it several times.
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        int running = world.Word();
        AddSubmitter(world, "submitter", SubmittedElsewhereWhenEnded(world, () => world.Unpark(running)));
        world.AddParty("stopper", () =>
        {
            world.Park(running);
            world.Close();
            for (int i = 0; i < 3; i++) world.PoolStop.CancelAll();
            world.Shutdown(grace: TimeSpan.Zero);
        });
        return world;
    }

    private static ScheduledItem SubmittedElsewhereWhenEnded(QueueWorld world, Action? body = null)
    {
        ScheduledItem item = world.Item("a", body);
        item.WhenEnded = ended =>
        {
            if (ended.StateWord == (int)WorkItemState.Ended) world.SubmitElsewhere(ended);
        };
        return item;
    }

    private static ScheduledItem StuckItem(QueueWorld world, bool listens)
    {
        int cancelled = world.Word();
        ScheduledItem item = world.Item("stuck", () => world.Park(cancelled));
        item.WhenCancelled = isAbandoned =>
        {
            if (listens || isAbandoned) world.Unpark(cancelled);
        };
        return item;
    }

    private static void AddRunLimit(QueueWorld world, ScheduledItem item)
    {
        item.HasRunLimit = true;
        world.AddParty("run limit", () =>
        {
            for (int i = 0; i < 3; i++) world.TimeOut(item);
        });
    }

    private static QueueWorld TokenFires(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 1);
        var cts = new CancellationTokenSource();
        ScheduledItem[] before = [world.Item("a"), world.Item("b")];
        ScheduledItem last = world.Item("c");
        world.AddParty("submitter", () =>
        {
            foreach (ScheduledItem item in before) world.Submit(item);
            if (world.Submit(last, token: cts.Token) != Submitted.Accepted && last.IsCancelRequested<ScheduledOps>())
                world.Fail("the token of a refused submission has cancelled the next");
        });
        world.AddParty("who cancels", () => cts.Cancel(throwOnFirstException: true));
        return world;
    }

    private static QueueWorld TokenOfTheSubmissionBefore(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        var cts = new CancellationTokenSource();
        ScheduledItem item = world.Item("a");
        int? runsBefore = null;
        item.WhenEnded = ended =>
        {
            if (runsBefore is null)
            {
                runsBefore = ended.Runs;
                world.Submit(ended);
            }
            else if (ended.Runs == runsBefore)
            {
                world.Fail("the token of the previous submission has ended the next");
            }
        };
        world.AddParty("submitter", () => world.Submit(item, token: cts.Token));
        world.AddParty("who cancels", () => cts.Cancel(throwOnFirstException: true));
        return world;
    }

    private static QueueWorld OneAfterTheOther(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        ScheduledItem[] items = [world.Item("a"), world.Item("b")];
        AddSubmitter(world, "submitter", items);
        return world;
    }

    private static QueueWorld TwoSubmitters(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        foreach (string name in (string[])["a", "b"]) AddSubmitter(world, $"submitter {name}", world.Item(name));
        return world;
    }

    private static QueueWorld ItemsThatMeet(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 2);
        Action meet = Meeting(world, 2);
        foreach (string name in (string[])["a", "b"]) AddSubmitter(world, $"submitter {name}", world.Item(name, meet));
        return world;
    }

    private static QueueWorld BatchThatMeets(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 3, capacity: 3);
        Action meet = Meeting(world, 3);
        ScheduledItem[] items = [world.Item("a", meet), world.Item("b", meet), world.Item("c", meet)];
        world.AddParty("submitter", () =>
        {
            MustBe(world, Submitted.Accepted, world.SubmitBatch(items, new WorkPriority[3], out int got));
            if (got != 3) world.Fail($"room for {got} of 3");
        });
        return world;
    }

    private static QueueWorld BatchAndItemThatMeet(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 3, capacity: 3);
        Action meet = Meeting(world, 3);
        ScheduledItem[] batch = [world.Item("a", meet), world.Item("b", meet)];
        ScheduledItem item = world.Item("c", meet);
        world.AddParty("submitter ab", () => MustBe(world, Submitted.Accepted, world.SubmitBatch(batch, new WorkPriority[2], out _)));
        AddSubmitter(world, "submitter c", item);
        return world;
    }

    private static QueueWorld LittleRoom(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 1);
        foreach (string name in (string[])["a", "b"])
        {
            ScheduledItem[] items = [world.Item(name + 1), world.Item(name + 2)];
            world.AddParty($"submitter {name}", () =>
            {
                foreach (ScheduledItem item in items) MustNotBe(world, Submitted.Closed, world.Submit(item));
            });
        }
        return world;
    }

    private static QueueWorld BatchesWithLittleRoom(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 1);
        ScheduledItem[] batch = [world.Item("a"), world.Item("b"), world.Item("c")];
        ScheduledItem item = world.Item("d");
        world.AddParty("submitter abc", () => MustNotBe(world, Submitted.Closed, world.SubmitBatch(batch, new WorkPriority[3], out _)));
        world.AddParty("submitter d", () => MustNotBe(world, Submitted.Closed, world.Submit(item)));
        return world;
    }

    private static QueueWorld SubmitAgainWhenEnded(Schedule schedule)
    {
        // Two places, and two callers that each wait for the end of their one item: there is always room for both.
        var world = new QueueWorld(schedule, workers: 1, capacity: 1);
        foreach (string name in (string[])["a", "b"])
        {
            int ended = world.Word();
            ScheduledItem item = world.Item(name);
            item.WhenEnded = _ => world.Unpark(ended);
            world.AddParty($"submitter {name}", () =>
            {
                for (int i = 0; i < 2; i++)
                {
                    MustBe(world, Submitted.Accepted, world.Submit(item));
                    world.Park(ended);
                }
            });
        }
        return world;
    }

    private static QueueWorld SubmitTwoAgainWhenEnded(Schedule schedule)
    {
        // As above, with three places, so that counts of places can be out of date by two.
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        foreach (int count in (int[])[2, 1])
        {
            int ended = world.Word();
            int left = 0;
            ScheduledItem[] items = [.. Enumerable.Range(1, count).Select(i => world.Item($"{count}.{i}"))];
            foreach (ScheduledItem item in items)
            {
                item.WhenEnded = _ =>
                {
                    if (--left == 0) world.Unpark(ended);
                };
            }
            world.AddParty($"submitter {count}", () =>
            {
                for (int i = 0; i < 2; i++)
                {
                    left = count;
                    foreach (ScheduledItem item in items) MustBe(world, Submitted.Accepted, world.Submit(item));
                    world.Park(ended);
                }
            });
        }
        return world;
    }

    private static QueueWorld SubmitAgainFromTheEnd(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 1);
        int left = 3;
        ScheduledItem item = world.Item("a");
        item.WhenEnded = _ =>
        {
            if (left-- > 0) MustBe(world, Submitted.Accepted, world.Submit(item));
        };
        AddSubmitter(world, "submitter", item);
        return world;
    }

    private static QueueWorld ClosingWhileSubmitting(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 3);
        foreach (string name in (string[])["a", "b"]) AddSubmitterUnlessClosed(world, $"submitter {name}", world.Item(name));
        world.AddParty("closer", world.Close);
        return world;
    }

    private static QueueWorld StoppingWhileSubmitting(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 3);
        ScheduledItem[] items = [world.Item("a"), world.Item("b")];
        AddSubmitterUnlessClosed(world, "submitter", items);
        AddCloser(world);
        return world;
    }

    private static QueueWorld HandingBack(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 3);
        foreach (string name in (string[])["a", "b"]) AddSubmitterUnlessClosed(world, $"submitter {name}", world.Item(name));
        world.AddParty("closer", () =>
        {
            world.Close();
            world.HandBack();
            world.Stop();
        });
        return world;
    }

    private static QueueWorld StoppingAtOnce(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 3);
        ScheduledItem[] items = [world.Item("a"), world.Item("b")];
        AddSubmitterUnlessClosed(world, "submitter", items);
        world.AddParty("closer", () =>
        {
            world.Close();
            world.HandBack();
            world.StopAtOnce();
        });
        return world;
    }

    private static QueueWorld Cancelling(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        ScheduledItem item = world.Item("a");
        AddSubmitter(world, "submitter", item);
        world.AddParty("canceller", () => world.Cancel(item));
        return world;
    }

    private static QueueWorld CancellingOneOfTwo(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        ScheduledItem[] items = [world.Item("a"), world.Item("b")];
        foreach (ScheduledItem item in items)
            AddSubmitter(world, $"submitter {item}", item);
        world.AddParty("canceller", () =>
        {
            world.Cancel(items[0]);
            world.Cancel(items[0]);
        });
        return world;
    }

    private static QueueWorld CancellingWhatIsSubmittedAgain(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        int ended = world.Word();
        ScheduledItem item = world.Item("a");
        item.WhenEnded = _ => world.Unpark(ended);
        world.AddParty("submitter", () =>
        {
            for (int i = 0; i < 2; i++)
            {
                MustBe(world, Submitted.Accepted, world.Submit(item));
                world.Park(ended);
            }
        });
        world.AddParty("canceller", () => world.Cancel(item));
        ScheduledItem other = world.Item("b");
        AddSubmitter(world, "submitter b", other);
        return world;
    }

    private static QueueWorld CancellingOneOfABatch(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 3);
        Action meet = Meeting(world, 2);
        ScheduledItem[] items = [world.Item("a", meet), world.Item("cancelled"), world.Item("b", meet)];
        world.AddParty("submitter", () => MustBe(world, Submitted.Accepted, world.SubmitBatch(items, new WorkPriority[3], out _)));
        world.AddParty("canceller", () => world.Cancel(items[1]));
        return world;
    }

    private static QueueWorld CancellingTheLastOfABatch(Schedule schedule)
    {
        // The submitter or the canceller must end the item, because the worker takes none before that.
        var world = new QueueWorld(schedule, workers: 1, capacity: 3);
        int isBusy = world.Word();
        int isOver = world.Word();
        ScheduledItem busy = world.Item("busy", () =>
        {
            world.Unpark(isBusy);
            world.Park(isOver);
        });
        ScheduledItem[] batch = [world.Item("a"), world.Item("cancelled")];
        batch[1].WhenEnded = _ => world.Unpark(isOver);
        world.AddParty("submitter", () =>
        {
            MustBe(world, Submitted.Accepted, world.Submit(busy));
            world.Park(isBusy);
            MustBe(world, Submitted.Accepted, world.SubmitBatch(batch, new WorkPriority[2], out _));
        });
        world.AddParty("canceller", () => world.Cancel(batch[1]));
        return world;
    }

    private static QueueWorld CancellingWhileStopping(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        ScheduledItem item = world.Item("a");
        AddSubmitterUnlessClosed(world, "submitter", item);
        world.AddParty("canceller", () => world.Cancel(item));
        AddCloser(world);
        return world;
    }

    private static QueueWorld Priorities(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 6);
        var order = new List<int>();
        ScheduledItem[] items = [.. Enumerable.Range(0, 4).Select(i => world.Item($"{i}", () => order.Add(i)))];
        // Two items of the same priority, one in a batch and one alone, keep their order.
        var priority = (WorkPriority)(schedule.Random.Below(3) - 1);
        WorkPriority[] priorities = [WorkPriority.Low, priority, WorkPriority.High];
        world.AddParty("submitter", () =>
        {
            MustBe(world, Submitted.Accepted, world.SubmitBatch(items[..3], priorities, out _));
            MustBe(world, Submitted.Accepted, world.Submit(items[3], priority));
            items[3].WhenEnded = _ =>
            {
                if (order.IndexOf(1) < 0) world.Fail("an item overtook another of its priority");
            };
        });
        return world;
    }

    private static QueueWorld HighItemThatIsWaitedFor(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 3);
        Action meet = Meeting(world, 2);
        ScheduledItem[] normal = [world.Item("a", meet), world.Item("c")];
        ScheduledItem high = world.Item("b", meet);
        world.AddParty("submitter a", () =>
        {
            foreach (ScheduledItem item in normal) MustBe(world, Submitted.Accepted, world.Submit(item, WorkPriority.Low));
        });
        world.AddParty("submitter b", () => MustBe(world, Submitted.Accepted, world.Submit(high, WorkPriority.High)));
        return world;
    }

    private static QueueWorld Suspended(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 2);
        int started = world.Word();
        ScheduledItem item = world.Item("a", () => world.Unpark(started), suspends: true);
        ScheduledItem other = world.Item("b");
        world.AddParty("submitter", () =>
        {
            MustBe(world, Submitted.Accepted, world.Submit(item));
            MustBe(world, Submitted.Accepted, world.Submit(other));
        });
        world.AddParty("poster", () =>
        {
            world.Park(started);
            if (!world.Resume(item)) world.Fail("no worker is left to resume the item");
        });
        return world;
    }

    private static QueueWorld SuspendedAndClosed(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 2);
        int started = world.Word();
        ScheduledItem item = world.Item("a", () => world.Unpark(started), suspends: true);
        world.AddParty("submitter", () =>
        {
            if (world.Submit(item) == Submitted.Closed) world.Unpark(started);
        });
        world.AddParty("poster", () =>
        {
            world.Park(started);
            if (item.Runs > 0 && !world.Resume(item)) world.Fail("no worker is left to resume the item");
        });
        AddCloser(world);
        return world;
    }

    private static QueueWorld ManyResumptions(Schedule schedule)
    {
        // There are so many resumptions that an item has its turn among them. By then the item may have expired.
        var world = new QueueWorld(schedule, workers: 1, capacity: 20); // resumptions take places too
        int started = world.Word();
        ScheduledItem item = world.Item("a", () => world.Unpark(started), suspends: true);
        item.ResumptionsLeft = 16;
        ScheduledItem late = world.Item("late");
        world.AddParty("submitter", () =>
        {
            MustBe(world, Submitted.Accepted, world.Submit(item));
            MustBe(world, Submitted.Accepted, world.Submit(late, expiresAt: 10));
        });
        world.AddParty("poster", () =>
        {
            world.Park(started);
            for (int left = item.ResumptionsLeft; left > 0; left--)
            {
                if (!world.Resume(item)) world.Fail("no worker is left to resume the item");
            }
        });
        world.AddParty("clock", () =>
        {
            ScheduledOps.Spot();
            world.Now = 20;
        });
        return world;
    }

    private static QueueWorld FewerWorkers(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 2);
        ScheduledItem[] items = [world.Item("a"), world.Item("b")];
        AddSubmitter(world, "submitter", items);
        world.AddParty("resizer", () => world.Resize(1));
        return world;
    }

    private static QueueWorld FewerWorkersWhileItemsMeet(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 3, capacity: 3);
        Action meet = Meeting(world, 2);
        ScheduledItem[] items = [world.Item("a", meet), world.Item("b", meet)];
        AddSubmitter(world, "submitter", items);
        world.AddParty("resizer", () => world.Resize(2));
        return world;
    }

    private static QueueWorld OneMoreWorker(Schedule schedule)
    {
        // The first item waits for the second, which the new worker must run.
        var world = new QueueWorld(schedule, workers: 1, capacity: 3, dormant: 1);
        Action meet = Meeting(world, 2);
        int hired = world.Word();
        Core.Queue.QueueWorker second = world.AddDormant("worker 2", hired);
        ScheduledItem[] items = [world.Item("a", meet), world.Item("b", meet)];
        AddSubmitter(world, "submitter", items);
        world.AddParty("resizer", () =>
        {
            world.Resize(2, second);
            world.Unpark(hired);
        });
        return world;
    }

    private static QueueWorld OneGoesOneComes(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 3, dormant: 1);
        int hired = world.Word();
        Core.Queue.QueueWorker second = world.AddDormant("worker 2", hired);
        ScheduledItem[] items = [world.Item("a"), world.Item("b")];
        AddSubmitter(world, "submitter", items);
        world.AddParty("resizer", () =>
        {
            world.Resize(2, second);
            world.Resize(1);
            world.Unpark(hired);
        });
        return world;
    }

    private static QueueWorld WorkerDies(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 3);
        Action meet = Meeting(world, 2);
        ScheduledItem[] items = [world.Item("deadly"), world.Item("a", meet), world.Item("b", meet)];
        items[0].IsDeadly = true;
        AddSubmitter(world, "submitter", items[..2]);
        AddSubmitter(world, "submitter b", items[2]);
        return world;
    }

    private static QueueWorld WorkerDiesWhileStopping(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 2, capacity: 3);
        ScheduledItem[] items = [world.Item("deadly"), world.Item("a")];
        items[0].IsDeadly = true;
        AddSubmitterUnlessClosed(world, "submitter", items);
        AddCloser(world);
        return world;
    }

    private static QueueWorld Expiry(Schedule schedule)
    {
        // The worker is busy until the second item has ended, and only the timer can end it.
        var world = new QueueWorld(schedule, workers: 1, capacity: 3, limitsWaiting: true);
        int expired = world.Word();
        ScheduledItem busy = world.Item("busy", () => world.Park(expired));
        ScheduledItem item = world.Item("late");
        AddTimer(world, item, expired);
        world.AddParty("submitter", () =>
        {
            MustBe(world, Submitted.Accepted, world.Submit(busy, expiresAt: 100));
            MustBe(world, Submitted.Accepted, world.Submit(item, expiresAt: 10));
        });
        ScheduledItem third = world.Item("third");
        world.AddParty("submitter 3", () => MustBe(world, Submitted.Accepted, world.Submit(third, expiresAt: 200)));
        return world;
    }

    private static QueueWorld OwnLimits(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 3);
        int expired = world.Word();
        ScheduledItem busy = world.Item("busy", () => world.Park(expired));
        ScheduledItem item = world.Item("late");
        AddTimer(world, item, expired);
        world.AddParty("submitter", () =>
        {
            MustBe(world, Submitted.Accepted, world.Submit(busy, WorkPriority.High));
            MustBe(world, Submitted.Accepted, world.Submit(item, expiresAt: 10, ownLimit: true));
        });
        ScheduledItem third = world.Item("third");
        world.AddParty("submitter 3", () => MustBe(world, Submitted.Accepted, world.Submit(third, expiresAt: 30, ownLimit: true)));
        return world;
    }

    private static QueueWorld BlockedByAnItem(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 3, dormant: 1);
        (ScheduledItem outer, ScheduledItem nested) = OuterAndNested(world);
        AddSubmitter(world, "submitter", outer, world.Item("b"));
        AddStandInChecker(world, schedule, nested);
        return world;
    }

    private static QueueWorld BothBlockedByAnItem(Schedule schedule)
    {
        // The worker that takes "b" is blocked until the nested item has ended.
        var world = new QueueWorld(schedule, workers: 2, capacity: 3, dormant: 1);
        int other = world.Word();
        (ScheduledItem outer, ScheduledItem nested) = OuterAndNested(world, alsoWakes: other);
        AddSubmitter(world, "submitter", outer, world.Item("b", () => world.Block(other)));
        AddStandInChecker(world, schedule, nested);
        return world;
    }

    private static QueueWorld BlockedByAContinuation(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 3, dormant: 1);
        ScheduledItem outer = BlockedByItsContinuation(world);
        AddSubmitter(world, "submitter", outer, world.Item("b"));
        AddStandInChecker(world, schedule, outer);
        return world;
    }

    private static QueueWorld BlockedWhileStopping(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 3, dormant: 1);
        ScheduledItem outer = BlockedByItsContinuation(world);
        bool refused = false;
        world.AddParty("submitter", () =>
        {
            refused = world.Submit(outer) == Submitted.Closed;
            if (refused) world.WhenCheckIsNeeded!();
        });
        AddCloser(world);
        AddStandInChecker(world, schedule, outer, () => refused);
        return world;
    }

    /// <summary>An item that resumes itself, and blocks its worker until the continuation has run.</summary>
    private static ScheduledItem BlockedByItsContinuation(QueueWorld world)
    {
        int resumed = world.Word();
        ScheduledItem? outer = null;
        outer = world.Item("outer", () =>
        {
            if (!world.Resume(outer!)) world.Fail("no worker is left to resume the item");
            world.Block(resumed);
        }, suspends: true);
        outer.WhenResumed = () => world.Unpark(resumed);
        return outer;
    }

    private static (ScheduledItem Outer, ScheduledItem Nested) OuterAndNested(QueueWorld world, int? alsoWakes = null)
    {
        int ended = world.Word();
        ScheduledItem nested = world.Item("nested");
        nested.WhenEnded = _ =>
        {
            world.Unpark(ended);
            if (alsoWakes is { } other) world.Unpark(other);
        };
        ScheduledItem outer = world.Item("outer", () =>
        {
            MustBe(world, Submitted.Accepted, world.Submit(nested, depth: 1));
            world.Block(ended);
        });
        return (outer, nested);
    }

    /// <summary>A timer thread and a thread for the stand-in. The timer checks after it was set, and ends when the item has ended or is refused.</summary>
    private static void AddStandInChecker(QueueWorld world, Schedule schedule, ScheduledItem item, Func<bool>? isRefused = null)
    {
        int set = world.Word();
        int hired = world.Word();
        Core.Queue.QueueWorker standIn = world.AddDormant("stand-in", hired);
        bool isHired = false;
        world.WhenCheckIsNeeded = () => world.Unpark(set);
        Action<ScheduledItem>? whenEnded = item.WhenEnded;
        item.WhenEnded = ended =>
        {
            whenEnded?.Invoke(ended);
            world.Unpark(set); // the timer need not wait any more
        };
        world.AddParty("timer", () =>
        {
            world.Park(set);
            while (item.Ends == 0 && isRefused?.Invoke() != true)
            {
                if (world.CheckStandIns(standIn, out bool now))
                {
                    if (now) world.Unpark(hired);
                    isHired |= now;
                    ScheduledOps.Yield();
                    continue;
                }
                world.Park(set);
            }
            if (schedule.Random.OneIn(2)) world.DismissStandIns();
            if (!isHired) world.Unpark(hired);
        });
    }

    private static QueueWorld Observing(Schedule schedule)
    {
        var world = new QueueWorld(schedule, workers: 1, capacity: 3);
        foreach (string name in (string[])["a", "b"]) AddSubmitter(world, $"submitter {name}", world.Item(name));
        world.AddParty("observer", () =>
        {
            world.Observe();
            world.Observe();
        });
        return world;
    }

    /// <summary>The body of items that wait until the given number of them run at once. It shows a worker that sleeps while one is queued.</summary>
    private static Action Meeting(QueueWorld world, int count)
    {
        var waiting = new List<int>();
        int here = 0;
        return () =>
        {
            if (++here == count)
            {
                foreach (int word in waiting) world.Unpark(word);
                return;
            }
            int mine = world.Word();
            waiting.Add(mine);
            world.Park(mine);
        };
    }

    /// <summary>A timer thread, which fires after it was set. It ends when the item has ended.</summary>
    private static void AddTimer(QueueWorld world, ScheduledItem item, int expired)
    {
        int set = world.Word();
        long due = long.MaxValue;
        item.WhenEnded = _ =>
        {
            world.Unpark(expired);
            world.Unpark(set); // the timer need not wait any more, whichever thread has ended the item
        };
        world.WhenTimerIsNeeded = () =>
        {
            if (world.TimerDue() is not { } time) return;
            due = time;
            world.Unpark(set);
        };
        world.AddParty("timer", () =>
        {
            while (item.Ends == 0)
            {
                world.Park(set);
                world.Now = Math.Max(world.Now, due);
                world.Expire();
            }
        });
    }

    /// <summary>A party submits the items one after the other. There must be room for each.</summary>
    private static void AddSubmitter(QueueWorld world, string name, params ScheduledItem[] items) => world.AddParty(name, () =>
    {
        foreach (ScheduledItem item in items) MustBe(world, Submitted.Accepted, world.Submit(item));
    });

    /// <summary>The same while another party closes the queue: a submission may be refused as closed, but not as full.</summary>
    private static void AddSubmitterUnlessClosed(QueueWorld world, string name, params ScheduledItem[] items) => world.AddParty(name, () =>
    {
        foreach (ScheduledItem item in items) MustNotBe(world, Submitted.Full, world.Submit(item));
    });

    private static void AddCloser(QueueWorld world) => world.AddParty("closer", () =>
    {
        world.Close();
        world.Stop();
    });

    private static void MustBe(QueueWorld world, Submitted expected, Submitted actual)
    {
        if (actual != expected) world.Fail($"a submission was {actual}, and must be {expected}");
    }

    private static void MustNotBe(QueueWorld world, Submitted unexpected, Submitted actual)
    {
        if (actual == unexpected) world.Fail($"a submission was {actual}, and must not be");
    }
}
