using System.Reflection;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Tests.Outcomes;

/// <summary>Races that are too short for threads to hit, run step by step on a pool whose workers are not started.</summary>
public class PoolCoreTests
{
    [Fact]
    public void A_spurious_wake_up_does_not_count_a_sleeping_worker_twice()
    {
        PoolCore core = Core(workers: 1, capacity: 1);
        Worker worker = core.Workers.All[0];
        Assert.Equal(NextStep.Sleep, Next(core, worker));
        Assert.Equal(NextStep.Sleep, Next(core, worker)); // a left-over permit has woken it
        Assert.Equal(SubmitResult.Accepted, Submit(core, new TestItem()));
        Assert.Equal(SubmitResult.Accepted, Submit(core, new TestItem()));
        Assert.Equal(SubmitResult.QueueFull, Submit(core, new TestItem())); // two places: the capacity, and one for the worker
    }

    [Fact]
    public void A_worker_woken_for_a_continuation_does_not_count_as_space_for_an_item()
    {
        PoolCore core = Core(workers: 1, capacity: 1);
        Worker worker = core.Workers.All[0];
        var item = new AsyncTestItem(static _ => Task.CompletedTask);
        Submit(core, item);
        Assert.Equal(NextStep.Run, Next(core, worker));
        core.Async.Release(worker); // as if the item awaited something
        Assert.Equal(NextStep.Sleep, Next(core, worker));
        Assert.True(core.Async.Post(item, static _ => { }, null));
        Assert.Equal(SubmitResult.Accepted, Submit(core, new TestItem()));
        Assert.Equal(SubmitResult.QueueFull, Submit(core, new TestItem()));
        Assert.Equal(NextStep.Run, core.Next(worker, core.Clock.Now, out Assignment assignment));
        Assert.Same(item, assignment.Item);
        Assert.Equal(1, core.Views.GetSnapshot().QueueLength);
    }

    [Fact]
    public void A_woken_worker_counts_as_space_until_it_takes_an_item()
    {
        PoolCore core = Core(workers: 2, capacity: 1);
        Assert.Equal(NextStep.Sleep, Next(core, core.Workers.All[0]));
        Assert.Equal(NextStep.Sleep, Next(core, core.Workers.All[1]));
        for (int i = 0; i < 3; i++) Assert.Equal(SubmitResult.Accepted, Submit(core, new TestItem()));
        Assert.Equal(SubmitResult.QueueFull, Submit(core, new TestItem()));
        Assert.Equal(NextStep.Run, Next(core, core.Workers.All[1]));
        Assert.Equal(SubmitResult.QueueFull, Submit(core, new TestItem()));
        Assert.Equal(NextStep.Run, Next(core, core.Workers.All[0]));
        Assert.Equal(SubmitResult.QueueFull, Submit(core, new TestItem()));
    }

    [Fact]
    public void A_pool_does_not_end_an_item_that_is_queued_in_another_pool()
    {
        PoolCore mine = Core();
        PoolCore other = Core();
        var item = new TestItem();
        Assert.Equal(SubmitResult.Accepted, Submit(mine, item));
        Assert.False(other.EndQueued(item, WorkOutcome.Cancelled));
        Assert.Equal(0, item.Endings.Count);
        Assert.True(mine.EndQueued(item, WorkOutcome.Cancelled));
        Assert.Equal((0, 0), (mine.Views.GetSnapshot().QueueLength, other.Views.GetSnapshot().QueueLength));
        Pools.AddsUp(mine.Views.GetSnapshot());
        Pools.AddsUp(other.Views.GetSnapshot());
    }

    [Fact]
    public void A_closed_pool_accepts_no_continuation_of_an_item_that_runs_in_another_pool()
    {
        PoolCore mine = Core();
        PoolCore other = Core();
        var item = new TestItem();
        Submit(mine, item);
        Taken(mine, mine.Workers.All[0]);
        mine.Stop.Close();
        other.Stop.Close();
        Assert.False(other.TryForce(new TestItem(), item, isContinuation: true));
        Assert.True(mine.TryForce(new TestItem(), item, isContinuation: true));
    }

    [Fact]
    public void An_abandoned_item_does_not_end_a_second_time_when_its_work_returns()
    {
        PoolCore core = Core();
        Worker worker = core.Workers.All[0];
        var item = new TestItem();
        Submit(core, item);
        Next(core, worker);
        core.Stop.Close();
        core.Stop.LetGo();
        Assert.Equal([worker], core.Stop.Abandon());
        core.End(item, WorkOutcome.Completed, null, worker);
        Assert.Equal([WorkOutcome.Abandoned], item.Endings.Outcomes);
        Assert.Equal(NextStep.Exit, Next(core, worker));
        Pools.AddsUp(core.Views.GetSnapshot());
    }

