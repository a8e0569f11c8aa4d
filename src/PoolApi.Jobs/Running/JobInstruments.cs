using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace PoolApi.Jobs.Running;

/// <summary>The metrics of jobs.</summary>
/// <remarks>
/// A counter has no series until a value is added to it, and an alert on its increase does not see the first occurrence. So each collection adds
/// 0 for every known label value.
/// </remarks>
internal sealed class JobInstruments
{
    private readonly Counter<long> _accepted;
    private readonly Counter<long> _retried;
    private readonly Counter<long> _redelivered;
    private readonly Counter<long> _finished;
    private readonly Counter<long> _poisoned;
    private readonly Counter<long> _failedOperations;
    private readonly Histogram<double> _operations;
    private volatile string[] _kinds = [];

    /// <summary>Creates the instruments.</summary>
    /// <param name="meter">The meter. The caller owns it.</param>
    /// <param name="counts">Returns the known number of jobs in each state. Called at each collection.</param>
    public JobInstruments(Meter meter, Func<IReadOnlyDictionary<JobState, long>> counts)
    {
        ArgumentNullException.ThrowIfNull(meter);
        ArgumentNullException.ThrowIfNull(counts);
        meter.CreateObservableGauge(
            "poolapi.jobs",
            () =>
            {
                Guarded(AddZeros);
                return counts().Select(static c => new Measurement<long>(c.Value, new KeyValuePair<string, object?>("state", c.Key.ToWord())));
            },
            "{job}",
            "Jobs in the store.");
        _accepted = meter.CreateCounter<long>("poolapi.job.accepted", "{job}", "Jobs accepted by this instance.");
        _retried = meter.CreateCounter<long>("poolapi.job.retried", "{job}", "Attempts that failed and are made again.");
        _redelivered = meter.CreateCounter<long>("poolapi.job.redelivered", "{job}", "Jobs queued again because their leases had run out.");
        _finished = meter.CreateCounter<long>("poolapi.job.finished", "{job}", "Jobs that ended after an attempt of this instance, by how they ended.");
        _poisoned = meter.CreateCounter<long>("poolapi.job.poisoned", "{job}", "Jobs that failed because their instance died too often while it ran no other job.");
        _failedOperations = meter.CreateCounter<long>("poolapi.store.operation.failed", "{operation}", "Operations of the job store that failed.");
        _operations = meter.CreateHistogram(
            "poolapi.store.operation.duration", "s", "What an operation of the job store takes.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] });
    }

    /// <summary>Declares the kinds of jobs, so that their counters are exported from now on.</summary>
    /// <param name="kinds">All kinds.</param>
    public void DeclareKinds(IEnumerable<string> kinds) => _kinds = [.. kinds];

    /// <summary>Counts an accepted job.</summary>
    public void Accepted(string kind) => Count(_accepted, 1, Kind(kind));

    internal void Retried(string kind) => Count(_retried, 1, Kind(kind));

    internal void Redelivered(string kind, int count) => Count(_redelivered, count, Kind(kind));

    internal void Finished(string kind, JobState state) => Count(_finished, 1, Kind(kind), Outcome(state));

    internal void Poisoned(int count) => Count(_poisoned, count);

    internal void Operation(StoreOperation operation, long since, Exception? error)
    {
        // A cancelled operation has not failed.
        if (error is not null and not OperationCanceledException) Count(_failedOperations, 1, Label(operation));
        if (!_operations.Enabled) return;
        var tags = new TagList(Label(operation));
        if (error is not null) tags.Add("error.type", error.GetType().Name);
        double seconds = Stopwatch.GetElapsedTime(since).TotalSeconds;
        Guarded(() => _operations.Record(seconds, tags));
    }

    private static void Count(Counter<long> counter, long count, params KeyValuePair<string, object?>[] tags)
    {
        if (counter.Enabled) Guarded(() => counter.Add(count, tags));
    }

    /// <summary>Runs code that calls metric listeners, and ignores their exceptions: the measured operation and the other listeners must continue.</summary>
    private static void Guarded(Action measure)
    {
        try
        {
            measure();
        }
        catch (Exception)
        {
            // There is no observer to report the exception to.
        }
    }

    private void AddZeros()
    {
        foreach (string kind in _kinds)
        {
            foreach (Counter<long> counter in (ReadOnlySpan<Counter<long>>)[_accepted, _retried, _redelivered]) counter.Add(0, Kind(kind));
            foreach (JobState state in JobStates.All.Where(JobStates.IsFinal)) _finished.Add(0, Kind(kind), Outcome(state));
        }
        _poisoned.Add(0);
        foreach (StoreOperation operation in StoreOperations.All) _failedOperations.Add(0, Label(operation));
    }

    private static KeyValuePair<string, object?> Label(StoreOperation operation) => new("operation", operation.Name());

    private static KeyValuePair<string, object?> Kind(string kind) => new("kind", kind);

    private static KeyValuePair<string, object?> Outcome(JobState state) => new("outcome", state.ToWord());
}
