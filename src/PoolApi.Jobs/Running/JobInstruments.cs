using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace PoolApi.Jobs.Running;

/// <summary>What of jobs is counted and measured.</summary>
public sealed class JobInstruments
{
    private readonly Counter<long> _accepted;
    private readonly Counter<long> _retried;
    private readonly Counter<long> _redelivered;
    private readonly Histogram<double> _operations;

    /// <summary>Makes the instruments.</summary>
    /// <param name="meter">The meter, of somebody else.</param>
    /// <param name="counts">How many jobs are in each state, as far as is known; called when somebody collects.</param>
    public JobInstruments(Meter meter, Func<IReadOnlyDictionary<JobState, long>> counts)
    {
        ArgumentNullException.ThrowIfNull(meter);
        ArgumentNullException.ThrowIfNull(counts);
        meter.CreateObservableGauge(
            "poolapi.jobs",
            () => counts().Select(static c => new Measurement<long>(c.Value, new KeyValuePair<string, object?>("state", c.Key.ToWord()))),
            "{job}",
            "Jobs in the store.");
        _accepted = meter.CreateCounter<long>("poolapi.job.accepted", "{job}", "Jobs accepted by this instance.");
        _retried = meter.CreateCounter<long>("poolapi.job.retried", "{job}", "Attempts that failed and are made again.");
        _redelivered = meter.CreateCounter<long>("poolapi.job.redelivered", "{job}", "Jobs queued again because their instance died.");
        _operations = meter.CreateHistogram(
            "poolapi.store.operation.duration", "s", "What an operation of the job store takes.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] });
    }

    /// <summary>A job was accepted.</summary>
    public void Accepted(string kind) => _accepted.Add(1, new KeyValuePair<string, object?>("kind", kind));

    internal void Retried(string kind) => _retried.Add(1, new KeyValuePair<string, object?>("kind", kind));

    internal void Redelivered(string kind, int count) => _redelivered.Add(count, new KeyValuePair<string, object?>("kind", kind));

    internal void Operation(string operation, long since, Exception? error)
    {
        if (!_operations.Enabled) return;
        var tags = new TagList { { "operation", operation } };
        if (error is not null) tags.Add("error.type", error.GetType().Name);
        _operations.Record(Stopwatch.GetElapsedTime(since).TotalSeconds, tags);
    }
}
