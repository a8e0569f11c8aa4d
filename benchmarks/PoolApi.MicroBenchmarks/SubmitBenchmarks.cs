using BenchmarkDotNet.Attributes;
using PoolApi.Threading;

namespace PoolApi.MicroBenchmarks;

/// <summary>Submits reused items and waits until they have run: one, a hundred one by one, a hundred in one call.</summary>
[MemoryDiagnoser]
public class SubmitBenchmarks
{
    private const int BatchSize = 100;

    private readonly SignallingItem[] _items = [.. Enumerable.Range(0, BatchSize).Select(_ => new SignallingItem())];
    private readonly PoolWorkItem[] _batch;
    private FixedThreadPool _pool = null!;

    public SubmitBenchmarks() => _batch = [.. _items];

    [GlobalSetup]
    public void Start() => _pool = new FixedThreadPool(new FixedThreadPoolOptions { Name = "bench", Workers = 2, QueueCapacity = 1024 });

    [GlobalCleanup]
    public void Stop() => _pool.Dispose();

    [Benchmark(Description = "TrySubmit, one item")]
    public void One()
    {
        SignallingItem item = _items[0];
        item.Reset();
        _pool.TrySubmit(item);
        item.WaitUntilEnded();
    }

    [Benchmark(Description = "TrySubmit, 100 times one item", OperationsPerInvoke = BatchSize)]
    public void OneByOne()
    {
        foreach (SignallingItem item in _items)
        {
            item.Reset();
            _pool.TrySubmit(item);
        }
        WaitForAll();
    }

    [Benchmark(Description = "TrySubmit, a batch of 100", OperationsPerInvoke = BatchSize)]
    public void Batch()
    {
        foreach (SignallingItem item in _items) item.Reset();
        _pool.TrySubmit(_batch);
        WaitForAll();
    }

    private void WaitForAll()
    {
        foreach (SignallingItem item in _items) item.WaitUntilEnded();
    }
}
