namespace PoolApi.Threading;

/// <summary>A whole pool at one moment: all figures were taken together.</summary>
public sealed record PoolSnapshot
{
    /// <summary>The pool's name.</summary>
    public required string Name { get; init; }

    /// <summary>Where it is in its life.</summary>
    public required PoolState State { get; init; }

    /// <summary>Items that wait.</summary>
    public required int QueueLength { get; init; }

    /// <summary>Of those that wait, the ones of high priority.</summary>
    public required int QueueLengthHigh { get; init; }

    /// <summary>Of those that wait, the ones of low priority.</summary>
    public required int QueueLengthLow { get; init; }

    /// <summary>Items that may wait.</summary>
    public required int QueueCapacity { get; init; }

    /// <summary>For how long the oldest waiting item has waited; <see langword="null"/> when nothing waits.</summary>
    public required TimeSpan? OldestAge { get; init; }

    /// <summary>Items under way: running, or suspended in an <see langword="await"/>.</summary>
    public required int InFlight { get; init; }

    /// <summary>Items under way that hold no worker, because they await something.</summary>
    public required int Suspended { get; init; }

    /// <summary>What became of everything accepted so far.</summary>
    public required PoolCounts Counts { get; init; }

    /// <summary>
    /// The workers, each at the place of its id. Of a pool that was made smaller, or had stand-ins, also those that have left and
    /// have a lower id than one that has not, as <see cref="WorkerState.Stopped"/>.
    /// </summary>
    public required IReadOnlyList<WorkerSnapshot> Workers { get; init; }
}
