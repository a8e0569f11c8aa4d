using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Threading.Tests.Monitoring;

/// <summary>The records that the workers write of their work.</summary>
public class RecordingTests
{
    private static readonly ActivityTraceId Trace = ActivityTraceId.CreateRandom();

    [Fact]
    public async Task An_item_that_is_measured_has_a_record_of_its_own()
    {
        using FixedThreadPool pool = Pools.Make();
        var item = new TestItem { KindIs = "render", OriginIs = "/render", TraceIs = Trace };
        pool.Accepted(item);
        await item.Endings.First;

        ItemRecord record = Assert.Single(Read(pool));
        Assert.Equal(("render", "/render", Trace), (record.Kind, record.Origin, record.TraceId));
        Assert.Equal((RecordForm.Item, WorkOutcome.Completed, 1), (record.Form, record.Outcome, record.Count));
        Assert.Equal(item.QueueTime, pool.Core.Clock.Elapsed(record.Mark, record.Started));
        Assert.Equal(item.RunTime, pool.Core.Clock.Elapsed(record.Started, record.Ended));
    }

    [Fact]
    public async Task An_item_that_is_not_measured_has_its_own_record_if_it_is_slow_or_fails()
    {
        using FixedThreadPool pool = Pools.Make();
        await pool.RunAsync(static () => Thread.Sleep(1), options: new WorkOptions(kind: "slow")); // slow enough for a record of its own
        await Assert.ThrowsAsync<InvalidOperationException>(
            async () => await pool.RunAsync(static () => throw new InvalidOperationException("as asked"), options: new WorkOptions(kind: "bad")));
        Assert.Equal(
            [("slow", WorkOutcome.Completed), ("bad", WorkOutcome.Failed)],
            Read(pool).Where(static r => r.Form == RecordForm.Item).Select(static r => (r.Kind, r.Outcome)));
    }

    [Fact]
    public async Task Tiny_items_are_counted_in_runs_and_none_is_missing()
    {
        const int Waves = 25, Items = 4000;
        // The clock stands still: no item takes long, and no run lasts too long, however busy the machine is.
        using FixedThreadPool pool = Pools.Make(2, capacity: Items + 2, time: new FakeTimeProvider());
        for (int wave = 0; wave < Waves; wave++)
        {
            using (pool.Occupy())
            {
                for (int i = 0; i < Items; i++) pool.Accepted(new QuickItem());
            }
            Patience.Until(() => pool.GetSnapshot() is { InFlight: 0, QueueLength: 0 });
        }
        await pool.ShutdownAsync(Timeout.InfiniteTimeSpan);
        ItemRecord[] runs = [.. Read(pool).Where(static r => r.Form == RecordForm.Run)];
        Assert.Equal(Waves * Items, runs.Sum(static r => r.Count));
        Assert.InRange(runs.Length, Waves, Waves * Items / 10);
    }

    [Fact]
    public async Task The_recorded_time_is_the_workers_busy_time()
    {
        // One worker, and only its items advance the clock.
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(time: time);
        TestItem[] items = [.. Enumerable.Range(0, 150).Select(i => new TestItem(_ => time.Advance(TimeSpan.FromMicroseconds((i % 3) switch
        {
            0 => 2000,
            1 => 500,
            _ => 60,
        }))))];
        foreach (TestItem item in items) pool.Accepted(item);
        foreach (TestItem item in items) await item.Endings.First;
        await pool.ShutdownAsync(Timeout.InfiniteTimeSpan);
        TimeSpan recorded = Read(pool).Aggregate(TimeSpan.Zero, (sum, r) => sum + pool.Core.Clock.Elapsed(r.Started, r.Ended));
        Assert.Equal(TimeSpan.FromMicroseconds(50 * (2000 + 500 + 60)), recorded);
        Assert.Equal(recorded, Assert.Single(pool.GetSnapshot().Workers).BusyTime);
    }

