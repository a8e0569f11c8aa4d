using System.Diagnostics.Metrics;
using PoolApi.PoolBenchmarks.Measurements;
using PoolApi.Threading;

namespace PoolApi.PoolBenchmarks.Metrics;

/// <summary>
/// A <see cref="MeterListener"/> that does almost nothing with the measurements, which shows the cost of metrics in the pool itself.
/// </summary>
internal sealed class ListenerCollector : IMetricsCollector
{
    // A sum for each thread, since one shared sum would be slower than the pool. Threads that share a slot would lose
    // counts. Managed ids are small and dense, so the few workers have different slots.
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
