using Microsoft.Extensions.Time.Testing;

namespace PoolApi.Threading.Tests.Calls;

/// <summary>The pool as a TaskScheduler and as a SynchronizationContext.</summary>
public class SchedulerTests
{
    [Fact]
    public async Task Tasks_run_on_the_pools_threads_and_resume_there_after_an_await()
    {
        using FixedThreadPool pool = Pools.Make(2);
        Assert.Equal(2, pool.TaskScheduler.MaximumConcurrencyLevel);
        var elsewhere = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        List<string?> names = await Start(pool, async () =>
        {
            var names = new List<string?> { Thread.CurrentThread.Name };
            await Task.Yield();
            names.Add(Thread.CurrentThread.Name);
            // Completes only after this part has ended, so that a third part follows.
            Patience.OnOwnThread(() =>
            {
                Patience.Until(() => pool.GetSnapshot() is { QueueLength: 0, InFlight: 0 });
                elsewhere.SetResult();
            });
            await elsewhere.Task;
            names.Add(Thread.CurrentThread.Name);
            return names;
        }).Unwrap().Patiently();
        Assert.All(names, name => Assert.StartsWith($"{pool.Name}-", name, StringComparison.Ordinal));
        await Assert.ThrowsAsync<InvalidDataException>(
            () => Start<int>(pool, () => throw new InvalidDataException("on purpose")).Patiently());
        Patience.Until(() => pool.GetSnapshot() is { QueueLength: 0, InFlight: 0 });
        Pools.AddsUp(pool.GetSnapshot());
        Assert.Equal(4, pool.GetSnapshot().Counts[WorkOutcome.Completed]); // three parts, and the item of the failed task
    }

