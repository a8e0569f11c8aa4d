using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace PoolApi.Threading.Tests.Outcomes;

/// <summary>
/// P1 under load: many threads submit in every way, cancel items and wait for space. Items fail, await and expire. The pool
/// is resized, and stops in the middle.
/// </summary>
public class StormTests
{
    private const int Submitters = 4;
    private const int ItemsEach = 1500;
    private const int MostWorkers = 5;

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    [InlineData(4, true)]
    [InlineData(0, false)] // 0: another seed each time
    [InlineData(0, true)]
    public async Task Every_accepted_item_ends_exactly_once_and_the_counts_always_add_up(int seed, bool cancels)
    {
        if (seed == 0) seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}, cancels: {cancels}");
        var time = new FakeTimeProvider();
        FixedThreadPool pool = Pools.Make(3, capacity: 40, time: time, maxQueueTime: TimeSpan.FromMilliseconds(20));
        var endings = new ConcurrentQueue<Endings>();
        var calls = new ConcurrentQueue<Task>();
        var faults = new ConcurrentQueue<Exception>();
        int done = 0;
        int rejected = 0;
        int batched = 0; // the items of batches, beside the one item of each step
        using var half = new ManualResetEventSlim();

        Thread[] submitters = Enumerable.Range(0, Submitters).Select(n => Patience.OnOwnThread(() => Guard(() =>
        {
            var random = new Random(seed + n);
            var mine = new List<PoolWorkItem>();
            for (int i = 0; i < ItemsEach; i++)
            {
                SubmitOne(random, mine);
                if (mine.Count > 0 && random.Next(4) == 0)
                    mine[^random.Next(1, Math.Min(mine.Count, 20) + 1)].Cancel(random.Next(2) == 0 ? "withdrawn" : null);
                if (random.Next(8) == 0) time.Advance(TimeSpan.FromMilliseconds(random.Next(12)));
                if (random.Next(16) == 0) Thread.Yield();
                if (Interlocked.Increment(ref done) == Submitters * ItemsEach / 2) half.Set();
            }
        }))).ToArray();

        bool over = false;
        Thread watcher = Patience.OnOwnThread(() => Guard(() =>
        {
            while (!Volatile.Read(ref over)) Pools.AddsUp(pool.GetSnapshot());
        }));