    [Fact]
    public async Task The_record_of_a_workers_first_item_covers_the_whole_busy_time_of_the_worker()
    {
        var item = new TestItem(static _ => { }) { KindIs = "first" };
        using var pool = new FixedThreadPool(new()
        {
            Workers = 1,
            TimeProvider = new SteppingClock(TimeSpan.FromMilliseconds(1)),
            CreateWorkerState = _ => FixedThreadPool.Current!.TrySubmit(item), // queued before the worker first looks
        });
        await item.Endings.First;
        await pool.ShutdownAsync(Timeout.InfiniteTimeSpan);

        ItemRecord record = Assert.Single(Read(pool));
        Assert.Equal(pool.Core.Clock.Elapsed(record.Started, record.Ended), Assert.Single(pool.GetSnapshot().Workers).BusyTime);
    }

    [Fact]
    public async Task The_record_equals_the_busy_time_if_the_worker_read_the_clock_before_the_submission()
    {
        var clock = new LaggingClock();
        using FixedThreadPool pool = Pools.Make(time: clock);
        var item = new TestItem(_ => clock.LagOfWorkers = 0) { KindIs = "late" };
        clock.LagOfWorkers = TimeSpan.TicksPerSecond;
        pool.Accepted(item);
        await item.Endings.First;
        await pool.ShutdownAsync(Timeout.InfiniteTimeSpan);

        ItemRecord record = Assert.Single(Read(pool));
        Assert.Equal(pool.Core.Clock.Elapsed(record.Started, record.Ended), Assert.Single(pool.GetSnapshot().Workers).BusyTime);
    }

    [Fact]
    public async Task The_records_of_one_worker_never_overlap()
    {
        using FixedThreadPool pool = Pools.Make(2);
        for (int i = 0; i < 500; i++)
        {
            await pool.RunAsync(static () => Spin(2));
            if (i % 10 == 0) await Task.WhenAll(pool.RunAsync(static () => Spin(100)).AsTask(), pool.RunAsync(static () => Spin(1)).AsTask());
        }
        await pool.ShutdownAsync(Timeout.InfiniteTimeSpan);
        int count = 0;
        foreach (Core.Worker worker in pool.Core.Workers.All)
        {
            int cursor = 0;
            var records = new List<ItemRecord>();
            worker.Recorder.Read(ref cursor, records);
            count += records.Count;
            Assert.All(records, static r => Assert.True(r.Started <= r.Ended));
            Assert.All(records.Zip(records.Skip(1)), static pair => Assert.True(pair.First.Ended <= pair.Second.Started));
        }
        Assert.NotEqual(0, count);
    }

    [Fact]
    public async Task Each_piece_of_an_asynchronous_item_is_a_record_and_the_last_has_its_outcome()
    {
        using FixedThreadPool pool = Pools.Make();
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ValueTask work = pool.RunAsync(async () =>
        {
            await go.Task;
            await Task.Yield();
            throw new InvalidOperationException("as asked");
        });
        Patience.Until(() => pool.GetSnapshot().Suspended == 1);
        go.SetResult();
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await work);

