using System.Diagnostics;

namespace PoolApi.Threading;

/// <summary>One worker at one moment.</summary>
public sealed record WorkerSnapshot
{
    /// <summary>
    /// The worker: 0 to N−1, until the pool is resized or has a stand-in. One that is added takes up the id of one that has left,
    /// or else the next.
    /// </summary>
    public required int Id { get; init; }

    /// <summary>Its thread's name, <c>{pool}-{id}</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What it does.</summary>
    public required WorkerState State { get; init; }

    /// <summary>The kind of what it runs; <see langword="null"/> when it runs nothing.</summary>
    public string? Kind { get; init; }

    /// <summary>For whom it runs it; <see langword="null"/> when it runs nothing or nobody said.</summary>
    public string? Origin { get; init; }

    /// <summary>The trace that what it runs belongs to; all zeros when there is none.</summary>
    public ActivityTraceId TraceId { get; init; }

    /// <summary>For how long it has been running it without a break; <see langword="null"/> when it runs nothing.</summary>
    public TimeSpan? Elapsed { get; init; }

    /// <summary>Items that completed on it.</summary>
    public required long Completed { get; init; }

    /// <summary>Items that failed on it.</summary>
    public required long Failed { get; init; }

    /// <summary>Items that ran on it and ended, whatever their outcome.</summary>
    public required long Finished { get; init; }

    /// <summary>The time it has spent running items, what it runs now included.</summary>
    public required TimeSpan BusyTime { get; init; }
}
