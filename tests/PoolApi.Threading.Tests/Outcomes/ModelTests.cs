using System.Collections.Concurrent;
using CsCheck;

namespace PoolApi.Threading.Tests.Outcomes;

/// <summary>P1 under random operations: in sequence against a model, and concurrently. CsCheck shrinks a sequence that fails.</summary>
[Trait("Category", "Slow")]
public class ModelTests
{
    private static readonly Gen<List<(int Kind, int A, int B)>> Steps =
        Gen.Select(Gen.Int[0, 15], Gen.Int[0, 20], Gen.Int[0, 20]).List[1, 60];

    [Fact]
    public void The_pool_behaves_like_the_model_under_random_operations() =>
        Gen.Select(Gen.Int[1, 3], Gen.Int[1, 6], Steps).Sample(
            static (workers, capacity, steps) =>
            {
                var model = new PoolModel(workers, capacity);
                try
                {
                    foreach ((int kind, int a, int b) in steps) Do(model, kind, a, b);
                    model.Finish();
                }
                catch
                {
                    model.Abort();
                    throw;
                }
            },
            iter: LongTests.Wanted ? 1000 : 100,
            threads: 1);

    [Fact]
    public void Each_accepted_item_ends_once_under_random_concurrent_operations() =>
        Gen.Select(Gen.Int[1, 3], Gen.Int[1, 6], Steps).Sample(
            static (workers, capacity, steps) =>
            {
                const int Threads = 3;
                FixedThreadPool pool = Pools.Make(workers, capacity);
                var accepted = new ConcurrentQueue<TestItem>();
                var faults = new ConcurrentQueue<Exception>();
                using var together = new Barrier(Threads);
                Thread[] threads = [.. Enumerable.Range(0, Threads).Select(n => Patience.OnOwnThread(() =>
                {
                    try
                    {
                        together.SignalAndWait(Patience.Long);
                        for (int i = n; i < steps.Count; i += Threads) DoAtOnce(pool, accepted, steps[i]);
                    }
                    catch (Exception e)
                    {
                        faults.Enqueue(e);
                    }
                }))];
                foreach (Thread thread in threads) thread.JoinPatiently();
                Patience.OnOwnThread(pool.Dispose).JoinPatiently();
                Assert.Empty(faults);
                PoolSnapshot end = pool.GetSnapshot();
                Pools.AddsUp(end);
                Assert.Equal((accepted.Count, (long)accepted.Count), (end.Accepted, end.Counts.Values.Sum()));
                Assert.All(accepted, static item => Assert.Equal(1, item.Endings.Count));
                Assert.Equal(end.Counts[WorkOutcome.Completed], accepted.Sum(static item => (long)item.Runs));
                foreach (WorkOutcome outcome in new[] { WorkOutcome.Completed, WorkOutcome.Cancelled, WorkOutcome.Expired })
                {
                    long counted = outcome switch
                    {
                        WorkOutcome.Completed => end.Counts[WorkOutcome.Completed],
                        WorkOutcome.Cancelled => end.Counts[WorkOutcome.Cancelled],
                        _ => end.Counts[WorkOutcome.Expired],
                    };
                    Assert.Equal(counted, accepted.Count(item => item.Endings.Outcomes.First() == outcome));
                }
            },
            iter: LongTests.Wanted ? 1000 : 100,
            threads: 1);

    private static void Do(PoolModel model, int kind, int a, int b)
    {
        var priority = (WorkPriority)((a % 3) - 1);
        switch (kind)
        {
            case <= 4:
                model.Submit(priority, limit: b % 7, fails: b % 5 == 0);
                break;
            case <= 6:
                model.SubmitBatch(1 + (b % 8), priority, limit: a % 4);
                break;
            case <= 8:
                model.Cancel(a);
                break;
            case <= 10:
                model.Advance(1 + (a % 4));
                break;
            case <= 13:
                model.Release(a);
                break;
            case 14:
                model.Resize(1 + (a % 4));
                break;
            default:
                if (a == 0) model.Close(); // rarely, because a closed pool accepts no more items
                break;
        }
    }

    private static void DoAtOnce(FixedThreadPool pool, ConcurrentQueue<TestItem> accepted, (int Kind, int A, int B) step)
    {
        var options = new WorkOptions(priority: (WorkPriority)((step.A % 3) - 1), maxQueueTime: step.B % 3 == 0 ? TimeSpan.FromMilliseconds(step.B % 2) : null);
        switch (step.Kind)
        {
            case <= 5:
                Submit(default);
                break;
            case <= 8:
                TestItem[] items = [.. Enumerable.Range(0, 1 + step.B).Select(_ => new TestItem(_ => Thread.SpinWait(step.A * 10)))];
                foreach (TestItem item in items[..pool.TrySubmit(items, options: options)]) accepted.Enqueue(item);
                break;
            case <= 10:
                using (var cts = new CancellationTokenSource())
                {
                    Submit(cts.Token);
                    Thread.SpinWait(step.B * 20);
                    cts.Cancel();
                }
                break;
            case <= 12:
                if (!accepted.IsEmpty) accepted.Last().Cancel();
                break;
            case <= 14:
                pool.Resize(1 + (step.A % 4));
                break;
            default:
                if (step.A == 0) _ = pool.CloseAsync();
                else pool.WaitForSpaceBlocking(TimeSpan.FromMilliseconds(1));
                break;
        }

        void Submit(CancellationToken token)
        {
            var item = new TestItem(_ => Thread.SpinWait(step.B * 10));
            if (pool.Answer(item, token, options) == SubmitResult.Accepted) accepted.Enqueue(item);
        }
    }
}
