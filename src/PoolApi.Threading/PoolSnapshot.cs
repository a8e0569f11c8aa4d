using PoolApi.Threading.Core;

namespace PoolApi.Threading;

/// <summary>A whole pool at one moment: all figures were taken together.</summary>
/// <remarks>At every moment <see cref="Accepted"/> is the sum of <see cref="Counts"/>, <see cref="QueueLength"/> and <see cref="InFlight"/>.</remarks>
public class PoolSnapshot
{
    internal PoolSnapshot()
    {
    }

    private protected PoolSnapshot(PoolSnapshot other)
    {
        Name = other.Name;
        QueueLength = other.QueueLength;
        HighQueueLength = other.HighQueueLength;
        LowQueueLength = other.LowQueueLength;
        QueueCapacity = other.QueueCapacity;
        OldestAge = other.OldestAge;
        InFlight = other.InFlight;
        Suspended = other.Suspended;
        Accepted = other.Accepted;
        Counts = other.Counts;
        Workers = other.Workers;
    }

    /// <summary>Queued items, of all priorities.</summary>
    public int QueueLength { get; internal init; }

    /// <summary>The most items that may be queued.</summary>
    public int QueueCapacity { get; internal init; }

    /// <summary>For how long the oldest queued item has been queued; <see langword="null"/> when the queue is empty.</summary>
    public TimeSpan? OldestAge { get; internal init; }

    /// <summary>Items under way: running, or suspended in an <see langword="await"/>.</summary>
    public int InFlight { get; internal init; }

    /// <summary>Items under way that hold no worker, because they await something.</summary>
    public int Suspended { get; internal init; }

    /// <summary>Items accepted since the pool was made.</summary>
    public long Accepted { get; internal init; }

    /// <summary>Items that have ended since the pool was made, by their outcome. Every outcome is a key.</summary>
    public IReadOnlyDictionary<WorkOutcome, long> Counts { get; internal init; } = new PoolCounts(default);

    /// <summary>
    /// The workers, each at the place of its id. Of a pool that was made smaller, or had stand-ins, also those that have left and
    /// have a lower id than one that has not, as <see cref="WorkerState.Stopped"/>.
    /// </summary>
    public IReadOnlyList<WorkerSnapshot> Workers { get; internal init; } = [];

    /// <summary>The pool's name: a label of its metrics.</summary>
    internal string Name { get; init; } = "";

    internal int HighQueueLength { get; init; }

    internal int LowQueueLength { get; init; }

    /// <summary>Queued items of one priority.</summary>
    /// <param name="priority">The priority.</param>
    /// <exception cref="ArgumentOutOfRangeException">The priority is none of the enumeration's.</exception>
    public int GetQueueLength(WorkPriority priority) => priority switch
    {
        WorkPriority.High => HighQueueLength,
        WorkPriority.Low => LowQueueLength,
        WorkPriority.Normal => QueueLength - HighQueueLength - LowQueueLength,
        _ => throw new ArgumentOutOfRangeException(nameof(priority), priority, "priority may be Low, Normal or High."),
    };
}
