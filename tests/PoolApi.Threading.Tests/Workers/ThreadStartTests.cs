using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Tests.Workers;

/// <summary>A pool that cannot start one of its threads, or create the state of a worker.</summary>
public class ThreadStartTests
{
    private readonly RecordingObserver _observer = new();
    private int _starts;
    private int _allowed = int.MaxValue;

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void The_constructor_throws_and_ends_the_started_threads_if_a_thread_cannot_start(int allowed)
    {
        _allowed = allowed;
        FixedThreadPoolOptions options = Pools.Options(4, observer: _observer);
        options.StartThread = Start;
        Assert.Throws<OutOfMemoryException>(() => new FixedThreadPool(options));
        Assert.All(_observer.WorkersStarted, s => Assert.False(s.Thread.IsAlive));
        Assert.Equal(allowed, _observer.WorkersStopped.Count);
        Patience.Until(() => Pools.ThreadsNamed($"{options.Name}-").Count == 0);
    }

    [Fact]
    public void A_constructor_that_fails_cancels_the_item_that_a_ready_worker_already_runs()
    {
        using var runs = new ManualResetEventSlim();
        FixedThreadPoolOptions options = Pools.Options(2);
        var item = new TestItem(self =>
        {
            runs.Set();
            self.CancellationToken.WaitHandle.WaitOne(Patience.Long);
        });
        options.CreateWorkerState = id =>
        {
            if (id == 0)
            {
                FixedThreadPool.Current!.Accepted(item);
                return null;
            }
            runs.WaitPatiently();
            throw new InvalidDataException("on purpose");
        };
        Assert.Throws<InvalidDataException>(() => new FixedThreadPool(options));
        Assert.True(item.CancellationToken.IsCancellationRequested);
    }

    [Fact]
    public async Task The_pool_continues_with_one_worker_fewer_if_a_replacement_cannot_start()
    {
        FixedThreadPool pool = Make(2);
        _allowed = 2;
        var deadly = new DeadlyItem();
        pool.Accepted(deadly);
        Assert.Equal(WorkOutcome.Failed, await deadly.Endings.First);
        Patience.Until(() => _observer.Lost.Count == 1);
        Assert.IsType<OutOfMemoryException>(_observer.Lost.First().Error);
        for (int i = 0; i < 50; i++) Assert.Equal(i, await pool.RunAsync(() => i).Patiently());
        Assert.Single(pool.GetSnapshot().Workers, w => w.State == WorkerState.Stopped);
        Assert.Equal(PoolState.Running, pool.Core.Stop.State);
        Patience.OnOwnThread(pool.Dispose).JoinPatiently();
        Pools.NoThreadIsLeft(pool);
    }

    [Fact]
    public async Task The_loss_of_the_last_worker_ends_every_accepted_item_and_closes_the_pool()
    {
        FixedThreadPool pool = Make(1);
        _allowed = 1;
        using var suspended = new ManualResetEventSlim();
        var never = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var wasCancelled = new TaskCompletionSource();
        var awaiting = new AsyncTestItem(async self =>
        {
            self.CancellationToken.Register(wasCancelled.SetResult);
            suspended.Set();
            await never.Task;
        });
        pool.Accepted(awaiting);
        suspended.WaitPatiently();
        Patience.Until(() => pool.GetSnapshot().Suspended == 1);

        using var release = new ManualResetEventSlim();
        pool.Accepted(new TestItem(_ => release.WaitPatiently()));
        Patience.Until(() => pool.GetSnapshot() is { QueueLength: 0, InFlight: 2 });
        var deadly = new DeadlyItem();
        pool.Accepted(deadly);
        TestItem[] waiting = [.. Enumerable.Range(0, 5).Select(_ => new TestItem())];
        foreach (TestItem item in waiting) pool.Accepted(item);
        Task<int> call = pool.RunAsync(() => 1).AsTask();
        release.Set();

        Assert.Equal(WorkOutcome.Failed, await deadly.Endings.First);
        foreach (TestItem item in waiting) Assert.Equal(WorkOutcome.NotStarted, await item.Endings.First);
        Assert.Equal(WorkOutcome.NotStarted, (await Assert.ThrowsAsync<WorkRejectedException>(call.Patiently)).Outcome);
        Assert.Equal(WorkOutcome.Abandoned, await awaiting.Endings.First);
        Assert.True(awaiting.CancellationToken.IsCancellationRequested);
        await wasCancelled.Task.Patiently();
        await pool.CloseAsync().Patiently();
        Patience.Until(() => _observer.Lost.Count == 1);
        Assert.Equal(SubmitResult.Closed, pool.Answer(new TestItem()));
        Assert.False(await pool.WaitForSpaceAsync(TestContext.Current.CancellationToken));
        Pools.AddsUp(pool.GetSnapshot());
        Assert.Equal(0, pool.GetSnapshot().InFlight);
        ShutdownReport report = await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        Assert.Equal(waiting, report.NotStarted.Take(waiting.Length));
        Assert.Equal(waiting.Length + 1, report.NotStarted.Count); // and the item of the call
        Assert.Equal(1, report.Interrupted);
        Assert.Equal(PoolState.Stopped, pool.Core.Stop.State);
        Patience.OnOwnThread(pool.Dispose).JoinPatiently();
        Pools.NoThreadIsLeft(pool);
    }

