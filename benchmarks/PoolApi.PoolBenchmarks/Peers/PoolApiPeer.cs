using PoolApi.Threading;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>This pool, with default settings except for the workers and the capacity, which every peer gets.</summary>
/// <param name="workers">The number of its threads.</param>
/// <param name="capacity">The bound of its queue.</param>
/// <param name="isTimed">Whether each item's times are measured, which no peer offers.</param>
/// <param name="maxRunTime">How long an item may run; <see langword="null"/>: no limit.</param>
/// <param name="isRecorded">Whether the workers record what they do, as they always do in an app.</param>
internal sealed class PoolApiPeer(int workers, int capacity, bool isTimed, TimeSpan? maxRunTime = null, bool isRecorded = true) : IPeer
{
    private readonly FixedThreadPool _pool = new(new FixedThreadPoolOptions
    {
        Name = "bench",
        Workers = workers,
        QueueCapacity = capacity,
        MaxRunTime = maxRunTime ?? Timeout.InfiniteTimeSpan,
        IsRecorded = isRecorded,
    });

    public IProducer CreateProducer(Action work) => new ReusedItemProducer(_pool, work, isTimed);

    public int Call(Func<int> work) => _pool.Run(static work => work(), work);

    public void Dispose() => _pool.Dispose();
}