    [Fact]
    public async Task Tasks_and_callbacks_are_accepted_beyond_the_capacity_and_the_counts_add_up()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        Occupation busy = pool.Occupy();
        int ran = 0;
        Task[] tasks = [.. Enumerable.Range(0, 10).Select(_ => Start(pool, () => Interlocked.Increment(ref ran)))];
        for (int i = 0; i < 10; i++) pool.SynchronizationContext.Post(_ => Interlocked.Increment(ref ran), null);
        Assert.Equal(20, pool.GetSnapshot().QueueLength);
        Pools.AddsUp(pool.GetSnapshot());
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
        busy.Dispose();
        await Task.WhenAll(tasks).Patiently();
        Patience.Until(() => Volatile.Read(ref ran) == 20);
        Patience.Until(() => pool.GetSnapshot() is { QueueLength: 0, InFlight: 0 });
        Assert.Equal(21, pool.GetSnapshot().Counts[WorkOutcome.Completed]);
        pool.Accepted(new TestItem());
    }

    [Fact]
    public async Task After_closing_only_the_pools_own_workers_may_start_tasks()
    {
        FixedThreadPool pool = Pools.Make();
        using var closed = new ManualResetEventSlim();
        Task<int> inner = pool.RunAsync(async () =>
        {
            closed.WaitPatiently();
            var posted = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
            pool.SynchronizationContext.Post(_ => posted.SetResult(20), null);
            return await Start(pool, () => 1) + await posted.Task;
        }).AsTask();
        _ = pool.CloseAsync();
        var error = await Assert.ThrowsAsync<TaskSchedulerException>(() => Start(pool, () => 1).Patiently());
        Assert.Equal(SubmitResult.Closed, Pools.Reason(Assert.IsType<WorkRejectedException>(error.InnerException)));
        Assert.Equal(
            SubmitResult.Closed,
            Pools.Reason(Assert.Throws<WorkRejectedException>(() => pool.SynchronizationContext.Post(static _ => { }, null))));
        Assert.Throws<WorkRejectedException>(() => pool.SynchronizationContext.Send(static _ => { }, null));
        closed.Set();
        Assert.Equal(21, await inner.Patiently());
        pool.Dispose();
        Pools.AddsUp(pool.GetSnapshot());
        Assert.Equal(3, pool.GetSnapshot().Counts[WorkOutcome.Completed]);
    }

    [Fact]
    public async Task A_callback_posted_to_the_pools_context_resumes_on_the_pool_after_each_await()
    {
        using FixedThreadPool pool = Pools.Make();
        var names = new TaskCompletionSource<List<string?>>(TaskCreationOptions.RunContinuationsAsynchronously);
        pool.SynchronizationContext.Post(
            async _ =>
            {
                var all = new List<string?> { Thread.CurrentThread.Name };
                await Task.Yield();
                all.Add(Thread.CurrentThread.Name);
                await Task.Run(static () => { });
                all.Add(Thread.CurrentThread.Name);
                names.SetResult(all);
            },
            null);
        Assert.Equal(Enumerable.Repeat($"{pool.Name}-0", 3), await names.Task.Patiently());
        // The next item does not see the context.
        Assert.Null(pool.Run(() => SynchronizationContext.Current));
    }

    [Fact]
    public void Send_waits_for_its_callback_and_throws_its_exception_but_runs_in_place_on_a_worker()
    {
        using FixedThreadPool pool = Pools.Make();
        string? name = null;
        pool.SynchronizationContext.Send(_ => name = Thread.CurrentThread.Name, null);
        Assert.Equal($"{pool.Name}-0", name);
        bool same = pool.Run(() =>
        {
            Thread thread = Thread.CurrentThread;
            Thread? inner = null;
            pool.SynchronizationContext.Send(_ => inner = Thread.CurrentThread, null);
            return inner == thread;
        });
        Assert.True(same);
        Assert.Throws<InvalidDataException>(
            () => pool.SynchronizationContext.Send(static _ => throw new InvalidDataException("on purpose"), null));
        Assert.Same(pool.SynchronizationContext, pool.SynchronizationContext.CreateCopy());
    }

    [Fact]
    public void Send_queues_its_callback_although_the_queue_is_full()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        int ran = 0;
        Thread sender = Patience.OnOwnThread(() => pool.SynchronizationContext.Send(_ => ran++, null));
        Patience.Until(() => pool.GetSnapshot().QueueLength == 2);
        busy.Dispose();
        sender.JoinPatiently();
        Assert.Equal(1, ran);
    }

    [Fact]
    public async Task Send_throws_if_its_callback_is_handed_back()
    {
        FixedThreadPool pool = Pools.Make();
        Occupation busy = pool.Occupy();
        Task sent = Task.Factory.StartNew(
            () => pool.SynchronizationContext.Send(static _ => { }, null),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Patience.Until(() => pool.GetSnapshot().QueueLength == 1);
        pool.CancelAll();
        Assert.Equal(WorkOutcome.NotStarted, (await Assert.ThrowsAsync<WorkRejectedException>(sent.Patiently)).Outcome);
        busy.Dispose();
        pool.Dispose();
    }

    [Fact]
    public void A_posted_callback_that_throws_counts_as_failed_and_the_worker_continues()
    {
        using FixedThreadPool pool = Pools.Make();
        pool.SynchronizationContext.Post(static _ => throw new InvalidDataException("on purpose"), null);
        Patience.Until(() => pool.GetSnapshot().Counts[WorkOutcome.Failed] == 1);
        Assert.Equal(1, pool.Run(() => 1));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_task_moved_to_the_ThreadPool_continues_after_an_await_although_the_pool_is_closed(bool expires)
    {
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(time: time, maxQueueTime: TimeSpan.FromSeconds(1));
        using Occupation busy = pool.Occupy();
        var gate = new TaskCompletionSource();
        Task<Task<FixedThreadPool?>> task = Start(pool, async () =>
        {
            await gate.Task;
            return FixedThreadPool.Current;
        });
        if (expires) time.Advance(TimeSpan.FromSeconds(2));
        else pool.CancelAll();
        Task<FixedThreadPool?> rest = await task.Patiently(); // the task awaits the gate
        pool.CancelAll();
        gate.SetResult();
        Assert.Null(await rest.Patiently());
    }

    [Fact]
    public async Task A_task_moved_to_the_ThreadPool_may_yield_although_the_pool_is_closed()
    {
        using FixedThreadPool pool = Pools.Make();
        using Occupation busy = pool.Occupy();
        Task<FixedThreadPool?> task = Start(pool, async () =>
        {
            await Task.Yield();
            await Task.Yield();
            return FixedThreadPool.Current;
        }).Unwrap();
        pool.CancelAll();
        Assert.Null(await task.Patiently());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Work_moved_to_the_ThreadPool_returns_to_the_open_pool_after_its_next_await(bool asCallback)
    {
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(time: time, maxQueueTime: TimeSpan.FromSeconds(1));
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var left = new TaskCompletionSource<FixedThreadPool?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var ended = new TaskCompletionSource<FixedThreadPool?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = new TaskCompletionSource();
        var second = new TaskCompletionSource();
        if (asCallback) pool.SynchronizationContext.Post(async _ => await Work(), null);
        else _ = Start(pool, Work);
        await begun.Task.Patiently();
        Patience.Until(() => pool.GetSnapshot() is { QueueLength: 0, InFlight: 0 }); // the work awaits
        using (pool.Occupy())
        {
            first.SetResult();
            time.Advance(TimeSpan.FromSeconds(2));
            Assert.Null(await left.Task.Patiently());
        }
        second.SetResult();
        Assert.Same(pool, await ended.Task.Patiently());

        async Task Work()
        {
            begun.SetResult();
            await first.Task;
            left.SetResult(FixedThreadPool.Current);
            await second.Task;
            ended.SetResult(FixedThreadPool.Current);
        }
    }

    [Fact]
    public async Task A_task_run_in_place_by_OnEnded_continues_after_an_await_although_the_pool_is_closed()
    {
        using FixedThreadPool pool = Pools.Make();
        var gate = new TaskCompletionSource();
        var task = new Task<Task<FixedThreadPool?>>(async () =>
        {
            await gate.Task;
            return FixedThreadPool.Current;
        });
        pool.Accepted(new TestItem { WhenEnded = (_, _) => task.RunSynchronously(pool.TaskScheduler) });
        Task<FixedThreadPool?> rest = await task.Patiently();
        pool.CancelAll();
        gate.SetResult();
        Assert.Null(await rest.Patiently());
    }

    [Fact]
    public void Exceptions_of_posted_callbacks_are_reported_as_unhandled_and_those_of_sent_ones_are_not()
    {
        var observer = new RecordingObserver();
        var error = new InvalidDataException("on purpose");
        using (FixedThreadPool pool = Pools.Make(observer: observer))
        {
            Assert.Same(error, Record.Exception(() => pool.SynchronizationContext.Send(_ => throw error, null)));
            pool.SynchronizationContext.Post(_ => throw error, null);
            pool.SynchronizationContext.Post(
                async _ =>
                {
                    await Task.Yield();
                    throw error;
                },
                null);
            Patience.Until(() => observer.Unhandled.Count >= 2);
        }
        Assert.Equal(["callback", "callback"], observer.Unhandled.Select(u => u.Item.Kind));
        Assert.All(observer.Unhandled, u => Assert.Same(error, u.Error));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_exception_of_a_callback_moved_to_the_ThreadPool_is_reported_as_unhandled(bool asynchronous)
    {
        var observer = new RecordingObserver();
        var error = new InvalidDataException("on purpose");
        using FixedThreadPool pool = Pools.Make(observer: observer);
        using Occupation busy = pool.Occupy();
        if (asynchronous) pool.SynchronizationContext.Post(async _ => await Fail(), null);
        else pool.SynchronizationContext.Post(_ => throw error, null);
        pool.CancelAll();
        Patience.Until(() => observer.Unhandled.Count == 1);
        Assert.Same(error, observer.Unhandled.First().Error);

        async Task Fail()
        {
            await Task.Yield();
            throw error;
        }
    }

    [Fact]
    public async Task An_exception_after_an_await_of_a_callback_in_a_stopped_pool_is_reported_as_unhandled()
    {
        var observer = new RecordingObserver();
        var error = new InvalidDataException("on purpose");
        var gate = new TaskCompletionSource();
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        FixedThreadPool pool = Pools.Make(observer: observer);
        pool.SynchronizationContext.Post(
            async _ =>
            {
                begun.SetResult();
                await gate.Task;
                throw error;
            },
            null);
        await begun.Task.Patiently();
        await pool.DisposeAsync().Patiently();
        gate.SetResult();
        Patience.Until(() => observer.Unhandled.Count == 1);
        Assert.Same(error, observer.Unhandled.First().Error);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_task_or_callback_that_starts_at_time_zero_is_marked_as_started(bool asCallback)
    {
        var observer = new RecordingObserver();
        using FixedThreadPool pool = Pools.Make(time: new ZeroClock(), observer: observer);
        if (asCallback) pool.SynchronizationContext.Send(static _ => { }, null);
        else await Start(pool, () => 1).Patiently();
        Patience.Until(() => observer.Finished.Count == 1);
        PoolWorkItem item = observer.Finished.First().Item;
        Assert.NotEqual(0, item.StartedAt); // 0 would mean that it has not started, and it would start again elsewhere
    }

    [Fact]
    public async Task A_posted_callback_runs_with_the_execution_context_of_its_poster()
    {
        using FixedThreadPool pool = Pools.Make();
        var flows = new AsyncLocal<string?> { Value = "mine" };
        var seen = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        pool.SynchronizationContext.Post(_ => seen.SetResult(flows.Value), null);
        Assert.Equal("mine", await seen.Task.Patiently());
        using (ExecutionContext.SuppressFlow()) Assert.Null(pool.Run(() => flows.Value));
    }

    [Fact]
    public async Task The_snapshot_shows_tasks_and_callbacks_by_their_kinds()
    {
        using FixedThreadPool pool = Pools.Make();
        Assert.Equal("task", await Start(pool, () => pool.GetSnapshot().Workers[0].Kind).Patiently());
        string? kind = null;
        pool.SynchronizationContext.Send(_ => kind = pool.GetSnapshot().Workers[0].Kind, null);
        Assert.Equal("callback", kind);
    }

    private static Task<T> Start<T>(FixedThreadPool pool, Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.None, pool.TaskScheduler);
}
