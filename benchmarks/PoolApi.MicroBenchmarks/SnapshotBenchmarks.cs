using BenchmarkDotNet.Attributes;
using PoolApi.Threading;

namespace PoolApi.MicroBenchmarks;

/// <summary>Takes a snapshot of a pool of 64 workers, as a dashboard does once a second.</summary>
[MemoryDiagnoser]
public class SnapshotBenchmarks
{
    private FixedThreadPool _pool = null!;

    [GlobalSetup]
    public void Start() => _pool = new FixedThreadPool(new FixedThreadPoolOptions { Name = "bench", Workers = 64 });

    [GlobalCleanup]
    public void Stop() => _pool.Dispose();

    [Benchmark(Description = "GetSnapshot, 64 workers")]
    public PoolSnapshot GetSnapshot() => _pool.GetSnapshot();
}