    [Fact]
    public async Task A_pending_Send_to_the_context_of_an_item_throws_when_the_last_worker_is_lost()
    {
        using FixedThreadPool pool = Make(1);
        _allowed = 1;
        SynchronizationContext context = await pool.RunAsync(() => Task.FromResult(SynchronizationContext.Current!)).Patiently();
        Patience.Until(() => pool.Core.Queue.PendingEstimate == 0);
        using var started = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        pool.Accepted(new DeadlyItem(() =>
        {
            started.Set();
            release.WaitPatiently();
        }));
        started.WaitPatiently(); // otherwise the worker would run the callback first
        var sent = new TaskCompletionSource<Exception?>(TaskCreationOptions.RunContinuationsAsynchronously);
        bool ran = false;
        Patience.OnOwnThread(() => sent.SetResult(Record.Exception(() => context.Send(_ => ran = true, null))));
        Patience.Until(() => pool.Core.Queue.PendingEstimate == 2); // the callback is queued behind the item
        release.Set();
        Assert.IsType<InvalidOperationException>(await sent.Task.Patiently());
        Assert.False(ran);
    }

    [Fact]
    public async Task A_wait_for_an_idle_worker_completes_when_the_last_worker_is_lost()
    {
        using FixedThreadPool pool = Make(1);
        _allowed = 1;
        using var started = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        pool.Accepted(new DeadlyItem(() =>
        {
            started.Set();
            release.WaitPatiently();
        }));
        started.WaitPatiently();
        Task idle = ((IPoolAdmission)pool).NextIdleAsync();
        release.Set();
        await idle.Patiently();
        Assert.Equal(WorkerState.Stopped, Assert.Single(pool.GetSnapshot().Workers).State);
    }

    [Fact]
    public async Task A_resize_keeps_the_workers_that_could_start_and_a_later_one_adds_the_rest()
    {
        FixedThreadPool pool = Make(1);
        _allowed = 2;
        pool.Resize(4);
        Assert.Single(_observer.Lost);
        Patience.Until(() => _observer.WorkersStarted.Count == 2);
        using var together = new Barrier(2);
        await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => pool.RunAsync(() => Assert.True(together.SignalAndWait(Patience.Long))).AsTask())).Patiently();
        _allowed = int.MaxValue;
        pool.Resize(4); // tries again
        Patience.Until(() => _observer.WorkersStarted.Count == 4);
        using (pool.Occupy()) Assert.Equal(4, pool.GetSnapshot().InFlight);
        Patience.OnOwnThread(pool.Dispose).JoinPatiently();
        Pools.NoThreadIsLeft(pool);
    }

    private FixedThreadPool Make(int workers) => Pools.Make(workers, observer: _observer, more: o => o.StartThread = Start);

    private void Start(Thread thread)
    {
#pragma warning disable CA2201 // the exception that the runtime throws
        if (Interlocked.Increment(ref _starts) > _allowed) throw new OutOfMemoryException("on purpose");
#pragma warning restore CA2201
        thread.UnsafeStart();
    }
}
