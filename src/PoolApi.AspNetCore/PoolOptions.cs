using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>Options of one pool in an app, bound to the configuration section <c>Pools:{name}</c> unless the app names another.</summary>
public sealed class PoolOptions
{
    private const long MaxDefaultQueueBytes = 256 * 1024 * 1024;

    /// <summary>The default of <see cref="QueueBytes"/> in words, for the documentation.</summary>
    internal static string DefaultQueueBytes => MemoryLimit.Words(MaxDefaultQueueBytes);

    /// <summary>The number of dedicated threads, 1 to 1024. Default: the number of processors, at most 1024.</summary>
    public int Workers { get; set; } = Math.Min(Environment.ProcessorCount, FixedThreadPoolOptions.MaxWorkers);

    /// <summary>The most requests that may be queued while every worker is busy, 1 to 16,777,216. Default: 1024.</summary>
    public int QueueCapacity { get; set; } = 1024;

    /// <summary>
    /// The longest time a request may wait for a worker, 1 ms to 1 day, or <see cref="Timeout.InfiniteTimeSpan"/> (as a setting
    /// <c>-00:00:00.0010000</c>) for no limit. Default: 30 seconds.
    /// </summary>
    public TimeSpan MaxQueueTime { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The longest time a request's work may run, 1 ms to 1 day, or <see cref="Timeout.InfiniteTimeSpan"/> (as a setting
    /// <c>-00:00:00.0010000</c>) for no limit. When it is over, the work's token is cancelled and the client gets 504 <c>run-timeout</c> at
    /// once, even if the work ignores its token; see <see cref="RunOnPoolOptions.MaxRunTime"/>. Default: no limit.
    /// </summary>
    public TimeSpan MaxRunTime { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>The largest body of one request, in bytes, 1 to 1 GiB. Default: 32 MiB.</summary>
    public long MaxBodyBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>
    /// The most bytes that the bodies of queued requests may hold together, 1 to 1 TiB. A body is counted from before it is read until a worker
    /// starts the request. A body larger than this is refused with 413. Responses that clients have not read yet have one budget for the whole app, as
    /// large as the <c>QueueBytes</c> of the pool that was added first. It counts responses over 64 KiB that a handler returns as bytes
    /// (<c>TypedResults.Bytes</c>) or that are executed on the pool.
    /// </summary>
    /// <remarks>
    /// Default: a quarter of the memory that the runtime may use, at most 256 MiB. The runtime may use <c>GCHeapHardLimit</c> if it is set, else
    /// three quarters of the container's memory limit, else the memory of the machine.
    /// </remarks>
    public long QueueBytes { get; set; } = MemoryLimit.Share(MaxDefaultQueueBytes);

    /// <summary>
    /// How long a worker may run one request before it is shown as stuck, 1 ms to 1 day, or <see cref="Timeout.InfiniteTimeSpan"/> (as a
    /// setting <c>-00:00:00.0010000</c>) for never. Default: 1 minute.
    /// </summary>
    public TimeSpan StuckAfter { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The nice value that is added to the process's own for the workers' threads, 0 to 19. When every core is in use, the server's threads
    /// then get a larger share than the workers. Only threads of the same container or session compete by it. Default: 5, which gives a server
    /// thread three times the share of a worker.
    /// </summary>
    public int Nice { get; set; } = 5;

    /// <summary>
    /// Whether the pool refuses a request whose predicted queue time is too long: more than a quarter of the time that clients of the same
    /// endpoint wait before they disconnect. Default: <see langword="true"/>.
    /// </summary>
    public bool OverloadControl { get; set; } = true;

    /// <summary>
    /// Whether responses have a <c>Server-Timing</c> header with the request's queue time, run time and worker. Default:
    /// <see langword="true"/>.
    /// </summary>
    public bool ServerTiming { get; set; } = true;

    /// <summary>
    /// Limits what each client may use of the pool; set in code only. A request to an endpoint on the pool acquires one permit before its body
    /// is read, without waiting, and releases it when its handler has returned or will not run. So a concurrency limiter counts the requests that are being read,
    /// queued and run. Without a permit the response is 429, with <c>Retry-After</c> from the limiter or else from the pool's estimate. Default:
    /// <see langword="null"/>, no quota.
    /// </summary>
    /// <remarks>
    /// The creator of the limiter disposes of it. A limiter of <c>PartitionedRateLimiter.Create</c> has a timer that ticks ten times a second
    /// until then.
    /// </remarks>
    public PartitionedRateLimiter<HttpContext>? Quota { get; set; }

    /// <summary>The faults of the configuration. The validation reports all of them at once.</summary>
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
