using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Time.Testing;

namespace PoolApi.Threading.Tests.Monitoring;

/// <summary>The names, units, labels and values of the pool's instruments. Dashboards of users depend on them.</summary>
[Collection(nameof(MetricsTests))]
public class MetricsTests
{
    private static readonly string[] NotRun = ["cancelled", "expired", "client_gone", "not_started"];

    [Theory]
    [InlineData("poolapi.pool.workers", "{worker}", "ObservableGauge`1")]
    [InlineData("poolapi.worker.state", null, "ObservableGauge`1")]
    [InlineData("poolapi.worker.busy.time", "s", "ObservableCounter`1")]
    [InlineData("poolapi.worker.work", "{item}", "ObservableCounter`1")]
    [InlineData("poolapi.worker.replaced", "{worker}", "Counter`1")]
    [InlineData("poolapi.queue.length", "{item}", "ObservableGauge`1")]
    [InlineData("poolapi.queue.capacity", "{item}", "ObservableGauge`1")]
    [InlineData("poolapi.queue.oldest.age", "s", "ObservableGauge`1")]
    [InlineData("poolapi.work.accepted", "{item}", "ObservableCounter`1")]
    [InlineData("poolapi.work.finished", "{item}", "Counter`1")]
    [InlineData("poolapi.work.rejected", "{item}", "Counter`1")]
    [InlineData("poolapi.work.queue.duration", "s", "Histogram`1")]
    [InlineData("poolapi.work.execution.duration", "s", "Histogram`1")]
    public void The_pool_publishes_each_instrument_with_its_type_unit_and_description(string name, string? unit, string type)
    {
        using FixedThreadPool pool = Pools.Make();
        using var collected = new Collected(pool.Name);
        Instrument instrument = Assert.Single(collected.Instruments, i => i.Name == name);
        Assert.Equal((unit, type), (instrument.Unit, instrument.GetType().Name));
        Assert.False(string.IsNullOrEmpty(instrument.Description));
        Assert.Equal(FixedThreadPool.MeterName, instrument.Meter.Name);
        if (instrument is Histogram<double> histogram)
        {
            IReadOnlyList<double> bounds = histogram.Advice!.HistogramBucketBoundaries!;
            Assert.Equal((0.001, 300.0), (bounds[0], bounds[^1]));
        }
    }

    [Fact]
    public async Task The_counts_of_finished_items_by_kind_and_outcome_add_up_to_the_accepted_items()
    {
        var time = new FakeTimeProvider();
        FixedThreadPool pool = Pools.Make(1, capacity: 10, time: time, maxQueueTime: TimeSpan.FromSeconds(30));
        using var collected = new Collected(pool.Name);
        pool.Accepted(new TestItem { KindIs = "a" });
        pool.Accepted(new TestItem(_ => throw new InvalidOperationException("on purpose")) { KindIs = "b" });
        Patience.Until(() => pool.GetSnapshot().Counts.Values.Sum() == 2);
        using (var started = new ManualResetEventSlim())
        {
            var late = new TestItem(self =>
            {
                started.Set();
                self.CancellationToken.WaitHandle.WaitOne(Patience.Long);
            });
            pool.Accepted(late, options: new(maxRunTime: TimeSpan.FromSeconds(1)));
            started.WaitPatiently();
            time.Advance(TimeSpan.FromSeconds(1));
        }
        Occupation busy = pool.Occupy();
        foreach (string? reason in (string?[])[null, "client_gone"])
        {
            var item = new TestItem { KindIs = "c" };
            pool.Accepted(item);
            item.Cancel(reason);
        }
        pool.Accepted(new TestItem { KindIs = "d" });
        time.Advance(TimeSpan.FromSeconds(30));
        pool.Accepted(new TestItem { KindIs = "e" });
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
        busy.Dispose();

        Assert.Equal(1, collected.Sum("poolapi.work.finished", ("kind", "a"), ("outcome", "completed")));
        Assert.Equal(1, collected.Sum("poolapi.work.finished", ("kind", "b"), ("outcome", "failed")));
        Assert.Equal(1, collected.Sum("poolapi.work.finished", ("kind", "c"), ("outcome", "cancelled")));
        Assert.Equal(1, collected.Sum("poolapi.work.finished", ("kind", "c"), ("outcome", "client_gone")));
        Assert.Equal(1, collected.Sum("poolapi.work.finished", ("kind", "e"), ("outcome", "not_started")));
        Assert.Equal(1, collected.Sum("poolapi.work.finished", ("kind", "d"), ("outcome", "expired")));
        Assert.Equal(1, collected.Sum("poolapi.work.finished", ("kind", "test"), ("outcome", "abandoned")));
        Assert.Equal(1, collected.Sum("poolapi.work.finished", ("kind", "test"), ("outcome", "timed_out")));
        collected.Observe();
        Assert.Equal(8, report.Accepted);
        Assert.Equal(8, collected.Sum("poolapi.work.finished"));
        Assert.Equal(8, collected.Sum("poolapi.work.accepted"));
        Assert.Equal(8, collected.Count("poolapi.work.queue.duration"));
        Assert.Equal(4, collected.Count("poolapi.work.execution.duration")); // completed, failed, abandoned, timed out
        Assert.Equal(["kind", "outcome", "pool"], collected.Keys("poolapi.work.finished"));
        Assert.Equal(["pool"], collected.Keys("poolapi.work.accepted"));
        Assert.Equal(["kind", "pool"], collected.Keys("poolapi.work.queue.duration"));
        Assert.Equal(["kind", "outcome", "pool"], collected.Keys("poolapi.work.execution.duration"));
        pool.Dispose();
    }