    [Fact]
    public async Task The_item_of_a_worker_that_dies_fails_and_is_counted_for_that_worker()
    {
        PoolCore core = Core();
        Worker worker = core.Workers.All[0];
        var item = new TestItem();
        Submit(core, item);
        Next(core, worker);
        core.Workers.EndItemInHand(worker, new InvalidOperationException("on purpose"));
        core.Workers.Replace(worker, new InvalidOperationException("on purpose"));
        Assert.Equal([WorkOutcome.Failed], item.Endings.Outcomes);
        WorkerSnapshot snapshot = Assert.Single(core.Views.GetSnapshot().Workers);
        Assert.Equal((1, 1), (snapshot.Failed, snapshot.Finished));
        core.Stop.Close();
        core.Stop.LetGo(); // the replacement has a real thread
        await core.Stop.Exited.Patiently();
    }

    [Fact]
    public async Task An_item_still_expires_if_its_submitter_is_interrupted_while_it_sets_the_timer()
    {
        var time = new FakeTimeProvider();
        var core = new PoolCore(Pools.Options(time: time), null!);
        var item = new TestItem();
        var expiry = (ExpiryTimer)typeof(PoolCore).GetField("_expiry", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(core)!;
        await InterruptedAtAsync(expiry, () =>
            Assert.Equal(SubmitResult.Accepted, core.Submit(item, default, new(maxQueueTime: TimeSpan.FromSeconds(1)))));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(WorkOutcome.Expired, await item.Endings.First);
    }

    [Fact]
    public async Task A_worker_that_is_interrupted_still_notifies_a_waiter_for_space()
    {
        PoolCore core = Core(workers: 1, capacity: 1);
        Submit(core, new TestItem());
        Submit(core, new TestItem());
        Task<bool> room = core.Space.WaitAsync(TestContext.Current.CancellationToken).AsTask();
        await InterruptedAtAsync(core.Space, () =>
        {
            Worker worker = core.Workers.All[0];
            var item = (TestItem)Taken(core, worker);
            core.End(item, WorkOutcome.Completed, null, worker);
            Assert.Equal(NextStep.Run, Next(core, worker));
        });
        Assert.True(await room.Patiently());
    }

    [Fact]
    public async Task A_stuck_worker_that_is_interrupted_still_reports_its_recovery()
    {
        var time = new FakeTimeProvider();
        var observer = new RecordingObserver();
        var core = new PoolCore(Pools.Options(time: time, stuckAfter: TimeSpan.FromSeconds(1), observer: observer), null!);
        Worker worker = core.Workers.All[0];
        var item = new TestItem();
        Submit(core, item);
        Taken(core, worker);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Single(observer.Stuck);
        core.End(item, WorkOutcome.Completed, null, worker);
        await InterruptedAtAsync(core.Workers, () => Assert.Equal(NextStep.Sleep, Next(core, worker)));
        Assert.Equal([0], observer.Recovered);
    }

    [Fact]
    public async Task A_drain_completes_although_an_item_blocks_in_OnEnded()
    {
        PoolCore core = Core();
        using var never = new ManualResetEventSlim();
        var item = new TestItem { WhenEnded = (_, _) => never.WaitPatiently() };
        Submit(core, item);
        core.Stop.Close();
        Thread canceller = Patience.OnOwnThread(() => item.Cancel());
        Assert.Equal(WorkOutcome.Cancelled, await item.Endings.First);
        await core.Stop.Drained.Patiently();
        never.Set();
        canceller.JoinPatiently();
    }

    /// <summary>Runs the steps on a thread that is interrupted while it waits for the lock. The interrupt may take effect only after the steps.</summary>
    private static async Task InterruptedAtAsync(object monitor, Action steps)
    {
        var done = new TaskCompletionSource<Exception?>();
        bool noticed = false;
        lock (monitor)
        {
            Thread thread = Patience.OnOwnThread(() =>
            {
                Exception? failure = Record.Exception(steps);
                noticed = Record.Exception(static () => Thread.Sleep(1)) is ThreadInterruptedException;
                done.SetResult(failure);
            });
            Patience.Until(() => thread.ThreadState.HasFlag(ThreadState.WaitSleepJoin));
            thread.Interrupt();
            Thread.Sleep(20); // time for the interrupt to take effect, if it does: no event shows that it does not
        }
        Assert.Null(await done.Task.Patiently());
        Assert.True(noticed); // the interrupt was deferred, not lost
    }

    private static PoolWorkItem Taken(PoolCore core, Worker worker)
    {
        Assert.Equal(NextStep.Run, core.Next(worker, core.Clock.Now, out Assignment assignment));
        return assignment.Item;
    }

    private static SubmitResult Submit(PoolCore core, PoolWorkItem item) => core.Submit(item, default, default);

    /// <summary>The next step of a worker that has already spun for a moment without finding work.</summary>
    private static NextStep Next(PoolCore core, Worker worker)
    {
        NextStep step = core.Next(worker, core.Clock.Now, out _);
        return step == NextStep.Spin ? core.Next(worker, core.Clock.Now, out _) : step;
    }

    private static PoolCore Core(int workers = 1, int capacity = 10) => new(Pools.Options(workers, capacity), null!);
}
