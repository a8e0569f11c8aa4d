using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace PoolApi.Threading.Core;

/// <summary>
/// The instruments of the pools that share one meter. Values that a pool already counts are observed at each collection and cost
/// nothing otherwise. Only times and outcomes by kind, which a pool does not keep, are recorded as they happen.
/// </summary>
/// <remarks>
/// The pools of one <see cref="IMeterFactory"/> share a meter of that factory, so the listeners of one host do not see the pools of
/// another. The pools without a factory share the process's own meter.
/// <para>A pool is observed from its start until it is disposed of, and not only until it has stopped: a collector that reads every few seconds
/// would otherwise never see its final counts.</para>
/// <para>A recorded counter has no series until something is added to it, and an alert on its increase does not see the first
/// occurrence. So each collection adds 0 for every declared label value, also for listeners that were added since.</para>
/// </remarks>
internal sealed class PoolInstruments
{
    private static readonly string? Version = typeof(PoolInstruments).Assembly.GetName().Version?.ToString(3);

    // The factory holds its meter, and the meter's instruments hold this object. So an entry lives as long as its factory.
    private static readonly ConditionalWeakTable<IMeterFactory, PoolInstruments> ByFactory = [];

    // 1 ms to 300 s: from the queue time of a fast pool to the longest work that a client waits for.
    private static readonly InstrumentAdvice<double> Durations = new()
    {
        HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300],
    };

    private readonly Counter<long> _finished;
    private readonly Counter<long> _rejected;
    private readonly Counter<long> _replaced;
    private readonly Histogram<double> _queueDuration;
    private readonly Histogram<double> _executionDuration;
    private ImmutableArray<PoolCore> _pools = [];

    private PoolInstruments(Meter meter)
    {
        _finished = meter.CreateCounter<long>("poolapi.work.finished", "{item}", "Accepted items that have ended, by how they ended.");
        _rejected = meter.CreateCounter<long>("poolapi.work.rejected", "{item}", "Items that were refused, by reason; they were never accepted.");
        _replaced = meter.CreateCounter<long>("poolapi.worker.replaced", "{worker}", "Threads that were started because a worker died, is stuck or is blocked, by reason.");
        _queueDuration = meter.CreateHistogram(
            "poolapi.work.queue.duration", "s", "Time from acceptance to the start or, if it never ran, to the end.", null, Durations);
        _executionDuration = meter.CreateHistogram(
            "poolapi.work.execution.duration", "s", "Time from the start to the end, awaits included.", null, Durations);
        meter.CreateObservableGauge(
            "poolapi.pool.workers", () => Observe(WorkersByState), "{worker}", "Workers, by what they do.");
        meter.CreateObservableGauge(
            "poolapi.worker.state", () => Observe(WorkerStates), null, "1 for the state that the worker is in, 0 for the others.");
        meter.CreateObservableCounter(
            "poolapi.worker.busy.time", () => Observe(BusyTimes), "s", "Time the worker has spent running items.");
        meter.CreateObservableCounter(
            "poolapi.worker.work", () => Observe(WorkerItems), "{item}", "Items that ran on the worker and have ended.");
        meter.CreateObservableGauge(
            "poolapi.queue.length", () => Observe(QueueLength), "{item}", "Queued items.");
        meter.CreateObservableGauge(
            "poolapi.queue.capacity", () => Observe(QueueCapacity), "{item}", "The most items that may be queued.");
        meter.CreateObservableGauge(
            "poolapi.queue.oldest.age", () => Observe(OldestAge), "s", "Age of the oldest queued item.");
        meter.CreateObservableCounter(
            "poolapi.work.accepted", () => Observe(AcceptedBesideZeros), "{item}", "Items accepted.");
    }

    /// <summary>The instruments of the pools of one factory, or of the pools without a factory.</summary>
    public static PoolInstruments Of(IMeterFactory? factory) => factory is null
        ? OfProcess.Instruments
        : ByFactory.GetValue(factory, static f => new PoolInstruments(f.Create(FixedThreadPool.MeterName, Version)));

    /// <summary>Whether the times of items have a listener.</summary>
    public bool MeasureTimes => _queueDuration.Enabled || _executionDuration.Enabled;

    public void Add(PoolCore pool) => ImmutableInterlocked.Update(ref _pools, static (pools, p) => pools.Add(p), pool);

    public void Remove(PoolCore pool) => ImmutableInterlocked.Update(ref _pools, static (pools, p) => pools.Remove(p), pool);

    public void Rejected(PoolCore pool, string reason, int items)
    {
        if (_rejected.Enabled) _rejected.Add(items, Pool(pool.Name), new("reason", reason));
    }

    public void Replaced(PoolCore pool, string reason)
    {
        if (_replaced.Enabled) _replaced.Add(1, Pool(pool.Name), new("reason", reason));
    }

    /// <summary>Whether the outcomes of items have a listener.</summary>
    public bool MeasureItems => _finished.Enabled || _queueDuration.Enabled || _executionDuration.Enabled;

    public static Measured Measure(PoolWorkItem item, WorkOutcome outcome)
    {
        long started = item.StartedAt;
        long ended = item.EndedAt;
        return new Measured(
            KindOf(item), outcome == WorkOutcome.Withdrawn ? item.Withdrawal! : Word(outcome), (started == 0 ? ended : started) - item.SubmittedAt, started == 0 ? -1 : Math.Max(0, ended - started));
    }

    /// <summary>Records ended items, in the order of their ends. Consecutive items of the same kind and outcome are counted at once.</summary>
    public void Ended(PoolCore pool, ReadOnlySpan<Measured> items)
    {
        KeyValuePair<string, object?> name = Pool(pool.Name);
        double seconds = 1.0 / pool.Clock.Time.TimestampFrequency;
        while (!items.IsEmpty)
        {
            Measured first = items[0];
            int alike = 1;
            while (alike < items.Length && items[alike].Outcome == first.Outcome && items[alike].Kind == first.Kind) alike++;
            KeyValuePair<string, object?> kind = new("kind", first.Kind);
            KeyValuePair<string, object?> how = new("outcome", first.Outcome);
            _finished.Add(alike, name, kind, how);
            // Records all items with one instrument before the next, so that an instrument's cache lines are used together.
            if (_queueDuration.Enabled)
            {
                foreach (ref readonly Measured item in items[..alike]) _queueDuration.Record(item.QueueTicks * seconds, name, kind);
            }
            if (_executionDuration.Enabled)
            {
                foreach (ref readonly Measured item in items[..alike])
                {
                    if (item.RunTicks >= 0) _executionDuration.Record(item.RunTicks * seconds, name, kind, how);
                }
            }
            items = items[alike..];
        }
    }

    /// <summary>Reads the kind from the item, which is code of a caller. If it throws, the item is counted anyway.</summary>
    internal static string KindOf(PoolWorkItem item)
    {
        try
        {
            return item.Kind;
        }
        catch (Exception)
        {
            return "work";
        }
    }

    private static KeyValuePair<string, object?> Pool(string name) => new("pool", name);

    private static string Word(WorkOutcome outcome) => outcome switch
    {
        WorkOutcome.Completed => "completed",
        WorkOutcome.Failed => "failed",
        WorkOutcome.Cancelled => "cancelled",
        WorkOutcome.Expired => "expired",
        WorkOutcome.NotStarted => "not_started",
        WorkOutcome.TimedOut => "timed_out",
        _ => "abandoned",
    };

    private static string Word(WorkerState state) => state switch
    {
        WorkerState.Idle => "idle",
        WorkerState.Busy => "busy",
        _ => "stuck",
    };

    // A withdrawal is counted by the reason of its caller.
    private static readonly string[] Outcomes = [.. Enum.GetValues<WorkOutcome>().Where(static o => o != WorkOutcome.Withdrawn).Select(Word)];

    private static readonly string[] Replacements = ["blocked", "died", "stuck"];

    private static readonly WorkerState[] States = [WorkerState.Idle, WorkerState.Busy, WorkerState.Stuck];

    private List<Measurement<T>> Observe<T>(Func<PoolSnapshot, IEnumerable<Measurement<T>>> view)
        where T : struct => Observe((_, snapshot) => view(snapshot));

    private List<Measurement<T>> Observe<T>(Func<PoolCore, PoolSnapshot, IEnumerable<Measurement<T>>> view)
        where T : struct
    {
        var all = new List<Measurement<T>>();
        foreach (PoolCore pool in _pools)
        {
            pool.Views.RecordMeasured(); // before the collector reads the recorded values
            all.AddRange(view(pool, pool.Views.GetSnapshot()));
        }
        return all;
    }

    private IEnumerable<Measurement<long>> AcceptedBesideZeros(PoolCore pool, PoolSnapshot snapshot)
    {
        try
        {
            AddZeros(pool);
        }
        catch (Exception)
        {
            // A listener of the metrics threw. The collector must get the observed values anyway.
        }
        return [new(snapshot.Accepted, Pool(pool.Name))];
    }

    private void AddZeros(PoolCore pool)
    {
        KeyValuePair<string, object?> name = Pool(pool.Name);
        foreach (string kind in pool.Labels.Kinds)
        {
            foreach (string outcome in Outcomes.Concat(pool.Labels.Withdrawals)) _finished.Add(0, name, new("kind", kind), new("outcome", outcome));
        }
        foreach (string reason in pool.Labels.Reasons) _rejected.Add(0, name, new("reason", reason));
        foreach (string reason in Replacements) _replaced.Add(0, name, new("reason", reason));
    }

    private static IEnumerable<Measurement<long>> WorkersByState(PoolSnapshot pool) => States.Select(state =>
        new Measurement<long>(pool.Workers.Count(w => w.State == state), Pool(pool.Name), new("state", Word(state))));

    private static IEnumerable<Measurement<long>> WorkerStates(PoolSnapshot pool) => pool.Workers.SelectMany(w => States.Select(state =>
        new Measurement<long>(w.State == state ? 1 : 0, Pool(pool.Name), new("worker", w.Name), new("state", Word(state)))));

    private static IEnumerable<Measurement<double>> BusyTimes(PoolSnapshot pool) => pool.Workers.Select(w =>
        new Measurement<double>(w.BusyTime.TotalSeconds, Pool(pool.Name), new("worker", w.Name)));

    private static IEnumerable<Measurement<long>> WorkerItems(PoolSnapshot pool) => pool.Workers.Select(w =>
        new Measurement<long>(w.Finished, Pool(pool.Name), new("worker", w.Name)));

    private static IEnumerable<Measurement<long>> QueueLength(PoolSnapshot pool) =>
    [
        new(pool.GetQueueLength(WorkPriority.High), Pool(pool.Name), new("priority", "high")),
        new(pool.GetQueueLength(WorkPriority.Normal), Pool(pool.Name), new("priority", "normal")),
        new(pool.GetQueueLength(WorkPriority.Low), Pool(pool.Name), new("priority", "low")),
    ];

    private static IEnumerable<Measurement<long>> QueueCapacity(PoolSnapshot pool) => [new(pool.QueueCapacity, Pool(pool.Name))];

    private static IEnumerable<Measurement<double>> OldestAge(PoolSnapshot pool) =>
        [new(pool.OldestAge?.TotalSeconds ?? 0, Pool(pool.Name))];

    /// <summary>Created for the first pool without a factory. If every pool has a factory, the process's own meter is never published.</summary>
    private static class OfProcess
    {
        public static readonly PoolInstruments Instruments = new(new Meter(FixedThreadPool.MeterName, Version));
    }
}
