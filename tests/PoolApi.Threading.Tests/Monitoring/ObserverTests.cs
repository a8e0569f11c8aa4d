namespace PoolApi.Threading.Tests.Monitoring;

/// <summary>The observer of a pool is notified of each event once.</summary>
public class ObserverTests
{
    private readonly RecordingObserver _observer = new();

    [Fact]
    public async Task The_observer_is_notified_once_of_the_start_and_the_end_of_each_item()
    {
        FixedThreadPool pool = Pools.Make(1, capacity: 3, observer: _observer);
        var completed = new TestItem();
        var failed = new TestItem(_ => throw new InvalidDataException("on purpose"));
        var asynchronous = new AsyncTestItem(async _ =>
        {
            await Task.Yield();
            await Task.Yield();
        });
        var cancelled = new TestItem();
        var notStarted = new TestItem();
        foreach (PoolWorkItem item in new PoolWorkItem[] { completed, failed, asynchronous })
        {
            pool.Accepted(item);
            Patience.Until(() => _observer.Finished.Any(f => f.Item == item));
        }
        Occupation busy = pool.Occupy();
        pool.Accepted(cancelled);
        pool.Accepted(notStarted);
        PoolWorkItem[] batch = [new TestItem(), new TestItem()];
        Assert.Equal(1, pool.TrySubmit(batch));
        var refused = new TestItem();
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(refused));
        cancelled.Cancel("withdrawn");
        pool.CancelAll();
        busy.Dispose();
        await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        pool.Dispose();

        PoolWorkItem[] accepted = [completed, failed, asynchronous, busy.Items[0], cancelled, notStarted, batch[0]];
        Assert.Equal(accepted.ToHashSet(), _observer.Finished.Select(f => f.Item).ToHashSet());
        Assert.Equal(accepted[..4], _observer.Started.Select(s => s.Item));
        Assert.All(_observer.Started, s => Assert.Equal(0, s.Worker));
        Assert.Equal(accepted.Length, _observer.Finished.Count);
        Finished(completed, WorkOutcome.Completed);
        Assert.IsType<InvalidDataException>(Finished(failed, WorkOutcome.Failed));
        Finished(asynchronous, WorkOutcome.Completed);
        Finished(busy.Items[0], WorkOutcome.Completed);
        Finished(cancelled, WorkOutcome.Withdrawn);
        Finished(notStarted, WorkOutcome.NotStarted);
        Finished(batch[0], WorkOutcome.NotStarted);

        Exception? Finished(PoolWorkItem item, WorkOutcome outcome)
        {
            (_, WorkOutcome actual, Exception? error) = Assert.Single(_observer.Finished, f => f.Item == item);
            Assert.Equal(outcome, actual);
            return error;
        }
    }

    [Fact]
    public async Task The_observer_is_notified_of_the_start_and_the_end_of_tasks_and_callbacks()
    {
        using FixedThreadPool pool = Pools.Make(1, observer: _observer);
        await Task.Factory.StartNew(static () => { }, CancellationToken.None, TaskCreationOptions.None, pool.TaskScheduler).Patiently();
        pool.SynchronizationContext.Send(static _ => { }, null);
        Patience.Until(() => _observer.Finished.Count == 2);
        Assert.Equal(["task", "callback"], _observer.Started.Select(s => s.Item.Kind));
        Assert.Equal(_observer.Started.Select(s => s.Item), _observer.Finished.Select(f => f.Item));
    }

    [Fact]
    public void An_item_is_notified_of_its_end_after_the_observer()
    {
        using FixedThreadPool pool = Pools.Make(1, observer: _observer);
        int finishedBefore = 0;
        var item = new TestItem { WhenEnded = (self, _) => finishedBefore = _observer.Finished.Count(f => f.Item == self) };
        pool.Accepted(item);
        Patience.Until(() => item.Endings.Count == 1);
        Patience.Until(() => Volatile.Read(ref finishedBefore) == 1);
    }

    [Fact]
    public async Task An_exception_on_a_worker_of_another_pool_is_reported_without_a_worker_id()
    {
        var observer = new UnhandledObserver();
        using FixedThreadPool pool = Pools.Make(observer: observer);
        using FixedThreadPool other = Pools.Make();
        using Occupation busy = pool.Occupy();
        var item = new TestItem { WhenEnded = static (_, _) => throw new InvalidDataException("on purpose") };
        pool.Accepted(item);
        Assert.True(await other.RunAsync(() => item.Cancel()).Patiently());
        Assert.Equal((item, null), Assert.Single(observer.Calls));
        var own = new TestItem { WhenEnded = item.WhenEnded };
        pool.Accepted(own);
        busy.Dispose();
        Patience.Until(() => observer.Calls.Count == 2);
        Assert.Equal((own, 0), observer.Calls.Last());
    }

    [Fact]
    public async Task The_observer_sees_each_worker_start_and_stop_on_its_own_thread_and_then_joined()
    {
        FixedThreadPool pool = Pools.Make(3, observer: _observer);
        Patience.Until(() => _observer.WorkersStarted.Count == 3);
        Assert.Empty(_observer.WorkersStopped);
        await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        Assert.Equal([0, 1, 2], _observer.WorkersStarted.Select(s => s.Worker).Order());
        Assert.Equal(_observer.WorkersStarted.OrderBy(s => s.Worker), _observer.WorkersStopped.OrderBy(s => s.Worker));
        Assert.All(_observer.WorkersStarted, s => Assert.Equal($"{pool.Name}-{s.Worker}", s.Thread.Name));
        Assert.Equal([0, 1, 2], _observer.Joined);
        pool.Dispose();
    }

    [Fact]
    public async Task An_observer_that_throws_at_every_call_does_not_disturb_the_pool()
    {
        var throwing = new RecordingObserver(throws: true);
        FixedThreadPool pool = Pools.Make(2, observer: throwing, stuckAfter: TimeSpan.FromMilliseconds(1), more: o => o.MaxStandIns = 1);
        var items = new TestItem[100];
        for (int i = 0; i < items.Length; i++) pool.Accepted(items[i] = new TestItem());
        foreach (TestItem item in items) Assert.Equal(WorkOutcome.Completed, await item.Endings.First);
        pool.Accepted(new DeadlyItem());
        using (pool.Occupy()) Patience.Until(() => throwing.Stuck.Count >= 2);
        Patience.Until(() => throwing.Recovered.Count >= 2);
        pool.Resize(1);
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently());
        ShutdownReport report = await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        Assert.Empty(report.NotJoined);
        Assert.Equal(report.Accepted, report.Counts.Values.Sum());
        Assert.Equal(report.Accepted, throwing.Finished.Count);
        Assert.Single(throwing.Replaced);
        Assert.All(items, item => Assert.Equal(1, item.Endings.Count));
        pool.Dispose();
    }

    private sealed class UnhandledObserver : IFixedThreadPoolObserver
    {
        public System.Collections.Concurrent.ConcurrentQueue<(PoolWorkItem? Item, int? Worker)> Calls { get; } = new();

        public void UnhandledException(Exception exception, PoolWorkItem? item, int? workerId) => Calls.Enqueue((item, workerId));
    }
}
