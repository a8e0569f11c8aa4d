using System.Diagnostics;

namespace PoolApi.Threading;

/// <summary>A snapshot of one worker. Immutable.</summary>
public sealed class WorkerSnapshot
{
    internal WorkerSnapshot()
    {
    }

    /// <summary>
    /// The worker's id: 0 to N−1, until the pool is resized or has a stand-in. An added worker gets the id of a worker that has left,
    /// or else the next.
    /// </summary>
    public int Id { get; internal init; }

    /// <summary>The name of its thread, <c>{pool}-{id}</c>.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>The worker's state.</summary>
    public WorkerState State { get; internal init; }

    /// <summary>The kind of its item; <see langword="null"/> if it has no item or the item's labels could not be read.</summary>
    public string? Kind { get; internal init; }

    /// <summary>The origin of its item; <see langword="null"/> if it has no item, or the item has no origin or its labels could not be read.</summary>
    public string? Origin { get; internal init; }

    /// <summary>The trace id of its item; all zeros if there is none.</summary>
    public ActivityTraceId TraceId { get; internal init; }

    /// <summary>How long it has run its item without an await; <see langword="null"/> if it has none.</summary>
    public TimeSpan? Elapsed { get; internal init; }

    /// <summary>The number of items that completed on it.</summary>
    public long Completed { get; internal init; }

    /// <summary>The number of items that failed on it.</summary>
    public long Failed { get; internal init; }

    /// <summary>The total time that it has run items, including the current one.</summary>
    public TimeSpan BusyTime { get; internal init; }

    /// <summary>The number of items that ran on it and ended, with any outcome.</summary>
    internal long Finished { get; init; }
}
