namespace PoolApi.Threading;

/// <summary>A whole pool at one moment: all figures were taken together.</summary>
public sealed class PoolSnapshot
{
    internal PoolSnapshot()
    {
    }

    /// <summary>The pool's name.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>Where it is in its life.</summary>
    public PoolState State { get; internal init; }

    /// <summary>Items that wait.</summary>
    public int QueueLength { get; internal init; }

    /// <summary>Of those that wait, the ones of high priority.</summary>
    public int QueueLengthHigh { get; internal init; }

    /// <summary>Of those that wait, the ones of low priority.</summary>
    public int QueueLengthLow { get; internal init; }

    /// <summary>Items that may wait.</summary>
    public int QueueCapacity { get; internal init; }

    /// <summary>For how long the oldest waiting item has waited; <see langword="null"/> when nothing waits.</summary>
    public TimeSpan? OldestAge { get; internal init; }

    /// <summary>Items under way: running, or suspended in an <see langword="await"/>.</summary>
    public int InFlight { get; internal init; }

    /// <summary>Items under way that hold no worker, because they await something.</summary>
    public int Suspended { get; internal init; }

    /// <summary>What became of everything accepted so far.</summary>
    public PoolCounts Counts { get; internal init; } = new(0, default);

    /// <summary>
    /// The workers, each at the place of its id. Of a pool that was made smaller, or had stand-ins, also those that have left and
    /// have a lower id than one that has not, as <see cref="WorkerState.Stopped"/>.
    /// </summary>
    public IReadOnlyList<WorkerSnapshot> Workers { get; internal init; } = [];
}
