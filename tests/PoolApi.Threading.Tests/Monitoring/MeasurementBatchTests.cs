using System.Diagnostics.Metrics;

namespace PoolApi.Threading.Tests.Monitoring;

/// <summary>P1 in the metrics: a worker records the measurements of tiny items in batches, and a collector still sees all of them.</summary>
[Collection(nameof(MetricsTests))]
public class MeasurementBatchTests
{
    [Fact]
    public void A_collector_counts_every_finished_tiny_item_even_while_the_worker_runs_a_long_item()
    {
        using FixedThreadPool pool = Pools.Make(1, capacity: 100_000);
        long finished = 0;
        long timed = 0;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == FixedThreadPool.MeterName) l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            if (instrument.Name == "poolapi.work.finished" && IsOurs(tags)) Interlocked.Add(ref finished, value);
        });
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) =>
        {
            if (instrument.Name == "poolapi.work.execution.duration" && IsOurs(tags)) Interlocked.Increment(ref timed);
        });
        listener.Start();

        var tiny = new Tiny[20_000];
        for (int i = 0; i < tiny.Length; i++) tiny[i] = new Tiny();
        using var release = new ManualResetEventSlim();
        using var started = new ManualResetEventSlim();
        foreach (Tiny item in tiny) pool.Accepted(item);
        pool.Accepted(new TestItem(_ =>
        {
            started.Set();
            release.WaitPatiently();
        }));
        started.WaitPatiently();
        listener.RecordObservableInstruments();
        (long, long) found = (Volatile.Read(ref finished), Volatile.Read(ref timed));
        release.Set();
        Assert.Equal((tiny.Length, tiny.Length), found);

        bool IsOurs(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                if (tag.Key == "pool") return Equals(tag.Value, pool.Name);
            }
            return false;
        }
    }

    private sealed class Tiny : PoolWorkItem
    {
        protected override void Execute()
        {
        }
    }
}
