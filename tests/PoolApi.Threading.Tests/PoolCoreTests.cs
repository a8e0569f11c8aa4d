using PoolApi.Threading.Core;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Tests;

/// <summary>Moments that threads pass too fast to be caught, taken step by step on a pool whose workers are not started.</summary>
public class PoolCoreTests
{
    [Fact]
    public void A_wake_up_that_nobody_asked_for_does_not_enlist_a_worker_twice()
    {
        PoolCore core = Core(workers: 1, capacity: 1);
        Worker worker = core.Workers[0];
        Assert.Equal(NextStep.Sleep, Next(core, worker));
        Assert.Equal(NextStep.Sleep, Next(core, worker)); // a permit was left over
        Assert.Equal(SubmitResult.Accepted, Submit(core, new TestItem()));
        Assert.Equal(SubmitResult.Accepted, Submit(core, new TestItem()));
        Assert.Equal(SubmitResult.QueueFull, Submit(core, new TestItem())); // on the stack twice, it would be room for ever more
    }

    [Fact]
    public void A_worker_that_is_woken_for_a_resumption_is_no_room_for_an_item()
    {
        PoolCore core = Core(workers: 1, capacity: 1);
        Worker worker = core.Workers[0];
        var item = new AsyncTestItem(static _ => Task.CompletedTask);
        Submit(core, item);
        Assert.Equal(NextStep.Run, Next(core, worker));
        core.ReleaseAsync(worker); // as if it awaited something
        Assert.Equal(NextStep.Sleep, Next(core, worker));
        Assert.True(core.Post(item, static _ => { }, null));
        Assert.Equal(SubmitResult.Accepted, Submit(core, new TestItem()));
        Assert.Equal(SubmitResult.QueueFull, Submit(core, new TestItem()));
        Assert.Equal(NextStep.Run, core.Next(worker, core.Now, out Assignment assignment));
        Assert.Same(item, assignment.Item);
        Assert.Equal(1, core.GetSnapshot().QueueLength);
    }

    [Fact]
    public void A_worker_that_was_woken_goes_on_being_room_until_it_arrives()
    {
        PoolCore core = Core(workers: 2, capacity: 1);
        Assert.Equal(NextStep.Sleep, Next(core, core.Workers[0]));
        Assert.Equal(NextStep.Sleep, Next(core, core.Workers[1]));
        for (int i = 0; i < 3; i++) Assert.Equal(SubmitResult.Accepted, Submit(core, new TestItem()));
        Assert.Equal(SubmitResult.QueueFull, Submit(core, new TestItem()));
        Assert.Equal(NextStep.Run, Next(core, core.Workers[1]));
        Assert.Equal(SubmitResult.QueueFull, Submit(core, new TestItem()));
        Assert.Equal(NextStep.Run, Next(core, core.Workers[0]));
        Assert.Equal(SubmitResult.QueueFull, Submit(core, new TestItem()));
    }

    [Fact]
    public void A_pool_does_not_end_what_waits_in_another()
    {
        PoolCore mine = Core();
        PoolCore other = Core();
        var item = new TestItem();
        Assert.Equal(SubmitResult.Accepted, Submit(mine, item));
        Assert.False(other.EndWaiting(item, NotRunReason.Cancelled));
        Assert.Equal(0, item.Endings.Count);
        Assert.True(mine.EndWaiting(item, NotRunReason.Cancelled));
        Assert.Equal((0, 0), (mine.GetSnapshot().QueueLength, other.GetSnapshot().QueueLength));
        Pools.AddsUp(mine.GetSnapshot());
        Pools.AddsUp(other.GetSnapshot());
    }

    [Fact]
    public void An_item_that_ended_while_it_was_left_behind_is_not_ended_again()
    {
        PoolCore core = Core();
        Worker worker = core.Workers[0];
        var item = new TestItem();
        Submit(core, item);
        Next(core, worker);
        core.Close();
        core.Stop();
        Assert.Equal([worker], core.Abandon(out int abandoned, out _));
        Assert.Equal(1, abandoned);
        core.End(item, WorkOutcome.Completed, null, worker);
        Assert.Equal([WorkOutcome.Abandoned], item.Endings.Outcomes);
        Assert.Equal(NextStep.Exit, Next(core, worker));
        Pools.AddsUp(core.GetSnapshot());
    }

    [Fact]
    public async Task What_a_dead_worker_had_in_hand_has_failed_on_it()
    {
        PoolCore core = Core();
        Worker worker = core.Workers[0];
        var item = new TestItem();
        Submit(core, item);
        Next(core, worker);
        core.HandInHandFailed(worker, new InvalidOperationException("on purpose"));
        core.Replace(worker, new InvalidOperationException("on purpose"));
        Assert.Equal([WorkOutcome.Failed], item.Endings.Outcomes);
        WorkerSnapshot snapshot = Assert.Single(core.GetSnapshot().Workers);
        Assert.Equal((1, 1), (snapshot.Failed, snapshot.Finished));
        core.Close();
        core.Stop(); // the replacement's thread is real
        await core.Exited.Patiently();
    }

    private static SubmitResult Submit(PoolCore core, PoolWorkItem item) => core.Submit(item, default);

    /// <summary>What a worker is told that has looked for a moment in vain.</summary>
    private static NextStep Next(PoolCore core, Worker worker)
    {
        NextStep step = core.Next(worker, core.Now, out _);
        return step == NextStep.Look ? core.Next(worker, core.Now, out _) : step;
    }

    private static PoolCore Core(int workers = 1, int capacity = 10) => new(Pools.Options(workers, capacity), null!);
}
