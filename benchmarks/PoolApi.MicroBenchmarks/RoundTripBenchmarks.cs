using BenchmarkDotNet.Attributes;
using PoolApi.Threading;

namespace PoolApi.MicroBenchmarks;

/// <summary>An asynchronous caller sends a number to another thread and awaits the next one.</summary>
[MemoryDiagnoser]
public class RoundTripBenchmarks
{
    // Many round trips in one call, so that the caller's own task and state machine hardly count.
    private const int Trips = 1000;

    private FixedThreadPool _pool = null!;

    [GlobalSetup]
    public void Start() => _pool = new FixedThreadPool(new FixedThreadPoolOptions { Name = "bench", Workers = 2, QueueCapacity = 1024 });

    [GlobalCleanup]
    public void Stop() => _pool.Dispose();

    [Benchmark(Description = "RunAsync with state", OperationsPerInvoke = Trips)]
    public async Task<int> RunAsync()
    {
        int number = 0;
        for (int i = 0; i < Trips; i++) number = await _pool.RunAsync(static state => state + 1, number);
        return number;
    }

    [Benchmark(Description = "Task.Run", OperationsPerInvoke = Trips, Baseline = true)]
    public async Task<int> TaskRun()
    {
        int number = 0;
        for (int i = 0; i < Trips; i++)
        {
            int state = number;
            number = await Task.Run(() => state + 1);
        }
        return number;
    }

    [Benchmark(Description = "UnsafeQueueUserWorkItem", OperationsPerInvoke = Trips)]
    public async Task<int> UnsafeQueue()
    {
        int number = 0;
        for (int i = 0; i < Trips; i++)
        {
            var result = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
            ThreadPool.UnsafeQueueUserWorkItem(
                static call => call.Result.SetResult(call.Number + 1), (Result: result, Number: number), preferLocal: false);
            number = await result.Task;
        }
        return number;
    }
}