    [Fact]
    public async Task The_instruments_show_the_current_state_of_the_workers_and_the_queue()
    {
        var time = new FakeTimeProvider();
        FixedThreadPool pool = Pools.Make(2, capacity: 5, time: time, stuckAfter: TimeSpan.FromSeconds(10));
        using var collected = new Collected(pool.Name);
        collected.Observe();
        Assert.Equal(2, collected.Sum("poolapi.pool.workers", ("state", "idle")));
        Assert.Equal(0, collected.Sum("poolapi.pool.workers", ("state", "busy")));

        using (pool.Occupy())
        {
            time.Advance(TimeSpan.FromSeconds(4));
            pool.Accepted(new TestItem());
            time.Advance(TimeSpan.FromSeconds(3));
            collected.Observe();
            Assert.Equal(2, collected.Sum("poolapi.pool.workers", ("state", "busy")));
            Assert.Equal(1, collected.Sum("poolapi.worker.state", ("worker", $"{pool.Name}-1"), ("state", "busy")));
            Assert.Equal(0, collected.Sum("poolapi.worker.state", ("worker", $"{pool.Name}-1"), ("state", "idle")));
            Assert.Equal(7, collected.Sum("poolapi.worker.busy.time", ("worker", $"{pool.Name}-0")), 3);
            Assert.Equal(1, collected.Sum("poolapi.queue.length"));
            Assert.Equal(5, collected.Sum("poolapi.queue.capacity"));
            Assert.Equal(3, collected.Sum("poolapi.queue.oldest.age"), 3);
            time.Advance(TimeSpan.FromSeconds(4));
            collected.Observe();
            Assert.Equal(2, collected.Sum("poolapi.pool.workers", ("state", "stuck")));
            Assert.Equal(2, collected.Sum("poolapi.worker.state", ("state", "stuck")));
        }
        ShutdownReport report = await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        collected.Observe();
        Assert.Equal(report.Counts[WorkOutcome.Completed], collected.Sum("poolapi.worker.work"));
        Assert.Equal(22, collected.Sum("poolapi.worker.busy.time"), 3);
        Assert.Equal(["pool", "state"], collected.Keys("poolapi.pool.workers"));
        Assert.Equal(["pool", "state", "worker"], collected.Keys("poolapi.worker.state"));
        Assert.Equal(["pool", "worker"], collected.Keys("poolapi.worker.busy.time"));
        Assert.Equal(["pool", "worker"], collected.Keys("poolapi.worker.work"));
        Assert.Equal(["pool", "priority"], collected.Keys("poolapi.queue.length"));
        Assert.Equal(["pool"], collected.Keys("poolapi.queue.capacity"));
        Assert.Equal(["pool"], collected.Keys("poolapi.queue.oldest.age"));
        pool.Dispose();
        collected.Observe();
        Assert.Equal(0, collected.Count("poolapi.work.accepted")); // a disposed pool reports nothing
    }

