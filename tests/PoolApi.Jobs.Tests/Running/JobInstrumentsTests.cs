using System.Diagnostics.Metrics;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>An alert on the increase of a counter sees the first occurrence only if the counter existed before, at 0.</summary>
public sealed class JobInstrumentsTests : IDisposable
{
    private readonly Meter _meter = new(nameof(JobInstrumentsTests) + Guid.NewGuid());
    private readonly MeterListener _listener = new();
    private readonly Dictionary<string, double> _sums = [];
    private readonly Dictionary<JobState, long> _jobs = [];
    private readonly JobInstruments _instruments;

    public JobInstrumentsTests()
    {
        _instruments = new JobInstruments(_meter, () => _jobs);
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter == _meter) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            string series = instrument.Name + string.Concat(tags.ToArray().Select(static tag => " " + tag.Value));
            lock (_sums) _sums[series] = _sums.GetValueOrDefault(series) + value;
        });
        _listener.Start();
    }

    [Fact]
    public void Every_counter_is_there_at_0_with_each_known_label_value_before_anything_has_happened()
    {
        _instruments.DeclareKinds(["a", "b"]);
        _listener.RecordObservableInstruments();

        string[] kinds = ["accepted", "retried", "redelivered", "finished"];
        string[] operations =
        [
            "accept", "claim", "body", "finish", "hand_back", "renew", "progress", "get", "payload", "find_key", "find_changed", "result", "list", "cancel",
            "retry", "maintain", "count", "check",
        ];
        string[] outcomes = ["succeeded", "failed", "cancelled", "expired"];
        Assert.Equal(
            [
                .. ((string[])["a", "b"]).SelectMany(kind => kinds.SelectMany(name => name == "finished"
                    ? outcomes.Select(outcome => $"poolapi.job.finished {kind} {outcome}")
                    : [$"poolapi.job.{name} {kind}"])).Append("poolapi.job.poisoned")
                    .Concat(operations.Select(static operation => $"poolapi.store.operation.failed {operation}"))
                    .Order(StringComparer.Ordinal),
            ],
            _sums.Keys.Order(StringComparer.Ordinal));
        Assert.All(_sums.Values, static sum => Assert.Equal(0, sum));
    }

    [Fact]
    public void A_listener_that_throws_does_not_stop_other_listeners_from_collecting()
    {
        using MeterListener throwing = Throwing(static instrument => instrument.Name == "poolapi.job.poisoned");
        _jobs[JobState.Queued] = 3;
        _listener.RecordObservableInstruments();
        Assert.Equal(3, _sums["poolapi.jobs queued"]);
    }

    [Fact]
    public async Task A_listener_that_throws_fails_no_job_and_no_operation_of_the_store()
    {
        using MeterListener throwing = Throwing(static _ => true);

        _instruments.Accepted("kind");
        _instruments.Retried("kind");
        _instruments.Redelivered("kind", 1);
        _instruments.Poisoned(1);
        _instruments.Finished("kind", JobState.Succeeded);
        await using var measured = new MeasuredJobStore(new InMemoryJobStore(new InMemoryJobs()) { Fault = "away" }, _instruments);
        await Assert.ThrowsAsync<JobStoreUnavailableException>(() => measured.CheckAsync(Token).AsTask());
    }

    private MeterListener Throwing(Func<Instrument, bool> at)
    {
        var throwing = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter == _meter && at(instrument)) listener.EnableMeasurementEvents(instrument);
            },
        };
        throwing.SetMeasurementEventCallback<long>(static (_, _, _, _) => throw new InvalidOperationException("the listener throws"));
        throwing.SetMeasurementEventCallback<double>(static (_, _, _, _) => throw new InvalidOperationException("the listener throws"));
        throwing.Start();
        return throwing;
    }

    [Fact]
    public async Task Failed_store_operations_are_counted_by_operation_and_cancelled_ones_are_not()
    {
        var store = new InMemoryJobStore(new InMemoryJobs()) { Fault = "away" };
        await using var measured = new MeasuredJobStore(store, _instruments);
        await Assert.ThrowsAsync<JobStoreUnavailableException>(() => measured.CheckAsync(Token).AsTask());
        _instruments.Operation(StoreOperation.Check, 0, new OperationCanceledException());
        Assert.Equal(1, _sums["poolapi.store.operation.failed check"]);
    }

    [Fact]
    public async Task The_end_of_a_job_is_counted_by_kind_and_outcome()
    {
        await using Rig rig = await Rig.StartAsync(static (run, _) => run.Claim.Job.Kind == "good" ? ScriptedExecutor.Success : AttemptEnd.Failed, instruments: _instruments);
        foreach (string kind in (string[])["good", "bad", "bad"])
        {
            Job job = await rig.AcceptAsync(Jobs.New(kind: kind, maxAttempts: 1));
            await rig.UntilAsync(job.Id, kind == "good" ? JobState.Succeeded : JobState.Failed);
        }
        // The end is counted after its write, and the stop waits for both.
        await rig.Dispatcher.StopAsync(Token);
        Assert.Equal((1, 2), (_sums["poolapi.job.finished good succeeded"], _sums["poolapi.job.finished bad failed"]));
    }

    public void Dispose()
    {
        _listener.Dispose();
        _meter.Dispose();
    }
}
