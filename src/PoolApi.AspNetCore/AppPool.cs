using PoolApi.AspNetCore.Endpoints;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>A pool in the app: the threads, and what bounds the requests in front of them.</summary>
internal sealed class AppPool(FixedThreadPool threads, PoolOptions options)
{
    public FixedThreadPool Threads => threads;

    public PoolOptions Options => options;

    /// <summary>The bytes that the bodies of waiting requests hold.</summary>
    public ByteBudget Bodies { get; } = new(options.QueueBytes);
}