        var resizing = new Random(seed);
        while (!half.Wait(1, TestContext.Current.CancellationToken)) pool.Resize(resizing.Next(1, MostWorkers + 1));
        pool.Resize(MostWorkers);
        Task<ShutdownReport> stop = pool.ShutdownAsync(cancels ? TimeSpan.Zero : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        foreach (Thread submitter in submitters) submitter.JoinPatiently(MachineLoad.Stretch(Patience.Long));
        // Nothing advances the clock any more, and the grace time is infinite: the stop ends only because every item has ended.
        ShutdownReport report = await stop.Patiently();
        Volatile.Write(ref over, true);
        watcher.JoinPatiently();
        await Task.WhenAll(calls).ContinueWith(static _ => { }, TaskScheduler.Default).Patiently(); // whatever their outcomes
        pool.Dispose();

        Assert.Empty(faults);
        Pools.AddsUp(pool.GetSnapshot());
        Assert.All(endings, e => Assert.Equal(1, e.Count));
        Assert.Equal(report.Accepted, endings.Count + calls.Count);
        Assert.Equal(report.Accepted, report.Counts.Values.Sum());
        Assert.Equal(0, report.Counts[WorkOutcome.Abandoned]);
        Assert.Equal((Submitters * ItemsEach) + batched, report.Accepted + rejected);
        int EndedItems(WorkOutcome outcome) => endings.Count(e => e.Outcomes.First() == outcome);
        Assert.Equal(report.Counts[WorkOutcome.Completed], EndedItems(WorkOutcome.Completed) + calls.Count(c => c.IsCompletedSuccessfully));
        Assert.Equal(report.Counts[WorkOutcome.Cancelled], EndedItems(WorkOutcome.Cancelled) + calls.Count(c => c.IsCanceled));
        Assert.Equal(report.Counts[WorkOutcome.Withdrawn], EndedItems(WorkOutcome.Withdrawn));
        Assert.Equal(report.Counts[WorkOutcome.Expired], EndedItems(WorkOutcome.Expired) + NotRunCalls(WorkOutcome.Expired));
        Assert.Equal(report.Counts[WorkOutcome.NotStarted], EndedItems(WorkOutcome.NotStarted) + NotRunCalls(WorkOutcome.NotStarted));
        Assert.Equal(report.Counts[WorkOutcome.Withdrawn], EndedItems(WorkOutcome.Withdrawn));
        int timedOutCalls = calls.Count(c => c.Exception?.InnerException is WorkTimedOutException);
        Assert.Equal(report.Counts[WorkOutcome.TimedOut], EndedItems(WorkOutcome.TimedOut) + timedOutCalls);
        int failedCalls = calls.Count(c => c.Exception?.InnerException is InvalidOperationException);
        Assert.Equal(report.Counts[WorkOutcome.Failed], EndedItems(WorkOutcome.Failed) + failedCalls);
        Assert.Equal(report.Counts[WorkOutcome.Completed] + report.Counts[WorkOutcome.Failed], Pools.EveryWorker(pool).Sum(w => w.Completed + w.Failed));
        Assert.Empty(report.NotJoined);
        Pools.NoThreadIsLeft(pool);

        int NotRunCalls(WorkOutcome reason) => calls.Count(c => c.Exception?.InnerException is WorkRejectedException e && e.Outcome == reason);

        void Guard(Action body)
        {
            try
            {
                body();
            }
            catch (Exception e)
            {
                faults.Enqueue(e);
            }
        }

        void SubmitOne(Random random, List<PoolWorkItem> mine)
        {
            int dice = random.Next(100);
            int spins = random.Next(200);
            if (dice >= 70)
            {
                Call(random, dice, spins);
                return;
            }

            PoolWorkItem item = dice switch
            {
                < 20 => new TestItem(_ => Thread.SpinWait(spins)),
                < 30 => new TestItem(_ => throw new InvalidOperationException("on purpose")),
                < 45 => new TestItem(self =>
                {
                    self.CancellationToken.WaitHandle.WaitOne(spins / 50); // work that blocks, and wakes when it is cancelled
                    self.CancellationToken.ThrowIfCancellationRequested();
                }),
                < 55 => new AsyncTestItem(async _ =>
                {
                    await Task.Yield();
                    await Task.WhenAll(Hop(), Hop());
                }),
                < 60 => new AsyncTestItem(async _ => await Hop().ConfigureAwait(false)),
                < 65 => new AsyncTestItem(async self =>
                {
                    await Task.Yield();
                    self.CancellationToken.ThrowIfCancellationRequested();
                    throw new InvalidOperationException("on purpose");
                }),
                _ => new AsyncTestItem(_ => Task.CompletedTask),
            };
            Endings ending = item is TestItem sync ? sync.Endings : ((AsyncTestItem)item).Endings;
            CancellationTokenSource? cts = random.Next(4) == 0 ? new CancellationTokenSource() : null;
            var options = new WorkOptions(priority: (WorkPriority)random.Next(-1, 2), maxQueueTime: random.Next(4) == 0 ? TimeSpan.FromMilliseconds(random.Next(30)) : null, maxRunTime: random.Next(4) == 0 ? TimeSpan.FromMilliseconds(random.Next(1, 10)) : null);
            if (random.Next(8) == 0) SubmitBatch(random, cts?.Token ?? default, options, spins, mine);
            if (pool.Answer(item, cts?.Token ?? default, options) == SubmitResult.Accepted)
            {
                endings.Enqueue(ending);
                mine.Add(item);
            }
            else
            {
                Interlocked.Increment(ref rejected);
                WaitForSpace(random);
            }
            if (random.Next(2) == 0) cts?.Cancel();
        }

        void SubmitBatch(Random random, CancellationToken token, WorkOptions options, int spins, List<PoolWorkItem> mine)
        {
            TestItem[] items = [.. Enumerable.Range(0, random.Next(1, 12)).Select(_ => new TestItem(_ => Thread.SpinWait(spins)))];
            int taken = pool.TrySubmit(items, token, options);
            foreach (TestItem item in items[..taken])
            {
                endings.Enqueue(item.Endings);
                mine.Add(item);
            }
            Interlocked.Add(ref rejected, items.Length - taken);
            Interlocked.Add(ref batched, items.Length);
        }

        void WaitForSpace(Random random)
        {
            using var enough = new CancellationTokenSource();
            ValueTask<bool> room = pool.WaitForSpaceAsync(enough.Token);
            if (random.Next(2) == 0) enough.Cancel();
            try
            {
                room.Patiently().GetAwaiter().GetResult();
            }
            catch (OperationCanceledException)
            {
                // The wait was cancelled on purpose.
            }
        }

        void Call(Random random, int dice, int spins)
        {
            var cts = new CancellationTokenSource();
            var options = new WorkOptions(priority: (WorkPriority)random.Next(-1, 2), maxRunTime: random.Next(4) == 0 ? TimeSpan.FromMilliseconds(random.Next(1, 10)) : null);
            Task call = dice switch
            {
                < 80 => pool.RunAsync(() => Thread.SpinWait(spins), cts.Token, options).AsTask(),
                < 90 => pool.RunAsync(() => throw new InvalidOperationException("on purpose"), cts.Token, options).AsTask(),
                _ => pool.RunAsync(async token => await Task.Yield(), cts.Token, options: options).AsTask(),
            };
            if (call.Exception?.InnerException is WorkRejectedException { Outcome: null }) Interlocked.Increment(ref rejected);
            else calls.Enqueue(call);
            if (random.Next(3) == 0) cts.Cancel();
        }

        static async Task Hop()
        {
            await Task.Yield();
            await Task.Run(static () => { });
        }
    }
}