    [Fact]
    public void Refused_items_are_counted_by_reason_and_not_as_accepted()
    {
        using FixedThreadPool pool = Pools.Make(1, capacity: 1);
        using var collected = new Collected(pool.Name);
        using Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
        ((IPoolAdmission)pool).CountRejected("overloaded");
        _ = pool.CloseAsync();
        Assert.Equal(SubmitResult.Closed, pool.Answer(new TestItem()));
        Assert.Equal(2, collected.Sum("poolapi.work.rejected", ("reason", "queue_full")));
        Assert.Equal(1, collected.Sum("poolapi.work.rejected", ("reason", "overloaded")));
        Assert.Equal(1, collected.Sum("poolapi.work.rejected", ("reason", "draining")));
        Assert.Equal(["pool", "reason"], collected.Keys("poolapi.work.rejected"));
        collected.Observe();
        Assert.Equal(2, collected.Sum("poolapi.work.accepted"));
    }

    [Fact]
    public void Every_counter_reports_0_for_each_known_label_value_before_the_first_item()
    {
        using FixedThreadPool pool = Pools.Make();
        foreach (string kind in (string[])["a", "b", "a"]) ((IPoolAdmission)pool).DeclareLabels(kind);
        ((IPoolAdmission)pool).DeclareLabels(rejection: "overloaded");
        ((IPoolAdmission)pool).DeclareLabels(withdrawal: "client_gone");
        // A listener that starts only now has missed nothing.
        using var collected = new Collected(pool.Name);
        collected.Observe();
        string[] outcomes = ["completed", "failed", "abandoned", "timed_out", .. NotRun];
        Assert.Equal(
            ((string[])["a", "b"]).SelectMany(kind => outcomes.Select(outcome => $"{kind} {outcome}")).Order(StringComparer.Ordinal),
            collected.Zeros("poolapi.work.finished", "kind", "outcome"));
        Assert.Equal(["draining", "overloaded", "queue_full"], collected.Zeros("poolapi.work.rejected", "reason"));
        Assert.Equal(["blocked", "died", "stuck"], collected.Zeros("poolapi.worker.replaced", "reason"));
        Assert.Equal([""], collected.Zeros("poolapi.work.accepted"));
        Assert.Equal([""], collected.Zeros("poolapi.worker.work"));
        Assert.Equal([""], collected.Zeros("poolapi.worker.busy.time"));
        foreach (Instrument instrument in collected.Instruments.Where(i => i.GetType().Name.Contains("Counter", StringComparison.Ordinal)))
            Assert.True(collected.Count(instrument.Name) > 0, instrument.Name);
    }

    [Fact]
    public void A_pool_without_declared_kinds_has_the_counters_of_items_without_a_kind()
    {
        using FixedThreadPool pool = Pools.Make();
        using var collected = new Collected(pool.Name);
        collected.Observe();
        Assert.Contains("work failed", collected.Zeros("poolapi.work.finished", "kind", "outcome"));
    }

