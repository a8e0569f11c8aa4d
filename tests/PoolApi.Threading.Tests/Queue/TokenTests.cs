using PoolApi.Threading.Core.Atomics;
using System.Reflection;

namespace PoolApi.Threading.Tests.Queue;

/// <summary>A submitter's token cancels its own submission, and no other.</summary>
public class TokenTests
{
    [Fact]
    public async Task Cancelling_the_token_ends_a_queued_item_and_frees_its_place_at_once()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        using var cts = new CancellationTokenSource();
        var item = new TestItem();
        pool.Accepted(item, cts.Token);
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
        cts.Cancel();
        Assert.Equal([WorkOutcome.Cancelled], item.Endings.Outcomes);
        var next = new TestItem();
        pool.Accepted(next);
        busy.Dispose();
        Assert.Equal(WorkOutcome.Completed, await next.Endings.First);
        Assert.Equal(0, item.Runs);
    }

    [Fact]
    public async Task Cancelling_the_submitters_token_cancels_the_token_of_the_running_item()
    {
        using FixedThreadPool pool = Pools.Make();
        using var cts = new CancellationTokenSource();
        using var started = new ManualResetEventSlim();
        var item = new TestItem(self =>
        {
            started.Set();
            self.CancellationToken.WaitHandle.WaitOne(Patience.Long);
            self.CancellationToken.ThrowIfCancellationRequested();
        });
        pool.Accepted(item, cts.Token);
        started.WaitPatiently();
        Assert.False(item.CancelRequested);
        cts.Cancel();
        Assert.Equal(WorkOutcome.Cancelled, await item.Endings.First);
        Assert.IsType<OperationCanceledException>(item.Endings.Error);
    }

    public static TheoryData<string> RunningForms => [.. Running.Keys];

    private static readonly Dictionary<string, Func<FixedThreadPool, Action<CancellationToken>, CancellationToken, Task>> Running = new()
    {
        ["an action"] = static (pool, work, token) => pool.RunAsync(work, token).AsTask(),
        ["a function"] = static (pool, work, token) => pool.RunAsync(token => { work(token); return 1; }, token).AsTask(),
        ["an asynchronous function"] = static (pool, work, token) => pool.RunAsync(async token =>
        {
            await Task.Yield();
            work(token);
        }, token).AsTask(),
        ["a blocking call"] = static (pool, work, token) => Task.Factory.StartNew(
            () => pool.Run(work, token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default),
        ["a call in place"] = static (pool, work, token) => pool.RunAsync(() => pool.Run(work, token)).AsTask(),
    };

    [Theory]
    [MemberData(nameof(RunningForms))]
    public async Task A_caller_that_cancels_running_work_gets_an_exception_with_its_own_token(string form)
    {
        using FixedThreadPool pool = Pools.Make();
        foreach (bool linked in new[] { false, true })
        {
            using var cts = new CancellationTokenSource();
            using var started = new ManualResetEventSlim();
            Task call = Running[form](pool, token =>
            {
                using var own = CancellationTokenSource.CreateLinkedTokenSource(token);
                CancellationToken mine = linked ? own.Token : token;
                started.Set();
                mine.WaitHandle.WaitOne(Patience.Long);
                mine.ThrowIfCancellationRequested();
            }, cts.Token);
            started.WaitPatiently();
            cts.Cancel();
            var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(call.Patiently);
            Assert.Equal(cts.Token, error.CancellationToken);
            Assert.IsAssignableFrom<OperationCanceledException>(error.InnerException); // the exception of the work, with its stack trace
        }
    }

    [Fact]
    public async Task The_exception_of_a_cancellation_by_the_pool_does_not_carry_the_callers_token()
    {
        FixedThreadPool pool = Pools.Make();
        using var cts = new CancellationTokenSource();
        using var started = new ManualResetEventSlim();
        Task call = pool.RunAsync(token =>
        {
            started.Set();
            token.WaitHandle.WaitOne(Patience.Long);
            token.ThrowIfCancellationRequested();
        }, cts.Token).AsTask();
        started.WaitPatiently();
        pool.CancelAll();
        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(call.Patiently);
        Assert.NotEqual(cts.Token, error.CancellationToken);
        pool.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_item_submitted_with_a_cancelled_token_is_accepted_and_ends_at_once(bool batch)
    {
        using FixedThreadPool pool = Pools.Make();
        using Occupation busy = pool.Occupy();
        var item = new TestItem();
        var token = new CancellationToken(canceled: true);
        if (batch) Assert.Equal(1, pool.TrySubmit([item], token));
        else pool.Accepted(item, token);
        Assert.Equal([WorkOutcome.Cancelled], item.Endings.Outcomes);
        Assert.Equal(0, pool.GetSnapshot().QueueLength);
        await Assert.ThrowsAsync<TaskCanceledException>(
            () => pool.RunAsync(() => 1, token).Patiently());
        Assert.Equal((2, 1), (pool.GetSnapshot().Accepted, pool.GetSnapshot().Counts[WorkOutcome.Cancelled])); // the call was not submitted
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_token_of_a_refused_submission_does_not_cancel_the_next_submission(bool cancelledBefore)
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        using var cts = new CancellationTokenSource();
        if (cancelledBefore) cts.Cancel();
        var item = new TestItem();
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(item, cts.Token));
        cts.Cancel();
        Assert.False(item.CancelRequested);
        busy.Dispose();
        Patience.Until(() => pool.Answer(item) == SubmitResult.Accepted);
        Assert.Equal(WorkOutcome.Completed, await item.Endings.First);
        Assert.Equal(1, item.Runs);
    }

    [Fact]
    public async Task An_item_that_was_cancelled_before_a_refused_submission_is_still_cancelled_after_it()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        var item = new TestItem();
        item.Cancel();
        Assert.Equal(
            SubmitResult.QueueFull, pool.Answer(item, new CancellationToken(canceled: true)));
        busy.Dispose();
        Patience.Until(() => pool.Answer(item) == SubmitResult.Accepted);
        Assert.Equal(WorkOutcome.Cancelled, await item.Endings.First);
    }

    [Fact]
    public void A_token_of_a_former_submission_does_not_reach_the_next()
    {
        const int Rounds = 3000;
        using FixedThreadPool pool = Pools.Make();
        using var meet = new Barrier(2);
        CancellationTokenSource? cts = null;
        // Cancels at the very moment the item ends and is submitted again.
        Thread canceller = Patience.OnOwnThread(() =>
        {
            for (int i = 0; i < Rounds; i++)
            {
                meet.SignalAndWait(TestContext.Current.CancellationToken);
                Thread.SpinWait(i % 500);
                cts!.Cancel();
                meet.SignalAndWait(TestContext.Current.CancellationToken);
            }
        });
        int leaked = 0;
        int reached = 0;
        for (int i = 0; i < Rounds; i++)
        {
            cts = new CancellationTokenSource();
            var item = new TestItem(static self => self.CancellationToken.ThrowIfCancellationRequested());
            meet.SignalAndWait(TestContext.Current.CancellationToken);
            pool.Accepted(item, cts.Token);
            var spin = default(SpinWait);
            while (item.Endings.Count < 1) spin.SpinOnce(sleep1Threshold: -1);
            pool.Accepted(item);
            while (item.Endings.Count < 2) spin.SpinOnce(sleep1Threshold: -1);
            if (item.Endings.Outcomes.First() == WorkOutcome.Cancelled) reached++;
            if (item.Endings.Outcomes.Last() != WorkOutcome.Completed) leaked++;
            meet.SignalAndWait(TestContext.Current.CancellationToken);
            cts.Dispose();
        }
        canceller.JoinPatiently();
        TestContext.Current.TestOutputHelper?.WriteLine($"reached {reached} of {Rounds}");
        Assert.Equal(0, leaked);
    }

    [Fact]
    public void A_token_callback_that_runs_while_its_submission_ends_does_not_cancel_the_next_one()
    {
        using FixedThreadPool pool = Pools.Make();
        using Occupation busy = pool.Occupy();
        using var cts = new CancellationTokenSource();
        var item = new TestItem();
        pool.Accepted(item, cts.Token);
        object watch = typeof(PoolWorkItem).GetField("_watch", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(item)!;
        Thread canceller;
        lock (watch)
        {
            canceller = Patience.OnOwnThread(cts.Cancel);
            Patience.Until(() => canceller.ThreadState.HasFlag(ThreadState.WaitSleepJoin)); // in the callback, before its first step
            Assert.True(item.Cancel());
            pool.Accepted(item);
        }
        canceller.JoinPatiently();
        Assert.Equal(1, item.Endings.Count);
        Assert.Equal(1, pool.GetSnapshot().QueueLength);
        busy.Dispose();
        Patience.Until(() => item.Endings.Count == 2);
        Assert.Equal([WorkOutcome.Cancelled, WorkOutcome.Completed], item.Endings.Outcomes);
    }

    [Fact]
    public async Task A_cancel_reason_given_before_the_submission_is_not_overwritten_by_the_token()
    {
        using FixedThreadPool pool = Pools.Make();
        var item = new TestItem();
        item.Cancel("withdrawn");
        pool.Accepted(item, new CancellationToken(canceled: true));
        Assert.Equal(WorkOutcome.Withdrawn, await item.Endings.First);
    }

    [Fact]
    public void A_refused_submission_keeps_an_explicit_cancel_and_drops_the_cancel_of_its_token()
    {
        using FixedThreadPool pool = Pools.Make();
        var core = new PoolCore(Pools.Options(), null!);
        var asked = new TestItem();
        var notAsked = new TestItem(static self => self.CancellationToken.ThrowIfCancellationRequested());
        Assert.False(notAsked.CancellationToken.IsCancellationRequested); // the read creates the source of the token
        using var cts = new CancellationTokenSource();
        foreach (TestItem item in (TestItem[])[asked, notAsked])
        {
            WorkItemState was = item.Claim(core, WorkPriority.Normal, core.Clock.Now, long.MaxValue);
            item.Watch<ProcessorOps>(core, cts.Token);
            if (item == notAsked) Patience.OnOwnThread(cts.Cancel).JoinPatiently();
            else item.Cancel("withdrawn");
            item.Unclaim<ProcessorOps>(was);
        }
        foreach (TestItem item in (TestItem[])[asked, notAsked])
        {
            pool.Accepted(item);
            Patience.Until(() => item.Endings.Count == 1);
        }
        Assert.Equal([WorkOutcome.Withdrawn], asked.Endings.Outcomes);
        Assert.Equal([WorkOutcome.Completed], notAsked.Endings.Outcomes);
    }

    [Fact]
    public async Task An_explicit_cancel_after_the_tokens_cancel_survives_a_refused_submission()
    {
        using FixedThreadPool pool = Pools.Make();
        var core = new PoolCore(Pools.Options(), null!);
        var item = new TestItem();
        WorkItemState was = item.Claim(core, WorkPriority.Normal, core.Clock.Now, long.MaxValue);
        item.Watch<ProcessorOps>(core, new CancellationToken(canceled: true));
        item.Cancel("withdrawn");
        item.Unclaim<ProcessorOps>(was);
        pool.Accepted(item);
        Assert.Equal(WorkOutcome.Withdrawn, await item.Endings.First);
    }

    [Fact]
    public void A_token_that_is_still_alive_holds_no_reference_to_ended_items()
    {
        using FixedThreadPool pool = Pools.Make();
        using var cts = new CancellationTokenSource();
        List<WeakReference> gone = Submit(pool, cts.Token);
        Patience.Until(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return !gone.Exists(static item => item.IsAlive);
        });
        GC.KeepAlive(cts);

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static List<WeakReference> Submit(FixedThreadPool pool, CancellationToken token)
        {
            TestItem[] items = [.. Enumerable.Range(0, 20).Select(_ => new TestItem())];
            foreach (TestItem item in items) pool.Accepted(item, token);
            Patience.Until(() => Array.TrueForAll(items, static item => item.Endings.Count == 1));
            pool.Run(static () => { });
            return [.. items.Select(static item => new WeakReference(item))];
        }
    }
}
