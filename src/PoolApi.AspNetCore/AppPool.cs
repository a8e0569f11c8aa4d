using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Overload;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>A pool in the app: the threads, and what bounds the requests in front of them.</summary>
internal sealed class AppPool(FixedThreadPool threads, PoolOptions options, TimeProvider time)
{
    public FixedThreadPool Threads => threads;

    public PoolOptions Options => options;

    /// <summary>The bytes that the bodies of waiting requests hold.</summary>
    public ByteBudget Bodies { get; } = new(options.QueueBytes);

    /// <summary>What is let in while more comes than the pool can do.</summary>
    public OverloadControl Overload { get; } =
        new(threads.EstimateQueueTime, newestFirst => threads.TakesNewestFirst = newestFirst, time);
}
