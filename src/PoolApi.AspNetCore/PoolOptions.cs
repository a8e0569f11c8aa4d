using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>The settings of one pool in an app, read from its configuration section (<c>Pools:{name}</c> unless said otherwise).</summary>
public sealed class PoolOptions
{
    private const long MaxDefaultQueueBytes = 256 * 1024 * 1024;

    /// <summary>The default of <see cref="QueueBytes"/> in words.</summary>
    internal static string DefaultQueueBytes => MemoryLimit.Words(MaxDefaultQueueBytes);

    /// <summary>The number of dedicated threads, 1 to 1024. Default: the number of processors, at most 1024.</summary>
    public int Workers { get; set; } = Math.Min(Environment.ProcessorCount, FixedThreadPoolOptions.MaxWorkers);

    /// <summary>The number of requests that may wait while every worker is busy, 1 to 16,777,216. Default: 1024.</summary>
    public int QueueCapacity { get; set; } = 1024;

    /// <summary>
    /// The longest time a request may wait for a worker, 1 ms to 1 day, or <see cref="Timeout.InfiniteTimeSpan"/> (as a setting
    /// <c>-00:00:00.0010000</c>) for no limit. Default: 30 seconds.
    /// </summary>
    public TimeSpan MaxQueueTime { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The longest time a request's work may run, 1 ms to 1 day, or <see cref="Timeout.InfiniteTimeSpan"/> (as a setting
    /// <c>-00:00:00.0010000</c>) for no limit. Then its token is cancelled and the client gets 504 <c>run-timeout</c>, whether the work
    /// listens or not; see <see cref="RunOnPoolOptions.MaxRunTime"/>. Default: no limit.
    /// </summary>
    public TimeSpan MaxRunTime { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>The largest body of one request, in bytes, 1 to 1 GiB. Default: 32 MiB.</summary>
    public long MaxBodyBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>
    /// The most bytes that the bodies of waiting requests may hold together, 1 to 1 TiB. A body is counted from before it
    /// is read until a worker starts on it. As much again may answers hold that clients have not read yet: those of more than
    /// 64 KiB that a handler returns as bytes (<c>TypedResults.Bytes</c>). A body that is larger than all of it is refused (413). Default: a
    /// quarter of the memory that the runtime may use, at most 256 MiB. The runtime may use <c>GCHeapHardLimit</c>, or else three quarters of
    /// the container's limit, or else the memory of the machine.
    /// </summary>
    public long QueueBytes { get; set; } = MemoryLimit.Share(MaxDefaultQueueBytes);

    /// <summary>
    /// A worker on one request for longer than this is shown as stuck, 1 ms to 1 day, or <see cref="Timeout.InfiniteTimeSpan"/>
    /// (as a setting <c>-00:00:00.0010000</c>) for never. Default: 1 minute.
    /// </summary>
    public TimeSpan StuckAfter { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// How far the workers let the server's own threads go first when every core is in use: the nice value of their threads,
    /// 0 (not at all) to 19. Only threads of the same container or session are affected. Default: 5, which gives a server
    /// thread three times the share of a worker.
    /// </summary>
    public int Nice { get; set; } = 5;

    /// <summary>
    /// Whether requests are refused that would wait longer than the endpoint's clients are seen to wait. Default:
    /// <see langword="true"/>.
    /// </summary>
    public bool OverloadControl { get; set; } = true;

    /// <summary>
    /// Whether answers have a <c>Server-Timing</c> header: how long the request waited and ran, and on which worker. Default:
    /// <see langword="true"/>.
    /// </summary>
    public bool ServerTiming { get; set; } = true;

    /// <summary>
    /// What each client may have of the pool, so that one cannot take it from the others; set in code. Default:
    /// <see langword="null"/>, no quota. A request to an endpoint that runs on the pool takes one permit, without waiting, before
    /// anything of it is read, and gives it back once its outcome is known: a concurrency limiter counts what is being read, waits
    /// and runs. Without a permit, the answer is 429 with the limiter's own <c>Retry-After</c>, or else the pool's estimate.
    /// </summary>
    /// <remarks>
    /// Whoever makes it disposes of it. One made by <c>PartitionedRateLimiter.Create</c> has a timer that ticks ten times a second
    /// until then.
    /// </remarks>
    public PartitionedRateLimiter<HttpContext>? Quota { get; set; }

    /// <summary>What the configuration got wrong; reported by the validation, all faults at once.</summary>
    internal List<string> Faults { get; } = [];

    internal FixedThreadPoolOptions ToPool(string name) => new()
    {
        Name = name,
        Workers = Workers,
        QueueCapacity = QueueCapacity,
        MaxQueueTime = MaxQueueTime,
        MaxRunTime = MaxRunTime,
        StuckAfter = StuckAfter,
        Nice = Nice == 0 ? null : Nice,
    };
}
