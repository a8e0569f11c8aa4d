namespace PoolApi.Threading.Tests.Workers;

/// <summary>P2: the work of a pool runs on the pool's threads, also after an await.</summary>
public class OwnThreadsTests
{
    [Fact]
    public async Task Work_runs_on_a_dedicated_background_thread_named_after_the_pool()
    {
        using FixedThreadPool pool = Pools.Make(2);
        Thread thread = await pool.RunAsync(() => Thread.CurrentThread).Patiently();
        Assert.Matches($"^{pool.Name}-[01]$", thread.Name);
        Assert.True(thread.IsBackground);
        Assert.False(thread.IsThreadPoolThread);
        Assert.Same(pool, await pool.RunAsync(() => FixedThreadPool.Current).Patiently());
        Assert.Null(FixedThreadPool.Current);
    }

    [Fact]
    public async Task Continuations_after_an_await_run_on_the_pool_also_in_nested_methods()
    {
        using FixedThreadPool pool = Pools.Make(2);
        var seen = new List<FixedThreadPool?>();
        await pool.RunAsync(async () =>
        {
            seen.Add(FixedThreadPool.Current);
            await Task.Yield();
            seen.Add(FixedThreadPool.Current);
            await Task.Delay(1); // so that the method really awaits
            seen.Add(FixedThreadPool.Current);
            await Nested(2);
            seen.Add(FixedThreadPool.Current);
            await Task.Run(static () => { });
            seen.Add(FixedThreadPool.Current);
        }).Patiently();
        Assert.Equal(9, seen.Count);
        Assert.All(seen, s => Assert.Same(pool, s));

        async Task Nested(int depth)
        {
            await Task.Yield();
            seen.Add(FixedThreadPool.Current);
            if (depth > 0)
            {
                await Nested(depth - 1);
                if (depth == 1) seen.Add(FixedThreadPool.Current);
            }
        }
    }

    [Fact]
    public async Task ConfigureAwait_false_and_Task_Run_leave_the_pool()
    {
        using FixedThreadPool pool = Pools.Make();
        var elsewhere = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        (bool inside, bool left, bool ran) = await pool.RunAsync(async () =>
        {
            bool inside = FixedThreadPool.Current == pool;
            bool ran = await Task.Run(() => FixedThreadPool.Current is null && Thread.CurrentThread.IsThreadPoolThread);
            Patience.OnOwnThread(() =>
            {
                Patience.Until(() => pool.GetSnapshot().Suspended == 1); // so that the method really awaits
                elsewhere.SetResult();
            });
            await elsewhere.Task.ConfigureAwait(false);
            return (inside, FixedThreadPool.Current is null, ran);
        }).Patiently();
        Assert.True(inside);
        Assert.True(left);
        Assert.True(ran);
    }

    [Fact]
    public async Task An_item_that_left_the_pool_is_notified_of_its_end_on_the_pool()
    {
        using FixedThreadPool pool = Pools.Make();
        FixedThreadPool? current = null;
        var item = new AsyncTestItem(async _ => await Task.Delay(1).ConfigureAwait(false))
        {
            WhenEnded = (_, _) => current = FixedThreadPool.Current,
        };
        pool.Accepted(item);
        await item.Endings.First;
        pool.Dispose();
        Assert.Same(pool, current);
    }

    [Fact]
    public async Task The_callers_continuation_does_not_run_on_a_worker()
    {
        using FixedThreadPool pool = Pools.Make();
        using Occupation busy = pool.Occupy();
        Task<int> call = pool.RunAsync(() => 1).AsTask();
        var where = new TaskCompletionSource<FixedThreadPool?>();
        call.GetAwaiter().UnsafeOnCompleted(() => where.SetResult(FixedThreadPool.Current));
        busy.Dispose();
        Assert.Null(await where.Task.Patiently());
    }

    [Fact]
    public async Task Work_that_awaits_a_call_to_another_pool_resumes_on_its_own_pool()
    {
        using FixedThreadPool a = Pools.Make();
        using FixedThreadPool b = Pools.Make();
        FixedThreadPool?[] seen = await a.RunAsync(async () =>
        {
            FixedThreadPool? inner = await b.RunAsync(async () =>
            {
                await Task.Yield();
                return FixedThreadPool.Current;
            });
            return new[] { inner, FixedThreadPool.Current };
        }).Patiently();
        Assert.Equal([b, a], seen);
    }

    [Fact]
    public async Task An_exception_of_an_async_void_method_is_reported_to_the_observer_and_the_process_continues()
    {
        var observer = new RecordingObserver();
        using FixedThreadPool pool = Pools.Make(observer: observer);
        var error = new InvalidOperationException("on purpose");
        var item = new AsyncTestItem(async _ =>
        {
            Fire();
            Fire();
            await Task.Yield();
        });
        pool.Accepted(item);
        Assert.Equal(WorkOutcome.Completed, await item.Endings.First);
        Patience.Until(() => observer.Unhandled.Count == 2);
        Assert.All(observer.Unhandled, u => Assert.Equal((item, error), u));
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently());
        Assert.Empty(observer.Replaced);

