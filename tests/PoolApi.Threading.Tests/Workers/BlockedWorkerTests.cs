using System.Reflection;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Tests.Workers;

/// <summary>A worker that blocks on work of its own pool gets its result, however many workers block at once.</summary>
/// <remarks>The sleeps and delays are part of the work: a sleep blocks a worker, and a delay makes an await suspend.</remarks>
public class BlockedWorkerTests
{
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);

    private static readonly Dictionary<string, Func<FixedThreadPool, Task<int>>> Shapes = new()
    {
        ["an asynchronous item blocks on an await before its own first"] = static pool => pool.RunAsync(static () => Task.FromResult(SlowAsync().Result)).AsTask(),
        ["an asynchronous item blocks on an await after its own first"] = static pool => pool.RunAsync(static async () =>
        {
            await Task.Delay(Millisecond);
            return SlowAsync().Result;
        }).AsTask(),
        ["a task of the scheduler blocks on an await"] = static pool => OnScheduler(pool, static () => SlowAsync().Result),
        ["a task of the scheduler blocks on an await after its own first"] = static pool => OnScheduler(pool, static async () =>
        {
            await Task.Delay(Millisecond);
            return SlowAsync().Result;
        }).Unwrap(),
        ["a task of the scheduler waits for another that it started"] = static pool => OnScheduler(pool, () => Waited(OnScheduler(pool, static () => 1))),
        ["a task of the scheduler blocks on what continues another"] = static pool =>
            OnScheduler(pool, () => Task.Delay(Millisecond).ContinueWith(static _ => 1, pool.TaskScheduler).Result),
        ["an item blocks on a task of the scheduler that blocks on an await"] = static pool =>
            pool.RunAsync(() => OnScheduler(pool, static () => SlowAsync().Result).Result).AsTask(),
        ["an item blocks on a call"] = static pool => pool.RunAsync(() => Result(pool.RunAsync(static () => 1))).AsTask(),
        ["an item blocks on an asynchronous call"] = static pool => pool.RunAsync(() => pool.RunAsync(SlowAsync).AsTask().Result).AsTask(),
        ["an item blocks on a call that blocks on a call"] = static pool => pool.RunAsync(() => Levels(pool, 2, TimeSpan.Zero)).AsTask(),
        ["an item blocks on a call that sleeps, and then blocks on a call"] = static pool => pool.RunAsync(() => Levels(pool, 2, Millisecond * 10)).AsTask(),
        ["an item blocks on a callback that it posted"] = static pool => pool.RunAsync(() =>
        {
            var posted = new TaskCompletionSource<int>();
            pool.SynchronizationContext.Post(_ => posted.SetResult(1), null);
            return posted.Task.Result;
        }).AsTask(),
        ["a callback blocks on an await"] = static pool =>
        {
            var done = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
            pool.SynchronizationContext.Post(_ => done.SetResult(SlowAsync().Result), null);
            return done.Task;
        },
        ["a callback blocks on somebody who sends to its context"] = static pool =>
        {
            var done = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
            pool.SynchronizationContext.Post(_ => done.SetResult(Sent(SynchronizationContext.Current!)), null);
            return done.Task;
        },
        ["an asynchronous item blocks on somebody who sends to its context"] = static pool =>
            pool.RunAsync(static () => Task.FromResult(Sent(SynchronizationContext.Current!))).AsTask(),
    };

    private readonly FakeTimeProvider _time = new();
    private readonly TimerRecorder _timers;
    private readonly RecordingObserver _observer = new();

    public BlockedWorkerTests() => _timers = new TimerRecorder(_time);

    public static TheoryData<string, int> AllShapes
    {
        get
        {
            var all = new TheoryData<string, int>();
            foreach (string shape in Shapes.Keys)
            {
                all.Add(shape, 2);
                all.Add(shape, 8);
            }
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(AllShapes))]
    public async Task Every_call_completes_while_workers_block_on_work_of_their_own_pool(string shape, int calls)
    {
        using FixedThreadPool pool = Pools.Make(2);
        Task<int>[] answers = [.. Enumerable.Range(0, calls).Select(_ => Shapes[shape](pool))];
        Assert.All(await Task.WhenAll(answers).Patiently(), static answer => Assert.Equal(1, answer));
        Pools.AddsUp(pool.GetSnapshot());
        Assert.InRange(pool.GetSnapshot().Workers.Count, 2, 4);
    }

    [Theory]
    [MemberData(nameof(AllShapes))]
    public async Task A_drain_completes_while_workers_block_on_work_of_their_own_pool(string shape, int calls)
    {
        FixedThreadPool pool = Pools.Make(2);
        Task<int>[] answers = [.. Enumerable.Range(0, calls).Select(_ => Shapes[shape](pool))];
        ShutdownReport report = await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        Assert.True(report is { NotStarted.Count: 0, Interrupted: 0, NotJoined.Count: 0 });
        Assert.Equal(0, report.Counts[WorkOutcome.Abandoned]);
        // The closed pool refuses what a call submits after an await, so a call may fail. Every call completes.
        await Task.WhenAll(answers).ContinueWith(static _ => { }, TaskScheduler.Default).Patiently();
        Pools.NoThreadIsLeft(pool);
    }

    [Fact]
    public async Task When_all_workers_block_a_stand_in_runs_only_items_that_they_submitted_and_then_stops()
    {
        var threadStarts = new List<DateTimeOffset>();
        using FixedThreadPool pool = Pools.Make(2, time: _timers, observer: _observer, more: o =>
        {
            o.MaxStandIns = 1;
            o.StartThread = thread =>
            {
                threadStarts.Add(_time.GetUtcNow()); // the fake clock runs the check, and thus this, on the test's own thread
                thread.UnsafeStart();
            };
        });
        DateTimeOffset blocked = _time.GetUtcNow(); // of the last worker of the first round
        for (int round = 0; round < 2; round++)
        {
            using var inner = new ManualResetEventSlim();
            Task slow = pool.RunAsync(inner.WaitPatiently, options: new(kind: "slow")).AsTask();
            Task<int> outer = pool.RunAsync(() => Result(pool.RunAsync(() =>
            {
                inner.WaitPatiently();
                return 1;
            })), options: new(kind: "outer", origin: "/outer")).AsTask();
            Patience.Until(() => pool.GetSnapshot() is { InFlight: 2, QueueLength: 1 });
            // The clock advances only after this: the stand-in of the first round leaves after it was idle for a second.
            Patience.Until(() => pool.Core.Workers.All.All(static worker => worker.Ledger.Item is null || worker.IsLikelyBlocked));
            Task<int> other = pool.RunAsync(static () => 2).AsTask();
            AdvanceUntil(() => pool.GetSnapshot() is { InFlight: 3, QueueLength: 1 });
            (WorkerSnapshot worker, bool hasStandIn) = Assert.Single(_observer.Blocked);
            Assert.Equal(("outer", "/outer", true), (worker.Kind, worker.Origin, hasStandIn));
            Assert.False(other.IsCompleted);
            inner.Set();
            Assert.Equal(1, await outer.Patiently());
            Assert.Equal(2, await other.Patiently());
            await slow.Patiently();
        }
        Assert.Equal(3, _observer.WorkersStarted.Count); // the second round reused the stand-in of the first
        Assert.InRange(threadStarts[2] - blocked, TimeSpan.Zero, Millisecond * 3);
        AdvanceUntil(() => _observer.WorkersStopped.Count == 1);
        Patience.Until(() => Pools.ThreadsNamed($"{pool.Name}-").Count == 2);
        Pools.AllSleep(pool);
        // P6: each timer may fire once more, and then none is set.
        for (int i = 0; i < 200; i++) _time.Advance(TimeSpan.FromSeconds(1));
        int settings = _timers.Changes;
        for (int i = 0; i < 200; i++) _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(settings, _timers.Changes);
    }

    [Fact]
    public void The_pool_starts_no_stand_in_while_one_of_its_workers_computes()
    {
        using FixedThreadPool pool = Pools.Make(2, time: _timers, observer: _observer);
        using var computing = new ManualResetEventSlim();
        bool over = false;
        var nested = new TestItem();
        var blocked = new TestItem(_ =>
        {
            pool.Accepted(nested);
            Assert.Equal(WorkOutcome.Completed, nested.Endings.First.Result);
        });
        pool.Accepted(new TestItem(_ =>
        {
            computing.Set();
            while (!Volatile.Read(ref over)) Thread.SpinWait(100); // SpinUntil would sleep in between
        }));
        computing.WaitPatiently();
        pool.Accepted(blocked);
        Patience.Until(() => pool.GetSnapshot() is { InFlight: 2, QueueLength: 1 });
        try
        {
            for (int i = 0; i < 100; i++) _time.Advance(Millisecond * 10);
            Assert.Equal(0, nested.Endings.Count);
            Assert.Empty(_observer.Blocked);
        }
        finally
        {
            Volatile.Write(ref over, true);
        }
        Patience.Until(() => blocked.Endings.Count == 1);
        Assert.Equal(2, _observer.WorkersStarted.Count);
    }

    [Fact]
    public void A_blocked_worker_is_reported_although_the_labels_of_its_item_cannot_be_read()
    {
        using FixedThreadPool pool = Pools.Make(1, time: _timers, observer: _observer);
        using var release = new ManualResetEventSlim();
        var item = new Undescribed(() => Result(pool.RunAsync(() =>
        {
            release.WaitPatiently();
            return 1;
        })));
        try
        {
            pool.Accepted(item);
            AdvanceUntil(() => !_observer.Blocked.IsEmpty);
            (WorkerSnapshot worker, bool hasStandIn) = Assert.Single(_observer.Blocked);
            Assert.Equal((null, true, true), (worker.Kind, worker.Elapsed is not null, hasStandIn));
        }
        finally
        {
            release.Set();
        }
    }

    [Theory]
    [InlineData(1, 0, 0)]
    [InlineData(1, 1, 1)]
    [InlineData(1, null, 1)] // null: as many as workers
    [InlineData(3, null, 3)]
    [InlineData(65, null, 64)]
    public async Task The_observer_is_notified_once_when_MaxStandIns_allows_no_further_stand_in(int workers, int? maxStandIns, int standIns)
    {
        using FixedThreadPool pool = Pools.Make(workers, time: _timers, observer: _observer, more: o => o.MaxStandIns = maxStandIns);
        using var release = new ManualResetEventSlim();
        // Each worker and each stand-in runs one level and blocks on the next. A stand-in too many would run one more level.
        Task<int> outer = pool.RunAsync(() => Levels(pool, workers + standIns + 1, TimeSpan.Zero, release)).AsTask();
        int checks;
        try
        {
            AdvanceUntil(() => _observer.Blocked.Any(static b => !b.HasStandIn));
            int before = _timers.Changes;
            for (int i = 0; i < 1000; i++) _time.Advance(Millisecond);
            checks = _timers.Changes - before;
            Assert.Single(_observer.Blocked, static b => !b.HasStandIn);
            Assert.Equal(workers + standIns, _observer.WorkersStarted.Count);
        }
        finally
        {
            release.Set(); // otherwise the pool's end waits for the blocked workers
        }
        AdvanceUntil(() => outer.IsCompleted);
        Assert.Equal(1, await outer);
        Pools.AddsUp(pool.GetSnapshot());
        // In that second the pool can start no stand-in, so it checks every 16 ms: 63 times.
        Assert.InRange(checks, 1, 100);
    }

    [Fact]
    public async Task The_pool_retries_a_stand_in_whose_thread_could_not_be_started()
    {
        bool refuse = false;
        using FixedThreadPool pool = Pools.Make(1, time: _timers, observer: _observer, more: o => o.StartThread = thread =>
        {
#pragma warning disable CA2201 // the exception that the runtime throws
            if (Volatile.Read(ref refuse)) throw new OutOfMemoryException("on purpose");
#pragma warning restore CA2201
            thread.UnsafeStart();
        });
        Volatile.Write(ref refuse, true);
        Task<int> outer = pool.RunAsync(() => Result(pool.RunAsync(static () => 1))).AsTask();
        AdvanceUntil(() => _observer.Lost.Count == 1);
        Volatile.Write(ref refuse, false);
        AdvanceUntil(() => outer.IsCompleted);
        Assert.Equal(1, await outer);
    }

    [Fact]
    public async Task The_pool_waits_before_it_retries_a_stand_in_whose_state_could_not_be_created()
    {
        bool refuse = true;
        int starts = 0;
        using FixedThreadPool pool = Pools.Make(1, time: _timers, observer: _observer, more: o =>
        {
            o.CreateWorkerState = id => id > 0 && Volatile.Read(ref refuse) ? throw new InvalidDataException("on purpose") : null;
            o.StartThread = thread =>
            {
                Interlocked.Increment(ref starts);
                thread.UnsafeStart();
            };
        });
        Task<int> outer = pool.RunAsync(() => Result(pool.RunAsync(static () => 1))).AsTask();
        AdvanceUntil(() => Volatile.Read(ref starts) == 2);
        Patience.Until(() => _observer.Lost.Count == 1);
        for (int i = 0; i < 500; i++)
        {
            _time.Advance(Millisecond);
            Patience.Until(() => pool.Core.Queue.StandInCount == 0); // a stand-in that was started has failed again
        }
        (int startsMeanwhile, (int Worker, Exception Error)[] failures) = (starts, [.. _observer.StateFailed]);
        Volatile.Write(ref refuse, false);
        AdvanceUntil(() => outer.IsCompleted);
        Assert.Equal(1, await outer);
        Assert.Equal(2, startsMeanwhile);
        Assert.IsType<InvalidDataException>(Assert.Single(failures).Error);
    }

    [Fact]
    public async Task A_blocked_worker_is_not_reported_with_the_item_that_it_runs_next()
    {
        using var innocentRuns = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        int starts = 0;
        using FixedThreadPool pool = Pools.Make(1, time: _timers, observer: _observer, more: o =>
        {
            o.MaxStandIns = 1;
            o.StartThread = thread =>
            {
                thread.UnsafeStart();
                // The check continues only after the stand-in has run the inner call and the worker runs its next item.
                if (Interlocked.Increment(ref starts) == 2) innocentRuns.WaitPatiently();
            };
        });
        Task<int> outer = pool.RunAsync(() => Result(pool.RunAsync(static () => 1)), options: new(kind: "outer")).AsTask();
        Patience.Until(() => pool.GetSnapshot() is { InFlight: 1, QueueLength: 1 });
        Task innocent = pool.RunAsync(() =>
        {
            innocentRuns.Set();
            release.WaitPatiently();
        }, options: new(kind: "innocent")).AsTask();
        AdvanceUntil(() => innocentRuns.IsSet);
        release.Set();
        Assert.Equal(1, await outer.Patiently());
        await innocent.Patiently();
        Assert.DoesNotContain(_observer.Blocked, static b => b.Worker.Kind == "innocent");
    }

    [Fact]
    public async Task Two_blocked_items_whose_calls_wait_for_each_other_both_get_a_stand_in()
    {
        using FixedThreadPool pool = Pools.Make(2);
        using var bothRun = new CountdownEvent(2);
        using var both = new CountdownEvent(2);
        Task<int>[] outer = [.. Enumerable.Range(0, 2).Select(_ => pool.RunAsync(() =>
        {
            // Otherwise the second worker may take the first inner call, which waits for the second one. No worker runs the outer item of that one.
            bothRun.Signal();
            Assert.True(bothRun.Wait(Patience.Long));
            return Result(pool.RunAsync(() =>
            {
                both.Signal();
                return both.Wait(Patience.Long) ? 1 : 0;
            }));
        }).AsTask())];
        Assert.All(await Task.WhenAll(outer).Patiently(), static answer => Assert.Equal(1, answer));
    }

    [Fact]
    public async Task Items_submitted_by_a_worker_start_in_the_order_of_priority_and_submission()
    {
        using FixedThreadPool pool = Pools.Make();
        var order = new List<string>();
        using var submitted = new ManualResetEventSlim();
        pool.Accepted(new TestItem(_ =>
        {
            submitted.WaitPatiently();
            foreach ((string name, WorkPriority priority) in new[] { ("a", WorkPriority.Low), ("b", WorkPriority.Normal), ("c", WorkPriority.High) })
                pool.Accepted(new TestItem(_ => order.Add(name)), options: new(priority: priority));
        }));
        Task last = pool.RunAsync(() => order.Add("d"), options: new(priority: WorkPriority.Low)).AsTask();
        submitted.Set();
        await last.Patiently();
        Patience.Until(() => pool.GetSnapshot().Counts[WorkOutcome.Completed] == 5);
        Assert.Equal(["c", "b", "d", "a"], order);
    }

    [Fact]
    public async Task A_worker_can_block_on_a_batch_that_is_larger_than_the_queue()
    {
        using FixedThreadPool pool = Pools.Make(1, capacity: 1);
        Task<int> outer = pool.RunAsync(() => pool.RunAllAsync(Enumerable.Range(0, 20), static (input, _) => input).Result.Length).AsTask();
        Assert.Equal(20, await outer.Patiently());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_worker_can_block_on_calls_that_wait_for_space(bool isAsynchronous)
    {
        using FixedThreadPool pool = Pools.Make(1, capacity: 1);
        var waits = new WorkOptions(waitForSpace: true);
        Task<int> outer = pool.RunAsync(() =>
        {
            Task<int>[] calls = [.. Enumerable.Range(0, 3).Select(_ => isAsynchronous
                ? pool.RunAsync(static () => Task.FromResult(1), options: waits).AsTask()
                : pool.RunAsync(static () => 1, options: waits).AsTask())];
            return Task.WhenAll(calls).Result.Sum();
        }).AsTask();
        Assert.Equal(3, await outer.Patiently());
    }

    [Fact]
    public async Task A_check_that_notifies_a_cancelled_item_does_not_block_later_checks()
    {
        using FixedThreadPool pool = Pools.Make(time: new ZeroClock()); // no timer fires: the test itself runs the checks
        using var release = new ManualResetEventSlim();
        Task<int> outer = pool.RunAsync(() => Result(pool.RunAsync(static () => 1))).AsTask();
        Patience.Until(() => pool.GetSnapshot() is { InFlight: 1, QueueLength: 1 });
        var cancelled = new TestItem { WhenEnded = (_, _) => release.WaitPatiently() };
        pool.Accepted(cancelled);
        cancelled.MarkCancelled<ProcessorOps>(WorkOutcome.Cancelled); // as if the canceller is preempted before it removes the item
        try
        {
            Thread first = Check(pool);
            Assert.Equal(WorkOutcome.Cancelled, await cancelled.Endings.First);
            Patience.Until(() =>
            {
                Check(pool).JoinPatiently();
                return outer.IsCompleted;
            });
            Assert.True(first.IsAlive);
        }
        finally
        {
            release.Set();
        }
        Assert.Equal(1, await outer);
    }

    [Fact]
    public async Task A_thread_outside_the_pool_can_block_on_the_result_of_a_call()
    {
        using FixedThreadPool pool = Pools.Make();
        Assert.Equal(1, Result(pool.RunAsync(static () =>
        {
            Thread.Sleep(Millisecond);
            return 1;
        })));
        Assert.Throws<InvalidDataException>(() => Result(pool.RunAsync<int>(static () => throw new InvalidDataException("on purpose"))));
        using Occupation busy = pool.Occupy();
        ValueTask<int> awaited = pool.RunAsync(static () => 1);
        Task<int> first = awaited.AsTask();
        Assert.Throws<InvalidOperationException>(() => Result(awaited));
        busy.Dispose();
        Assert.Equal(1, await first.Patiently());
    }

    /// <summary>Runs the check of the stand-in watch, as its timer does.</summary>
    private static Thread Check(FixedThreadPool pool)
    {
        object watch = typeof(PoolCore).GetField("_standIns", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(pool.Core)!;
        var check = typeof(StandInWatch).GetMethod("Check", BindingFlags.Instance | BindingFlags.NonPublic)!.CreateDelegate<Action>(watch);
        return Patience.OnOwnThread(check);
    }

    private void AdvanceUntil(Func<bool> condition) => Patience.Until(() =>
    {
        _time.Advance(Millisecond);
        return condition();
    });

    private static async Task<int> SlowAsync()
    {
        await Task.Delay(Millisecond * 5);
        return 1;
    }

    private static int Levels(FixedThreadPool pool, int levels, TimeSpan sleep, ManualResetEventSlim? release = null)
    {
        if (levels == 0) return 1;
        Thread.Sleep(sleep);
        Task<int> inner = pool.RunAsync(() => Levels(pool, levels - 1, sleep, release)).AsTask();
        if (release is null) return inner.Result;
        WaitHandle.WaitAny([release.WaitHandle, ((IAsyncResult)inner).AsyncWaitHandle]);
        return 1;
    }

    private static int Sent(SynchronizationContext context)
    {
        int sent = 0;
        Task.Factory.StartNew(
            () => context.Send(_ => sent = 1, null), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Wait(Patience.Long);
        return sent;
    }

    /// <summary>Waits with a timeout, because such a wait does not run the task in place.</summary>
    private static int Waited(Task<int> task) => task.Wait(Patience.Long) ? task.Result : 0;

#pragma warning disable CA2012 // on purpose: callers write this
    private static int Result(ValueTask<int> call) => call.Result;
#pragma warning restore CA2012

    private static Task<T> OnScheduler<T>(FixedThreadPool pool, Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.None, pool.TaskScheduler);
}
