using BenchmarkDotNet.Attributes;
using PoolApi.Threading;

namespace PoolApi.MicroBenchmarks;

/// <summary>Submits an item to a pool whose worker is busy, and cancels it, with other items queued before it.</summary>
[MemoryDiagnoser]
public class CancelBenchmarks
{
    private readonly SignallingItem _item = new();
    private FixedThreadPool _pool = null!;
    private ManualResetEventSlim _release = null!;

    [Params(0, 10_000)]
    public int Waiting { get; set; }

    [GlobalSetup]
    public void Occupy()
    {
        _pool = new FixedThreadPool(new FixedThreadPoolOptions
        {
            Name = "bench",
            Workers = 1,
            QueueCapacity = Waiting + 1,
            MaxQueueTime = TimeSpan.FromHours(1), // no queued item expires during the measurement
        });
        _release = new ManualResetEventSlim();
        var occupation = new Occupation(_release);
        _pool.TrySubmit(occupation);
        occupation.Started.Wait();
        for (int i = 0; i < Waiting; i++) _pool.TrySubmit(new SignallingItem());
    }

    [GlobalCleanup]
    public void Release()
    {
        _release.Set();
        _pool.Dispose();
        _release.Dispose();
    }

    [Benchmark(Description = "TrySubmit and Cancel")]
    public bool Cancel()
    {
        _pool.TrySubmit(_item);
        return _item.Cancel();
    }

    private sealed class Occupation(ManualResetEventSlim release) : PoolWorkItem
    {
        public ManualResetEventSlim Started { get; } = new();

        protected override void Execute()
        {
            Started.Set();
            release.Wait();
        }
    }
}
