using System.Collections.Immutable;
using System.Reflection;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;
using PoolApi.Threading.Core.Recording;
using PoolApi.Threading.Core.Stopping;

namespace PoolApi.Threading.Tests.Outcomes;

/// <summary>If an allocation of a pool fails, the pool loses a record, a view or some time. Every item still ends once, and the pool continues.</summary>
/// <remarks>
/// Disposing of a pool whose gate is left held would hang, so most of these tests dispose of their pools only after the last assertion. Where a test
/// cannot make the memory run out, something else fails at the same place.
/// </remarks>
public class NoMemoryTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);

    private readonly RecordingObserver _observer = new();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_caller_gets_the_exception_of_its_work_although_there_is_no_memory_for_the_record(bool isAsync)
    {
        FixedThreadPool pool = Pools.Make(observer: _observer);
        pool.Core.Records.RingMaking = static () => throw NoMemory();
        for (int i = 0; i < 2; i++) await Assert.ThrowsAsync<InvalidDataException>(() => Failing(pool, isAsync));
        Assert.Empty(_observer.Replaced);
        pool.Core.Records.RingMaking = null;
        var records = new List<ItemRecord>();
        int cursor = 0;
        pool.Core.Workers.All[0].Recorder.Read(ref cursor, records);
        Assert.Empty(records);
        await Assert.ThrowsAsync<InvalidDataException>(() => Failing(pool, isAsync));
        await pool.RunAsync(static () => { }).Patiently(); // by then the worker has written the record of the failed call
        pool.Core.Workers.All[0].Recorder.Read(ref cursor, records);
        Assert.NotEmpty(records);
        await pool.DisposeAsync();
        Assert.Equal(3, pool.GetSnapshot().Counts[WorkOutcome.Failed]);
        Pools.AddsUp(pool.GetSnapshot());
    }

    [Fact]
    public async Task Items_that_expire_are_all_notified_although_there_is_no_memory_for_the_record()
    {
        var time = new FakeTimeProvider();
        FixedThreadPool pool = Pools.Make(time: time, maxQueueTime: 5 * Second);
        Occupation busy = pool.Occupy();
        TestItem[] items = [new(), new(), new()];
        pool.Accepted(items[0]);
        pool.Accepted(items[1]);
        pool.Core.Records.RingMaking = static () => throw NoMemory();
        time.Advance(5 * Second);
        pool.Core.Records.RingMaking = null;
        pool.Accepted(items[2]);
        time.Advance(5 * Second);
        foreach (TestItem item in items)
        {
            Assert.Equal(WorkOutcome.Expired, await item.Endings.First);
            Assert.Equal(1, item.Endings.Count);
        }
        int cursor = 0;
        var records = new List<ItemRecord>();
        pool.Core.Records.ReadElsewhere(ref cursor, records);
        Assert.Single(records);
        busy.Dispose();
        await pool.DisposeAsync();
    }

    [Fact]
    public void A_large_ring_that_cannot_be_allocated_is_not_counted_as_taken()
    {
        using FixedThreadPool pool = Pools.Make();
        FieldInfo own = typeof(PoolRecords).GetField("_ownLargeRings", BindingFlags.Instance | BindingFlags.NonPublic)!;
        PoolRecords records = pool.Core.Records;
        records.RingMaking = static () => throw NoMemory();
        for (int i = 0; i < 20; i++) Assert.Null(records.TryMakeRing());
        Assert.Equal(0, own.GetValue(records));
        records.Release();
        Assert.Null(records.TryMakeRing());
        records.RingMaking = null;
        Assert.Equal(1024, records.TryMakeRing()!.Capacity); // a pool that has released its rings gets no large one
    }

    [Fact]
    public async Task A_snapshot_that_throws_while_it_holds_the_gate_does_not_stop_the_pool()
    {
        FixedThreadPool pool = Pools.Make();
        using (WithoutWorkers(pool)) Assert.ThrowsAny<Exception>(() => pool.GetSnapshot());
        Assert.Equal(1, await pool.RunAsync(static () => 1).Patiently());
        Pools.AddsUp(pool.GetSnapshot());
        await pool.DisposeAsync();
    }

    [Fact]
    public async Task A_run_time_check_that_throws_still_notifies_timed_out_items_and_the_pool_continues()
    {
        var time = new ZeroClock(); // no timer fires: the test itself runs the check
        FixedThreadPool pool = Pools.Make(time: time, more: static o => o.MaxRunTime = Second);
        var never = new TaskCompletionSource();
        Task call = pool.RunAsync(() => never.Task).AsTask();
        Patience.Until(() => pool.GetSnapshot().Suspended == 1);
        time.Advance(2 * Second);
        object watch = typeof(PoolCore).GetField("_runs", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(pool.Core)!;
        Action check = typeof(RunWatch).GetMethod("Check", BindingFlags.Instance | BindingFlags.NonPublic)!.CreateDelegate<Action>(watch);
        using (WithoutWorkers(pool)) Assert.Throws<NullReferenceException>(check);
        await Assert.ThrowsAsync<WorkTimedOutException>(call.Patiently);
        Assert.Equal(PinReason.None, pool.Core.Stop.Pins.Reasons);
        Assert.Equal(1, await pool.RunAsync(static () => 1).Patiently());
        Assert.Equal(new Tally { Accepted = 2, Completed = 1, TimedOut = 1 }, Tally.Of(pool.GetSnapshot()));
        await pool.DisposeAsync();
    }

    [Fact]
    public void A_stop_that_runs_out_of_memory_releases_the_gate()
    {
        var queue = new WorkQueue<ProcessorOps>(capacity: 10, limitsWaiting: false, cores: 1);
        var stop = new PoolStop<ProcessorOps>(queue, new PoorHost());
        stop.Close();
        foreach (Action step in (Action[])[stop.CancelAll, () => stop.Abandon()])
        {
            Exception? thrown = null;
            Patience.OnOwnThread(() => thrown = Record.Exception(step)).JoinPatiently();
            Assert.IsType<OutOfMemoryException>(thrown);
        }
        Patience.OnOwnThread(() =>
        {
            queue.Enter();
            queue.Exit();
        }).JoinPatiently();
    }

    [Fact]
    public async Task An_item_times_out_a_moment_later_if_there_is_no_memory_for_the_check()
    {
        var time = new FakeTimeProvider();
        var clock = new FullMemoryClock(time);
        using FixedThreadPool pool = Pools.Make(time: clock, more: static o => o.MaxRunTime = Second);
        using Occupation busy = pool.Occupy();
        FailOnceOnThisThread(clock);
        time.Advance(Second + Millisecond);
        Assert.True(clock.HasFailed);
        Assert.Equal(0, busy.Items[0].Endings.Count);
        time.Advance(2 * Millisecond);
        Assert.Equal(WorkOutcome.TimedOut, await busy.Items[0].Endings.First);
    }

    [Fact]
    public async Task An_item_expires_a_moment_later_if_there_is_no_memory_for_the_check()
    {
        var time = new FakeTimeProvider();
        var clock = new FullMemoryClock(time);
        using FixedThreadPool pool = Pools.Make(time: clock, maxQueueTime: 5 * Second);
        using Occupation busy = pool.Occupy();
        var item = new TestItem();
        pool.Accepted(item);
        FailOnceOnThisThread(clock);
        time.Advance((5 * Second) + Millisecond);
        Assert.True(clock.HasFailed);
        Assert.Equal(0, item.Endings.Count);
        time.Advance(2 * Millisecond);
        Assert.Equal(WorkOutcome.Expired, await item.Endings.First);
    }

    [Fact]
    public void A_worker_is_found_stuck_a_moment_later_if_there_is_no_memory_for_the_check()
    {
        var time = new FakeTimeProvider();
        var clock = new FullMemoryClock(time);
        using FixedThreadPool pool = Pools.Make(time: clock, stuckAfter: 60 * Second, observer: _observer);
        using Occupation busy = pool.Occupy();
        FailOnceOnThisThread(clock);
        time.Advance((60 * Second) + (2 * Millisecond));
        Assert.True(clock.HasFailed);
        Assert.Empty(_observer.Stuck);
        time.Advance(Second + (2 * Millisecond));
        Assert.Single(_observer.Stuck);
    }

    [Fact]
    public async Task A_stand_in_starts_a_moment_later_if_there_is_no_memory_for_the_check()
    {
        var time = new FakeTimeProvider();
        var clock = new FullMemoryClock(time);
        FixedThreadPool pool = Pools.Make(time: clock);
        Task<int> outer = pool.RunAsync(() => pool.RunAsync(static () => 1).AsTask().Result).AsTask();
        Patience.Until(() => pool.GetSnapshot() is { InFlight: 1, QueueLength: 1 });
        FailOnceOnThisThread(clock);
        Patience.Until(() =>
        {
            time.Advance(Millisecond);
            return clock.HasFailed;
        });
        Patience.Until(() =>
        {
            time.Advance(Millisecond);
            return outer.IsCompleted;
        });
        Assert.Equal(1, await outer);
        pool.Dispose();
    }

    private static void FailOnceOnThisThread(FullMemoryClock clock)
    {
        Thread here = Thread.CurrentThread;
        clock.FailOnce(() => Thread.CurrentThread == here);
    }

    private static Task Failing(FixedThreadPool pool, bool isAsync) => isAsync
        ? pool.RunAsync(static async () =>
        {
            await Task.Yield();
            throw new InvalidDataException("on purpose");
        }).Patiently()
        : pool.RunAsync<int>(static () => throw new InvalidDataException("on purpose")).Patiently();

#pragma warning disable CA2201 // the exception that the runtime throws
    private static OutOfMemoryException NoMemory() => new("on purpose");
#pragma warning restore CA2201

    /// <summary>Every loop over the workers throws until the result is disposed of.</summary>
    private static Restoring WithoutWorkers(FixedThreadPool pool)
    {
        FieldInfo all = typeof(WorkerSet).GetField("_all", BindingFlags.Instance | BindingFlags.NonPublic)!;
        object? workers = all.GetValue(pool.Core.Workers);
        all.SetValue(pool.Core.Workers, default(ImmutableArray<Core.Worker>));
        return new Restoring(() => all.SetValue(pool.Core.Workers, workers));
    }

    private sealed class Restoring(Action restore) : IDisposable
    {
        public void Dispose() => restore();
    }

    /// <summary>A host without memory for lists of asynchronous items.</summary>
    private sealed class PoorHost : IStopHost
    {
        public long Now => 0;

        public PoolWorkItem[] AsyncItemsLocked() => throw NoMemory();

        public void AbandonAsyncItemsLocked(List<PoolWorkItem> abandoned) => throw NoMemory();

        public void CarryOut(ref DeferredActions after)
        {
        }

        public void RefuseWaiters()
        {
        }

        public void CancelToken(PoolWorkItem item, CancellationTokenSource? source)
        {
        }

        public void NotifyAbandoned(IReadOnlyList<PoolWorkItem> items)
        {
        }

        public void StopTimers()
        {
        }
    }
}
