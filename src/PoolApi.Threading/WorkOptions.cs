using System.Diagnostics;

namespace PoolApi.Threading;

/// <summary>
/// What a caller may say about work that it gives to <see cref="FixedThreadPool"/>'s <c>RunAsync</c> or <c>Run</c>. A
/// <see cref="System.Threading.CancellationToken"/> converts to it, so that a token alone may be the last argument of either.
/// </summary>
public readonly record struct WorkOptions
{
    /// <summary>The work's kind, a label of the pool's metrics: a small fixed set of words. Default: <c>work</c>.</summary>
    public string? Kind { get; init; }

    /// <summary>For whom the work is done, as the view of the workers shows it (a route, say). Default: nothing.</summary>
    public string? Origin { get; init; }

    /// <summary>The trace that the work belongs to, as the view of the workers shows it. Default: the current activity's.</summary>
    public ActivityTraceId TraceId { get; init; }

    /// <inheritdoc cref="SubmitOptions.Priority"/>
    public WorkPriority Priority { get; init; }

    /// <inheritdoc cref="SubmitOptions.MaxQueueTime"/>
    public TimeSpan? MaxQueueTime { get; init; }

    /// <summary>
    /// The longest time it may run, more than zero, awaits included; its caller then gets a <see cref="WorkTimedOutException"/>, at
    /// once, and the token that its delegate was given is cancelled. Its worker stays with it until its code returns, and is shown as
    /// stuck. Never longer than the pool's own <see cref="FixedThreadPoolOptions.MaxRunTime"/>. Default: <see langword="null"/>, the
    /// pool's. Costs one small object, and two readings of the clock.
    /// </summary>
    public TimeSpan? MaxRunTime { get; init; }

    /// <summary>
    /// Cancels the work: while it waits it is removed at once and its slot is free; while it runs the token that its
    /// delegate was given is cancelled. Default: none. Costs one small object and a registration.
    /// </summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>
    /// If the queue is full, the call waits until there is room, instead of being refused: <c>RunAsync</c> without blocking, <c>Run</c>
    /// blocking its caller. The wait ends when the token is cancelled or the pool is closed, and does not count towards
    /// <see cref="MaxQueueTime"/>. Default: <see langword="false"/>, a full queue refuses at once.
    /// </summary>
    public bool WaitForSpace { get; init; }

    /// <summary>
    /// The work runs outside of the caller's <see cref="ExecutionContext"/>: it sees none of its AsyncLocals, and not its
    /// <see cref="Activity"/>. Default: <see langword="false"/>, the context flows, as it does with <c>Task.Run</c>.
    /// </summary>
    public bool SuppressFlow { get; init; }

    /// <summary>Only a token to say: <c>pool.RunAsync(work, token)</c>. Costs nothing itself.</summary>
    /// <param name="cancellationToken">What cancels the work (<see cref="CancellationToken"/>).</param>
    public static implicit operator WorkOptions(CancellationToken cancellationToken) => new() { CancellationToken = cancellationToken };

    internal SubmitOptions Submit => new()
    {
        Priority = Priority,
        MaxQueueTime = MaxQueueTime,
        MaxRunTime = MaxRunTime,
        CancellationToken = CancellationToken,
    };
}
