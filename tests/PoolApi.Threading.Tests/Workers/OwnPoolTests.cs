namespace PoolApi.Threading.Tests.Workers;

/// <summary>A worker that waits for work of its own pool does not deadlock.</summary>
public class OwnPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Nested_Run_calls_on_a_workers_own_pool_run_in_place_with_a_full_queue(int workers)
    {
        using FixedThreadPool pool = Pools.Make(workers, capacity: 1);
        using var full = new ManualResetEventSlim();
        Task<(int Result, bool SameThread)>[] calls = [.. Enumerable.Range(0, workers).Select(_ => pool.RunAsync(() =>
        {
            full.WaitPatiently();
            Thread thread = Thread.CurrentThread;
            int result = pool.Run(() => 1 + pool.Run(x => x + pool.Run(() => 100), 10));
            bool same = false;
            pool.Run(() => same = Thread.CurrentThread == thread);
            return (result, same);
        }).AsTask())];
        Patience.Until(() => pool.GetSnapshot().InFlight == workers);
        var waiting = new TestItem();
        pool.Accepted(waiting);
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
        full.Set();
        Assert.All(await Task.WhenAll(calls).Patiently(), call => Assert.Equal((111, true), call));
        Assert.Equal(WorkOutcome.Completed, await waiting.Endings.First);
        Assert.Equal(workers + 1, pool.GetSnapshot().Accepted); // work that runs in place is not counted as an item
    }

    [Fact]
    public async Task Run_in_place_throws_the_exception_of_the_work_and_does_not_start_when_already_cancelled()
    {
        using FixedThreadPool pool = Pools.Make();
        await Assert.ThrowsAsync<InvalidDataException>(() => pool.RunAsync(() => pool.Run(Throw)).Patiently());
        var cancelled = new CancellationToken(canceled: true);
        bool ran = false;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pool.RunAsync(() => pool.Run(() => ran = true, cancelled)).Patiently());
        Assert.False(ran);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Work_run_in_place_is_cancelled_by_its_own_token_and_by_the_outer_items_token(bool cancelInner)
    {
        using FixedThreadPool pool = Pools.Make();
        using var outer = new CancellationTokenSource();
        using var inner = new CancellationTokenSource();
        using var started = new ManualResetEventSlim();
        Task<int> call = pool.RunAsync(
            _ => pool.Run(token => WaitFor(token, started), inner.Token),
            outer.Token).AsTask();
        started.WaitPatiently();
        await (cancelInner ? inner : outer).CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(call.Patiently);
        // If only the inner token is cancelled, no cancellation of the item itself was requested, so the item fails.
        Patience.Until(() => pool.GetSnapshot().Counts.Values.Sum() == 1);
        Assert.Equal(cancelInner ? 1 : 0, pool.GetSnapshot().Counts[WorkOutcome.Failed]);
        Assert.Equal(1, pool.GetSnapshot().Accepted);

        static int WaitFor(CancellationToken token, ManualResetEventSlim started)
        {
            started.Set();
            token.WaitHandle.WaitOne(Patience.Long);
            token.ThrowIfCancellationRequested();
            return 0;
        }
    }

    [Fact]
    public async Task Work_run_in_place_without_a_token_gets_the_token_of_the_outer_item()
    {
        using FixedThreadPool pool = Pools.Make();
        Assert.True(await pool.RunAsync(outer => pool.Run(inner => inner == outer && inner.CanBeCanceled, CancellationToken.None), CancellationToken.None).Patiently());
    }

    [Fact]
    public async Task Work_run_in_place_outside_of_an_item_gets_the_callers_token()
    {
        using var cts = new CancellationTokenSource();
        CancellationToken given = cts.Token;
        using FixedThreadPool pool = Pools.Make(more: o => o.CreateWorkerState = _ =>
            (FixedThreadPool.Current!.Run(static token => token.CanBeCanceled, CancellationToken.None), FixedThreadPool.Current.Run(token => token == given, given)));
        Assert.Equal((false, true), await pool.RunAsync(() => ((bool, bool))FixedThreadPool.CurrentWorkerState!).Patiently());
    }

    [Fact]
    public async Task Run_in_place_still_works_after_the_pool_is_closed()
    {
        using FixedThreadPool pool = Pools.Make();
        Assert.Equal(7, await pool.RunAsync(() =>
        {
            _ = pool.CloseAsync();
            return pool.Run(() => 7);
        }).Patiently());
    }

    [Fact]
    public async Task Run_from_a_worker_of_another_pool_runs_the_work_on_the_called_pool()
    {
        using FixedThreadPool mine = Pools.Make();
        using FixedThreadPool other = Pools.Make();
        string? name = await mine.RunAsync(() => other.Run(() => Thread.CurrentThread.Name)).Patiently();
        Assert.Equal($"{other.Name}-0", name);
    }

    [Fact]
    public void Run_from_outside_the_pool_blocks_and_returns_the_result_or_throws_the_exception()
    {
        using FixedThreadPool pool = Pools.Make(2);
        for (int i = 0; i < 200; i++)
        {
            int spins = i % 10 == 0 ? 100_000 : 0; // in one of ten calls the caller sleeps
            string name = pool.Run(n =>
            {
                Thread.SpinWait(spins);
                return $"{Thread.CurrentThread.Name} {n}";
            }, i);
            Assert.StartsWith($"{pool.Name}-", name, StringComparison.Ordinal);
            Assert.EndsWith($" {i}", name, StringComparison.Ordinal);
        }
        int ran = 0;
        pool.Run(() => ran++);
        pool.Run(by => ran += by, 5);
        Assert.Equal(6, ran);
        Assert.Throws<InvalidDataException>(() => pool.Run(Throw));
        Assert.Equal(1, pool.GetSnapshot().Counts[WorkOutcome.Failed]);
        Assert.ThrowsAny<OperationCanceledException>(
            () => pool.Run(() => 1, new CancellationToken(canceled: true)));
    }

    [Fact]
    public async Task The_exception_of_Run_gives_the_reason_why_the_work_did_not_run()
    {
        FixedThreadPool pool = Pools.Make(capacity: 1);
        using (pool.Occupy())
        {
            using var cts = new CancellationTokenSource();
            Task<int> cancelled = Task.Factory.StartNew(
                () => pool.Run(() => 1, cts.Token),
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            Patience.Until(() => pool.GetSnapshot().QueueLength == 1);
            Assert.Equal(SubmitResult.QueueFull, Pools.Reason(Assert.Throws<WorkRejectedException>(() => pool.Run(() => 1))));
            cts.Cancel();
            var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(cancelled.Patiently);
            Assert.Equal(cts.Token, error.CancellationToken);

            Task<int> expired = Task.Factory.StartNew(
                () => pool.Run(() => 1, options: new(maxQueueTime: TimeSpan.FromMilliseconds(1))),
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            Assert.Equal(WorkOutcome.Expired, (await Assert.ThrowsAsync<WorkRejectedException>(expired.Patiently)).Outcome);
        }
        pool.Dispose();
        Assert.Equal(SubmitResult.Closed, Pools.Reason(Assert.Throws<WorkRejectedException>(() => pool.Run(() => 1))));
    }

    [Fact]
    public async Task A_full_queue_is_full_for_its_own_workers_too()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        var waiting = new TestItem();
        Assert.Equal(
            (SubmitResult.Accepted, SubmitResult.QueueFull),
            await pool.RunAsync(() => (pool.Answer(waiting), pool.Answer(new TestItem()))).Patiently());
        Assert.Equal(WorkOutcome.Completed, await waiting.Endings.First);
    }

    [Fact]
    public async Task A_worker_that_waits_for_a_task_of_its_own_scheduler_runs_it()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        (bool same, int result) = await pool.RunAsync(() =>
        {
            Thread thread = Thread.CurrentThread;
            bool same = false;
            Task<int> task = Task.Factory.StartNew(
                () =>
                {
                    same = Thread.CurrentThread == thread;
                    return 5;
                },
                CancellationToken.None, TaskCreationOptions.None, pool.TaskScheduler);
            int result = task.GetAwaiter().GetResult(); // a wait with a timeout would not run the task in place
            return (same, result);
        }).Patiently();
        Assert.Equal((true, 5), (same, result));
        Patience.Until(() => pool.GetSnapshot() is { QueueLength: 0, InFlight: 0 });
        Assert.Equal(2, pool.GetSnapshot().Counts[WorkOutcome.Completed]); // the queued item of the task ends without running it again
    }

    [Fact]
    public async Task Current_is_the_pool_on_its_own_workers_and_null_elsewhere()
    {
        using FixedThreadPool pool = Pools.Make();
        Assert.Null(FixedThreadPool.Current);
        Assert.Same(pool, await pool.RunAsync(() => FixedThreadPool.Current).Patiently());
        Assert.Same(pool, await pool.RunAsync(async () =>
        {
            await Task.Yield();
            return FixedThreadPool.Current;
        }).Patiently());
        Assert.Null(await Task.Run(() => FixedThreadPool.Current, TestContext.Current.CancellationToken));
    }

    private static void Throw() => throw new InvalidDataException("on purpose");
}
