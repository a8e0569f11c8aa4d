namespace PoolApi.Threading;

/// <summary>
/// The options of one piece of work: of a call (<c>RunAsync</c>, <c>Run</c>, <c>Post</c>) or of an item (<c>TrySubmit</c>). For example
/// <c>pool.RunAsync(work, options: new(WorkPriority.High, kind: "resize"))</c>.
/// </summary>
public readonly struct WorkOptions
{
    /// <summary>Creates options. Each parameter has a default.</summary>
    /// <param name="priority">The priority among queued items. Default: <see cref="WorkPriority.Normal"/>.</param>
    /// <param name="maxQueueTime">
    /// The longest time that the work may be queued, zero or more. After that it ends as <see cref="WorkOutcome.Expired"/>, at once, even
    /// while every worker is busy, and its place is free. Never longer than the pool's own
    /// <see cref="FixedThreadPoolOptions.MaxQueueTime"/>. Default: <see langword="null"/>, the pool's. Costs the submitter
    /// the pool's lock once, and O(log n) among the queued items that have a limit of their own.
    /// </param>
    /// <param name="maxRunTime">
    /// The longest time that the work may run, more than zero, awaits included. After that it ends as <see cref="WorkOutcome.TimedOut"/>, at
    /// once: the caller of a call gets a <see cref="WorkTimedOutException"/>, and the token that the work was given is cancelled. Its worker
    /// stays with it until its code returns, and is shown as stuck. A drain does not wait for its code after an await; see
    /// <see cref="FixedThreadPoolOptions.MaxRunTime"/>. Never longer than the pool's own
    /// <see cref="FixedThreadPoolOptions.MaxRunTime"/>. Default: <see langword="null"/>, the pool's. Costs one small object, and two
    /// readings of the clock.
    /// </param>
    /// <param name="kind">
    /// The work's kind, a label of the pool's metrics: one of a small fixed set of words. Default: <c>work</c>. For a call only; an item has
    /// <see cref="PoolWorkItem.Kind"/>.
    /// </param>
    /// <param name="origin">
    /// For whom the work is done, such as the caller's name. Views of the workers show it. Default: none. For a call only; an item has
    /// <see cref="PoolWorkItem.Origin"/>.
    /// </param>
    /// <param name="waitForSpace">
    /// If the queue is full, the call waits until there is room, instead of being refused: <c>RunAsync</c> without blocking, <c>Run</c>
    /// blocking its caller. The wait ends when the token is cancelled or the pool is closed, and does not count towards
    /// <paramref name="maxQueueTime"/>. Default: <see langword="false"/>, a full queue refuses at once. For <c>RunAsync</c> and <c>Run</c> only;
    /// before the submission of an item, call <see cref="FixedThreadPool.WaitForSpaceAsync"/>.
    /// </param>
    public WorkOptions(
        WorkPriority priority = WorkPriority.Normal,
        TimeSpan? maxQueueTime = null,
        TimeSpan? maxRunTime = null,
        string? kind = null,
        string? origin = null,
        bool waitForSpace = false)
    {
        Priority = priority;
        MaxQueueTime = maxQueueTime;
        MaxRunTime = maxRunTime;
        Kind = kind;
        Origin = origin;
        WaitForSpace = waitForSpace;
    }

    internal WorkPriority Priority { get; }

    internal TimeSpan? MaxQueueTime { get; }

    internal TimeSpan? MaxRunTime { get; }

    internal string? Kind { get; }

    internal string? Origin { get; }

    internal bool WaitForSpace { get; }

    /// <summary>The same options for a call that waits for space.</summary>
    internal WorkOptions Waiting() => new(Priority, MaxQueueTime, MaxRunTime, Kind, Origin, waitForSpace: true);
}
