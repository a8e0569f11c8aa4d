using System.Runtime.CompilerServices;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>Options of one endpoint on a pool. Read while the endpoint is built. Not thread-safe.</summary>
public sealed class RunOnPoolOptions
{
    /// <summary>The priority of its requests in the pool's queue. Default: <see cref="WorkPriority.Normal"/>.</summary>
    public WorkPriority Priority { get; set; }

    /// <summary>
    /// The longest time a request may be queued, 1 ms to 1 day. The pool's own limit applies too. Default:
    /// <see langword="null"/>, the pool's <see cref="PoolOptions.MaxQueueTime"/>.
    /// </summary>
    public TimeSpan? MaxQueueTime { get; set; }

    /// <summary>
    /// The longest time a request's work may run, 1 ms to 1 day. The pool's own limit applies too. When it is over, the work's token is cancelled and
    /// the client gets 504 <c>run-timeout</c> at once. The worker, and the request's context, stay with the handler until it returns;
    /// its later writes do not reach the client. Default: <see langword="null"/>, the pool's <see cref="PoolOptions.MaxRunTime"/>.
    /// </summary>
    /// <remarks>
    /// The time ends with the handler: a response that is streamed afterwards has no limit. Over HTTP/1.1 the connection is closed after
    /// the 504. Middleware that holds the response back until the request ends holds the 504 back too.
    /// </remarks>
    public TimeSpan? MaxRunTime { get; set; }

    /// <summary>
    /// The largest body, in bytes, 1 to 1 GiB. The smallest of this, the pool's <see cref="PoolOptions.MaxBodyBytes"/> and the
    /// server's own limit applies. Default: <see langword="null"/>, only the other two.
    /// </summary>
    public long? MaxBodyBytes { get; set; }

    /// <summary>
    /// The kind of the work in metrics and views: one of a small fixed set of words. Default: <see langword="null"/>, the route without
    /// <c>/v1/</c>; for a controller without a route of its own, <c>controller/action</c>.
    /// </summary>
    public string? Kind { get; set; }

    /// <summary>
    /// Whether the result is also executed on the pool, into memory: for results that do work while they are written, such as views. Its
    /// bytes count against the budget for responses as they are written. A result must write to the context that it is executed with, not to one
    /// that it got elsewhere. Default: <see langword="false"/>, only the handler runs on the pool. A lazy sequence (<c>IEnumerable</c>, <c>IQueryable</c>) is always enumerated on the pool;
    /// <c>IAsyncEnumerable</c> and streams are not, since they are written as they come.
    /// </summary>
    public bool ExecuteResult { get; set; }

    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    internal void Validate()
    {
        Check(Enum.IsDefined(Priority), Priority, "High, Normal or Low");
        Check(IsLimit(MaxQueueTime), MaxQueueTime, "1 ms to 1 day");
        Check(IsLimit(MaxRunTime), MaxRunTime, "1 ms to 1 day");
        Check(MaxBodyBytes is null or (>= 1 and <= 1L << 30), MaxBodyBytes, "1 to 1,073,741,824 bytes");
        Check(Kind is null || !string.IsNullOrWhiteSpace(Kind), Kind, "a word");
    }

    private static bool IsLimit(TimeSpan? time) => time is null || (time >= TimeSpan.FromMilliseconds(1) && time <= TimeSpan.FromDays(1));

    private static void Check<T>(bool ok, T value, string allowed, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!ok) throw new ArgumentOutOfRangeException(name, value, $"{name} must be {allowed}.");
    }
}
