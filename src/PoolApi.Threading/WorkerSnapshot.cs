using System.Diagnostics;

namespace PoolApi.Threading;

/// <summary>One worker at one moment.</summary>
public sealed class WorkerSnapshot
{
    internal WorkerSnapshot()
    {
    }

    /// <summary>
    /// The worker: 0 to N−1, until the pool is resized or has a stand-in. One that is added takes up the id of one that has left,
    /// or else the next.
    /// </summary>
    public int Id { get; internal init; }

    /// <summary>Its thread's name, <c>{pool}-{id}</c>.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>What it does.</summary>
    public WorkerState State { get; internal init; }

    /// <summary>The kind of what it runs; <see langword="null"/> when it runs nothing.</summary>
    public string? Kind { get; internal init; }

    /// <summary>For whom it runs it; <see langword="null"/> when it runs nothing or nobody said.</summary>
    public string? Origin { get; internal init; }

    /// <summary>The trace that what it runs belongs to; all zeros when there is none.</summary>
    public ActivityTraceId TraceId { get; internal init; }

    /// <summary>For how long it has been running it without a break; <see langword="null"/> when it runs nothing.</summary>
    public TimeSpan? Elapsed { get; internal init; }

    /// <summary>Items that completed on it.</summary>
    public long Completed { get; internal init; }

    /// <summary>Items that failed on it.</summary>
    public long Failed { get; internal init; }

    /// <summary>The time it has spent running items, what it runs now included.</summary>
    public TimeSpan BusyTime { get; internal init; }

    /// <summary>Items that ran on it and ended, whatever their outcome.</summary>
    internal long Finished { get; init; }
}
