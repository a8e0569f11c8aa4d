using PoolApi.Threading.Core;

namespace PoolApi.Threading;

/// <summary>A snapshot of a pool and its workers at one moment. Immutable.</summary>
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

    /// <summary>The number of queued items of all priorities.</summary>
    public int QueueLength { get; internal init; }

    /// <summary>The most items that may be queued.</summary>
    public int QueueCapacity { get; internal init; }

    /// <summary>The age of the oldest queued item; <see langword="null"/> if the queue is empty.</summary>
    public TimeSpan? OldestAge { get; internal init; }

    /// <summary>The number of items in flight: running, or suspended in an <see langword="await"/>.</summary>
    public int InFlight { get; internal init; }

    /// <summary>The number of items in flight that hold no worker because they await.</summary>
    public int Suspended { get; internal init; }

    /// <summary>The number of accepted items since the pool was created.</summary>
    public long Accepted { get; internal init; }

    /// <summary>The numbers of ended items since the pool was created, by outcome. Every outcome is a key.</summary>
    public IReadOnlyDictionary<WorkOutcome, long> Counts { get; internal init; } = new PoolCounts(default);

    /// <summary>
    /// The workers, each at the index of its id. A worker that has left is included as <see cref="WorkerState.Stopped"/> if its id is
    /// below <see cref="FixedThreadPool.Workers"/> or below the id of a live worker.
    /// </summary>
    public IReadOnlyList<WorkerSnapshot> Workers { get; internal init; } = [];

    /// <summary>The pool's name, which is a label of its metrics.</summary>
    internal string Name { get; init; } = "";

    internal int HighQueueLength { get; init; }

    internal int LowQueueLength { get; init; }

    /// <summary>Returns the number of queued items of one priority.</summary>
    /// <param name="priority">The priority.</param>
    /// <exception cref="ArgumentOutOfRangeException">The priority is not defined.</exception>
    public int GetQueueLength(WorkPriority priority) => priority switch
    {
        WorkPriority.High => HighQueueLength,
        WorkPriority.Low => LowQueueLength,
        WorkPriority.Normal => QueueLength - HighQueueLength - LowQueueLength,
        _ => throw new ArgumentOutOfRangeException(nameof(priority), priority, "priority must be Low, Normal or High."),
    };
}