    [Fact]
    public void The_queue_time_of_work_that_expired_is_measured()
    {
        var time = new FakeTimeProvider();
        using FixedThreadPool pool = Pools.Make(time: time, maxQueueTime: TimeSpan.FromSeconds(5));
        using var collected = new Collected(pool.Name);
        using Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem { KindIs = "late" });
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(5, collected.Sum("poolapi.work.queue.duration", ("kind", "late")), 3);
        Assert.Equal(0, collected.Count("poolapi.work.execution.duration"));
    }

    [Fact]
    public async Task A_worker_that_dies_is_replaced_at_once_and_counted()
    {
        // The clock stands still, so no timer replaces the worker.
        using FixedThreadPool pool = Pools.Make(time: new FakeTimeProvider());
        using var collected = new Collected(pool.Name);
        Thread first = await pool.RunAsync(() => Thread.CurrentThread).Patiently();
        pool.Accepted(new DeadlyItem());
        first.JoinPatiently();
        Assert.NotSame(first, await pool.RunAsync(() => Thread.CurrentThread).Patiently());
        Assert.Equal(1, collected.Sum("poolapi.worker.replaced", ("reason", "died")));
        Assert.Equal(["pool", "reason"], collected.Keys("poolapi.worker.replaced"));
    }

    [Fact]
    public void The_queue_length_is_shown_by_priority()
    {
        using FixedThreadPool pool = Pools.Make();
        using var collected = new Collected(pool.Name);
        using Occupation busy = pool.Occupy();
        (WorkPriority Priority, string Word, int Count)[] waiting =
            [(WorkPriority.High, "high", 3), (WorkPriority.Normal, "normal", 2), (WorkPriority.Low, "low", 1)];
        foreach ((WorkPriority priority, _, int count) in waiting)
        {
            for (int i = 0; i < count; i++) pool.Accepted(new TestItem(), options: new(priority: priority));
        }
        collected.Observe();
        foreach ((_, string word, int count) in waiting) Assert.Equal(count, collected.Sum("poolapi.queue.length", ("priority", word)));
    }

    [Fact]
    public void A_stand_in_is_counted_as_a_replacement_of_a_stuck_worker()
    {
        var time = new FakeTimeProvider();
        var observer = new RecordingObserver();
        using FixedThreadPool pool = Pools.Make(
            2, time: time, stuckAfter: TimeSpan.FromSeconds(10), observer: observer, more: o => o.MaxStandIns = 1);
        using var collected = new Collected(pool.Name);
        using Occupation busy = pool.Occupy();
        time.Advance(TimeSpan.FromSeconds(11));
        Patience.Until(() => observer.Stuck.Count == 2);
        Patience.Until(() => observer.WorkersStarted.Count == 3);
        Assert.Equal(1, collected.Sum("poolapi.worker.replaced", ("reason", "stuck"))); // the other worker has no stand-in
        Assert.Equal(0, collected.Sum("poolapi.worker.replaced", ("reason", "died")));
        collected.Observe();
        Assert.Equal(2, collected.Sum("poolapi.pool.workers", ("state", "stuck")));
        Assert.Equal(1, collected.Sum("poolapi.pool.workers", ("state", "idle")));
    }

    [Fact]
    public async Task The_final_counts_of_a_pool_that_has_stopped_are_shown_until_it_is_disposed_of()
    {
        FixedThreadPool pool = Pools.Make();
        using var collected = new Collected(pool.Name);
        await pool.RunAsync(() => 1).Patiently();
        await pool.ShutdownAsync(Timeout.InfiniteTimeSpan).Patiently();
        collected.Observe();
        Assert.Equal(1, collected.Sum("poolapi.work.accepted"));
        await pool.DisposeAsync();
        collected.Observe();
        Assert.Equal(0, collected.Count("poolapi.work.accepted"));
    }

    [Fact]
    public void Pools_of_the_same_name_share_no_series_if_their_meter_factories_differ()
    {
        using var oneHost = new MeterFactory();
        using var otherHost = new MeterFactory();
        string name = "hosted-" + Guid.NewGuid().ToString("N")[..8];
        using var one = new FixedThreadPool(new() { Name = name, Workers = 1, MeterFactory = oneHost });
        using var beside = new FixedThreadPool(new() { Name = name + "-io", Workers = 1, MeterFactory = oneHost });
        using var other = new FixedThreadPool(new() { Name = name, Workers = 1, MeterFactory = otherHost });
        using var collectedOfOne = new Collected(name, oneHost);
        using var collectedOfOther = new Collected(name, otherHost);
        using var collectedOfProcess = new Collected(name, meters: null);

        one.Run(static () => 1);
        one.Run(static () => 2);
        ((IPoolAdmission)other).CountRejected("quota");
        beside.Run(static () => 3);
        foreach (Collected collected in (Collected[])[collectedOfOne, collectedOfOther, collectedOfProcess]) collected.Observe();

        Assert.Equal((2, 2), (collectedOfOne.Sum("poolapi.work.accepted"), collectedOfOne.Sum("poolapi.work.finished")));
        Assert.Equal((0, 0), (collectedOfOther.Sum("poolapi.work.accepted"), collectedOfOther.Sum("poolapi.work.finished")));
        Assert.Equal((0, 1), (collectedOfOne.Sum("poolapi.work.rejected", ("reason", "quota")), collectedOfOther.Sum("poolapi.work.rejected", ("reason", "quota"))));
        Assert.Equal(0, collectedOfProcess.Count("poolapi.queue.capacity"));
        Assert.Single(collectedOfOne.Instruments, static i => i.Name == "poolapi.work.accepted"); // both pools of a host share it
    }

    /// <summary>Like the factory of a host: its disposal disposes of its meters.</summary>
    private sealed class MeterFactory : IMeterFactory
    {
        private readonly Dictionary<string, Meter> _meters = [];

        public Meter Create(MeterOptions options)
        {
            options.Scope = this;
            if (!_meters.TryGetValue(options.Name, out Meter? meter)) _meters.Add(options.Name, meter = new Meter(options));
            return meter;
        }

        public void Dispose()
        {
            foreach (Meter meter in _meters.Values) meter.Dispose();
        }
    }

    /// <summary>All measurements of one pool. Observable instruments have the values of the last call of Observe.</summary>
    private sealed class Collected : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly string _pool;
        private ConcurrentQueue<(Instrument Instrument, double Value, Dictionary<string, string?> Tags)> _all = new();

        public Collected(string pool)
            : this(pool, static _ => true)
        {
        }

        public Collected(string pool, IMeterFactory? meters)
            : this(pool, instrument => instrument.Meter.Scope == meters)
        {
        }

        private Collected(string pool, Func<Instrument, bool> isWanted)
        {
            _pool = pool;
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name != FixedThreadPool.MeterName || !isWanted(instrument)) return;
                Instruments.Enqueue(instrument);
                listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
            _listener.Start();
        }

        public ConcurrentQueue<Instrument> Instruments { get; } = new();

        public void Observe()
        {
            _all = new(_all.Where(m => !m.Instrument.IsObservable));
            _listener.RecordObservableInstruments();
        }

        public double Sum(string name, params (string Key, string Value)[] tags) => Of(name, tags).Sum(m => m.Value);

        public int Count(string name) => Of(name, []).Count();

        /// <summary>Asserts that every measurement of the instrument is 0, and returns the label values.</summary>
        public string[] Zeros(string name, params string[] keys)
        {
            Assert.All(Of(name, []), static m => Assert.Equal(0, m.Value));
            return [.. Of(name, []).Select(m => string.Join(' ', keys.Select(key => m.Tags[key]))).Distinct().Order(StringComparer.Ordinal)];
        }

        public string[] Keys(string name)
        {
            string[][] keys = Of(name, []).Select(m => m.Tags.Keys.Order(StringComparer.Ordinal).ToArray()).ToArray();
            Assert.NotEmpty(keys);
            Assert.All(keys, k => Assert.Equal(keys[0], k));
            return keys[0];
        }

        public void Dispose() => _listener.Dispose();

        private IEnumerable<(Instrument Instrument, double Value, Dictionary<string, string?> Tags)> Of(
            string name, (string Key, string Value)[] tags) =>
            _all.Where(m => m.Instrument.Name == name && tags.All(t => m.Tags.GetValueOrDefault(t.Key) == t.Value));

        private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var all = new Dictionary<string, string?>();
            foreach (KeyValuePair<string, object?> tag in tags) all[tag.Key] = tag.Value?.ToString();
            if (all.GetValueOrDefault("pool") == _pool) _all.Enqueue((instrument, value, all));
        }
    }
}