        List<ItemRecord> pieces = Read(pool);
        Assert.Equal([RecordForm.FirstPiece, RecordForm.Piece, RecordForm.LastPiece], pieces.Select(static p => p.Form));
        Assert.Equal(WorkOutcome.Failed, pieces[2].Outcome);
        Assert.InRange(pieces[2].Mark, pieces[0].Started, pieces[0].Ended); // when the item started
    }

    [Fact]
    public void An_item_that_is_cancelled_in_the_queue_is_recorded()
    {
        using FixedThreadPool pool = Pools.Make();
        var cancelled = new TestItem { KindIs = "late" };
        using (pool.Occupy())
        {
            pool.Accepted(cancelled);
            Assert.True(cancelled.Cancel("late"));
        }
        int cursor = 0;
        var records = new List<ItemRecord>();
        pool.Core.Records.ReadElsewhere(ref cursor, records);
        ItemRecord record = Assert.Single(records);
        Assert.Equal(("late", RecordForm.End, WorkOutcome.Withdrawn, 0L), (record.Kind, record.Form, record.Outcome, record.Started));
        Assert.Equal(cancelled.QueueTime, pool.Core.Clock.Elapsed(record.Mark, record.Ended));
    }

    [Fact]
    public async Task A_timed_out_item_has_one_end_record_and_its_worker_has_a_late_record()
    {
        using FixedThreadPool pool = Pools.Make();
        using var go = new ManualResetEventSlim();
        await Assert.ThrowsAsync<WorkTimedOutException>(
            async () => await pool.RunAsync(() => go.Wait(CancellationToken.None), options: new WorkOptions(maxRunTime: TimeSpan.FromMilliseconds(5))));
        go.Set();
        await pool.RunAsync(static () => { });
        Assert.Contains(Read(pool), static r => r.Form == RecordForm.Late);
        int cursor = 0;
        var ends = new List<ItemRecord>();
        pool.Core.Records.ReadElsewhere(ref cursor, ends);
        Assert.Equal(WorkOutcome.TimedOut, Assert.Single(ends).Outcome);
    }

    [Fact]
    public async Task A_stand_in_records_the_item_that_it_runs()
    {
        using FixedThreadPool pool = Pools.Make();
        // The only worker blocks on an item of its own pool: a stand-in runs it.
        await pool.RunAsync(() => pool.RunAsync(static () => Thread.Sleep(1), options: new WorkOptions(kind: "inner")).AsTask().GetAwaiter().GetResult());
        Core.Worker standIn = Assert.Single(pool.Core.Workers.All, static w => w.Id == 1);
        int cursor = 0;
        var records = new List<ItemRecord>();
        standIn.Recorder.Read(ref cursor, records);
        Assert.Equal("inner", Assert.Single(records).Kind);
    }

    [Fact]
    public void A_worker_knows_the_systems_id_of_its_thread()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux has /proc.");
        using FixedThreadPool pool = Pools.Make();
        pool.Run(static () => { });
        int id = pool.Core.Workers.All[0].ThreadId;
        Assert.Equal(pool.Core.Workers.All[0].Name, File.ReadAllText($"/proc/self/task/{id}/comm").Trim());
    }

    [Fact]
    public void Refusals_are_counted_by_reason()
    {
        using FixedThreadPool pool = Pools.Make(1, capacity: 1);
        using (pool.Occupy())
        {
            pool.Accepted(new TestItem());
            for (int i = 0; i < 3; i++) Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
        }
        ((IPoolAdmission)pool).CountRejected("quota");
        _ = pool.CloseAsync();
        Assert.Equal(SubmitResult.Closed, pool.Answer(new TestItem()));
        Assert.Equal(
            [("draining", 1L), ("queue_full", 3L), ("quota", 1L)],
            pool.Core.Records.Refusals.Select(static r => (r.Key, r.Value)).Order());
    }

    private static List<ItemRecord> Read(FixedThreadPool pool)
    {
        var records = new List<ItemRecord>();
        foreach (Core.Worker worker in pool.Core.Workers.All)
        {
            int cursor = 0;
            Assert.Equal(0, worker.Recorder.Read(ref cursor, records));
        }
        return records;
    }

    private static void Spin(int microseconds)
    {
        long until = Stopwatch.GetTimestamp() + (Stopwatch.Frequency * microseconds / 1_000_000);
        while (Stopwatch.GetTimestamp() < until) Thread.SpinWait(1);
    }

    /// <summary>The cheapest item: it does nothing and is not measured.</summary>
    private sealed class QuickItem : PoolWorkItem
    {
        public QuickItem()
            : base(isTimed: false)
        {
        }

        protected override void Execute()
        {
        }
    }

    /// <summary>Stands still, and lags for the workers, as if each had been preempted after its reading.</summary>
    private sealed class LaggingClock : TimeProvider
    {
        private long _lag;

        public long LagOfWorkers { set => Volatile.Write(ref _lag, value); }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() =>
            (10 * TimeSpan.TicksPerSecond) - (Core.Worker.Current is null ? 0 : Volatile.Read(ref _lag));
    }
}
