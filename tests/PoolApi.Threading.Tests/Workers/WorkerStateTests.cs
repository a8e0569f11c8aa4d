using System.Collections.Concurrent;

namespace PoolApi.Threading.Tests.Workers;

/// <summary>Each worker creates, uses and disposes of its state on its own thread.</summary>
public class WorkerStateTests
{
    private readonly ConcurrentQueue<State> _made = new();

    [Fact]
    public async Task Each_worker_creates_its_own_state_on_its_thread_and_its_items_can_read_it()
    {
        FixedThreadPool pool = Make(3);
        Assert.Equal([0, 1, 2], _made.Select(s => s.Id).Order());
        Assert.Null(FixedThreadPool.CurrentWorkerState);
        using var together = new Barrier(3);
        Task<(State? State, Thread Thread)>[] calls = [.. Enumerable.Range(0, 3).Select(_ => pool.RunAsync(() =>
        {
            if (!together.SignalAndWait(Patience.Long)) throw new TimeoutException("Not all three workers arrived.");
            return ((State?)FixedThreadPool.CurrentWorkerState, Thread.CurrentThread);
        }).AsTask())];
        (State? State, Thread Thread)[] seen = await Task.WhenAll(calls).Patiently();
        Assert.Equal(3, seen.Select(s => s.State).Distinct().Count());
        Assert.All(seen, s => Assert.Same(s.Thread, s.State!.MadeOn));
        Assert.All(seen, s => Assert.Equal($"{pool.Name}-{s.State!.Id}", s.Thread.Name));
        Assert.All(_made, s => Assert.Null(s.DisposedOn));
        pool.Dispose();
        Assert.All(_made, s => Assert.Same(s.MadeOn, s.DisposedOn));
    }

    [Fact]
    public void A_retired_worker_disposes_of_its_state_and_a_new_worker_creates_another()
    {
        using FixedThreadPool pool = Make(2);
        pool.Resize(1);
        Patience.Until(() => _made.Count(s => s.DisposedOn is not null) == 1);
        State gone = _made.First(s => s.DisposedOn is not null);
        Assert.Same(gone.MadeOn, gone.DisposedOn);
        pool.Resize(2);
        Patience.Until(() => _made.Count == 3);
        pool.Dispose();
        Assert.All(_made, s => Assert.Same(s.MadeOn, s.DisposedOn));
    }

    [Fact]
    public async Task A_worker_that_dies_disposes_of_its_state_and_its_successor_makes_another()
    {
        using FixedThreadPool pool = Make(1);
        pool.Accepted(new DeadlyItem());
        State? second = (State?)await pool.RunAsync(() => FixedThreadPool.CurrentWorkerState).Patiently();
        Assert.Equal(2, _made.Count);
        State first = _made.First();
        Assert.NotSame(first, second);
        Assert.Same(first.MadeOn, first.DisposedOn);
        Assert.Equal(0, second!.Id);
        Assert.Null(second.DisposedOn);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void The_constructor_throws_the_exception_of_a_worker_state_and_disposes_of_the_others(int failing)
    {
        FixedThreadPoolOptions options = Pools.Options(4);
        options.CreateWorkerState = id => id == failing ? throw new InvalidDataException("on purpose") : Add(id);
        Assert.Equal("on purpose", Assert.Throws<InvalidDataException>(() => new FixedThreadPool(options)).Message);
        Assert.Equal(3, _made.Count);
        Assert.All(_made, s => Assert.Same(s.MadeOn, s.DisposedOn));
        Assert.All(_made, s => Assert.False(s.MadeOn.IsAlive));
        Patience.Until(() => Pools.ThreadsNamed($"{options.Name}-").Count == 0);
    }

    [Fact]
    public async Task An_exception_of_the_disposal_of_a_state_is_reported_and_the_pool_continues()
    {
        var observer = new RecordingObserver();
        FixedThreadPool pool = Pools.Make(2, observer: observer, more: o => o.CreateWorkerState = static id => new Throwing());
        pool.Resize(1);
        Patience.Until(() => observer.StateFailed.Count == 1);
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently());
        ShutdownReport report = await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        Assert.Empty(report.NotJoined);
        Assert.Equal([0, 1], observer.StateFailed.Select(f => f.Worker).Order());
        Assert.All(observer.StateFailed, f => Assert.IsType<InvalidDataException>(f.Error));
        Assert.Empty(observer.Replaced);
        pool.Dispose();
    }

    [Fact]
    public async Task The_pool_continues_with_one_worker_fewer_if_a_successors_state_cannot_be_created()
    {
        var observer = new RecordingObserver();
        int made = 0;
        FixedThreadPool pool = Pools.Make(2, observer: observer, more: o => o.CreateWorkerState =
            _ => Interlocked.Increment(ref made) > 2 ? throw new InvalidDataException("on purpose") : null);
        pool.Accepted(new DeadlyItem());
        Patience.Until(() => observer.Lost.Count == 1);
        Assert.IsType<InvalidDataException>(Assert.Single(observer.StateFailed).Error);
        Assert.Equal(1, await pool.RunAsync(() => 1).Patiently());
        Assert.Single(pool.GetSnapshot().Workers, w => w.State == WorkerState.Stopped);
        Patience.OnOwnThread(pool.Dispose).JoinPatiently();
        Pools.NoThreadIsLeft(pool);
    }

    [Fact]
    public async Task State_disposals_that_hang_delay_a_resize_only_once_and_do_not_delay_a_stop()
    {
        const int Workers = 8;
        using var release = new ManualResetEventSlim();
        using var begun = new CountdownEvent(Workers - 1);
        FixedThreadPool pool = Pools.Make(Workers, more: o => o.CreateWorkerState = _ => new Blocking(begun, release));
        try
        {
            pool.Resize(1);
            Assert.True(begun.Wait(Patience.Long));
            // All waits of one resize share one second. A second for each wait would exceed the timeout.
            Patience.OnOwnThread(() => pool.Resize(Workers)).JoinPatiently(MachineLoad.Stretch(TimeSpan.FromSeconds(5)));
            Assert.Equal(Workers, pool.Core.Queue.LiveWorkers);
            ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
            Assert.True(report.NotJoined.Count >= Workers - 1);
        }
        finally
        {
            release.Set();
        }
        pool.Dispose();
        Pools.NoThreadIsLeft(pool);
    }

    private FixedThreadPool Make(int workers) => Pools.Make(workers, more: o => o.CreateWorkerState = Add);

    private State Add(int id)
    {
        var state = new State(id);
        _made.Enqueue(state);
        return state;
    }

    private sealed class State(int id) : IDisposable
    {
        public int Id => id;

        public Thread MadeOn { get; } = Thread.CurrentThread;

        public Thread? DisposedOn { get; private set; }

        public void Dispose() => DisposedOn = Thread.CurrentThread;
    }

    private sealed class Blocking(CountdownEvent begun, ManualResetEventSlim release) : IDisposable
    {
        public void Dispose()
        {
            if (begun.CurrentCount > 0) begun.Signal();
            release.WaitPatiently();
        }
    }

    private sealed class Throwing : IDisposable
    {
        public void Dispose() => throw new InvalidDataException("on purpose");
    }
}