        async void Fire()
        {
            await Task.Yield();
            throw error;
        }
    }

    [Fact]
    public async Task Posting_to_the_context_runs_on_the_pool_and_sending_from_inside_runs_in_place()
    {
        using FixedThreadPool pool = Pools.Make();
        var posted = new TaskCompletionSource<FixedThreadPool?>(TaskCreationOptions.RunContinuationsAsynchronously);
        (SynchronizationContext context, Thread outer, Thread? sent) = await pool.RunAsync(async () =>
        {
            SynchronizationContext context = SynchronizationContext.Current!;
            Thread? sent = null;
            context.Send(_ => sent = Thread.CurrentThread, null);
            context.Post(_ => posted.SetResult(FixedThreadPool.Current), null);
            Thread here = Thread.CurrentThread;
            await posted.Task;
            return (context, here, sent);
        }).Patiently();
        Assert.Same(outer, sent);
        Assert.Same(pool, await posted.Task);
        Assert.Same(context, context.CreateCopy());
    }

    [Fact]
    public async Task Sending_to_the_context_from_outside_waits_for_the_callback_and_throws_its_exception()
    {
        using FixedThreadPool pool = Pools.Make();
        SynchronizationContext context = await pool.RunAsync(() => Task.FromResult(SynchronizationContext.Current!)).Patiently();
        FixedThreadPool? ran = null;
        context.Send(_ => ran = FixedThreadPool.Current, null);
        Assert.Same(pool, ran);
        var error = Assert.Throws<System.Reflection.TargetInvocationException>(
            () => context.Send(static _ => throw new InvalidOperationException("on purpose"), null));
        Assert.IsType<InvalidOperationException>(error.InnerException);
    }

    [Fact]
    public async Task Sending_to_the_context_of_a_pool_that_has_stopped_fails()
    {
        FixedThreadPool pool = Pools.Make();
        SynchronizationContext context = await pool.RunAsync(() => Task.FromResult(SynchronizationContext.Current!)).Patiently();
        pool.Dispose();
        var sent = new TaskCompletionSource<Exception?>();
        Patience.OnOwnThread(() => sent.SetResult(Record.Exception(() => context.Send(static _ => { }, null))));
        Assert.IsType<InvalidOperationException>(await sent.Task.Patiently());
    }

    [Fact]
    public async Task Sending_to_the_context_of_a_drained_pool_that_still_has_workers_runs_the_callback()
    {
        using FixedThreadPool pool = Pools.Make();
        SynchronizationContext context = await pool.RunAsync(() => Task.FromResult(SynchronizationContext.Current!)).Patiently();
        await pool.CloseAsync().Patiently();
        var ran = new TaskCompletionSource<FixedThreadPool?>();
        Patience.OnOwnThread(() => context.Send(_ => ran.SetResult(FixedThreadPool.Current), null));
        Assert.Same(pool, await ran.Task.Patiently());
    }

    [Fact]
    public async Task A_sender_whose_callback_is_dropped_by_a_stop_gets_an_exception_and_the_callback_never_runs()
    {
        FixedThreadPool pool = Pools.Make();
        SynchronizationContext context = await pool.RunAsync(() => Task.FromResult(SynchronizationContext.Current!)).Patiently();
        Patience.Until(() => pool.Core.Queue.PendingEstimate == 0);
        using Occupation busy = pool.Occupy();
        bool ran = false;
        var sent = new TaskCompletionSource<Exception?>(TaskCreationOptions.RunContinuationsAsynchronously);
        Patience.OnOwnThread(() => sent.SetResult(Record.Exception(() => context.Send(_ => ran = true, null))));
        Patience.Until(() => pool.Core.Queue.PendingEstimate == 2); // the callback is queued behind the item
        Task<ShutdownReport> stop = pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero);
        Assert.IsType<InvalidOperationException>(await sent.Task.Patiently());
        busy.Dispose();
        await stop.Patiently();
        Pools.NoThreadIsLeft(pool);
        Assert.False(ran);
        pool.Dispose();
    }

    [Fact]
    public async Task Send_returns_normally_if_its_callback_still_runs_when_the_stop_gives_up()
    {
        FixedThreadPool pool = Pools.Make(time: new Microsoft.Extensions.Time.Testing.FakeTimeProvider());
        SynchronizationContext context = await pool.RunAsync(() => Task.FromResult(SynchronizationContext.Current!)).Patiently();
        using var begun = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        var ended = new TaskCompletionSource();
        var sent = new TaskCompletionSource<Exception?>(TaskCreationOptions.RunContinuationsAsynchronously);
        // The stop notifies this item of its end after it has given up, and before it joins the threads.
        pool.Accepted(new AsyncTestItem(_ => Task.Delay(Timeout.Infinite))
        {
            WhenEnded = (_, _) =>
            {
                ended.SetResult();
                Patience.Until(() => sent.Task.IsCompleted);
            },
        });
        Patience.Until(() => pool.GetSnapshot().Suspended == 1);
        Patience.OnOwnThread(() => sent.SetResult(Record.Exception(() => context.Send(
            _ =>
            {
                begun.Set();
                release.WaitPatiently();
            },
            null))));
        begun.WaitPatiently();
        Task<ShutdownReport> stop = Task.Run(() => pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero));
        await ended.Task.Patiently();
        release.Set();
        Assert.Null(await sent.Task.Patiently());
        await stop.Patiently();
        pool.Dispose();
    }
}
