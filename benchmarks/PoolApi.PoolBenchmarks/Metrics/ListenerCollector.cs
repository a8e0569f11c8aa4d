using System.Diagnostics.Metrics;
using PoolApi.PoolBenchmarks.Measurements;
using PoolApi.Threading;

namespace PoolApi.PoolBenchmarks.Metrics;

/// <summary>
/// A <see cref="MeterListener"/> that does next to nothing with what it hears: what the pool itself pays for being measured.
/// </summary>
internal sealed class ListenerCollector : IMetricsCollector
{
    // A sum for each thread, or the listener would be slower than what it listens to. Threads that share a slot would lose
    // counts; managed ids are small and dense, so those of the few workers differ.
    private readonly PaddedCount[] _sums = new PaddedCount[64];
    private readonly MeterListener _listener = new();

    public ListenerCollector()
    {
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == FixedThreadPool.MeterName) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, _, _) =>
        {
            if (instrument.Name == IMetricsCollector.FinishedInstrument) Add(value);
        });
        _listener.SetMeasurementEventCallback<double>(static (_, _, _, _) => { });
        _listener.Start();
    }

    public long CollectFinished()
    {
        _listener.RecordObservableInstruments();
        return _sums.Sum(sum => sum.Value);
    }

    public void Dispose() => _listener.Dispose();

    private void Add(long value) => _sums[Environment.CurrentManagedThreadId % _sums.Length].Value += value;
}
