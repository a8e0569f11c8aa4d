using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading;

/// <summary>
/// The outcomes of the work that a pool has accepted, counted at one moment. <see cref="Accepted"/> equals <see cref="Ended"/> plus the
/// queued items and the items in flight, at every moment.
/// </summary>
public sealed class PoolCounts
{
    private readonly OutcomeCounts _ended;

    internal PoolCounts(long accepted, in OutcomeCounts ended)
    {
        Accepted = accepted;
        _ended = ended;
        Ended = ended.Total;
    }

    /// <summary>Items accepted.</summary>
    public long Accepted { get; }

    /// <summary>Items that have ended, whatever their outcome.</summary>
    public long Ended { get; }

    /// <summary>Items that have ended with one outcome.</summary>
    /// <param name="outcome">The outcome.</param>
    /// <exception cref="ArgumentOutOfRangeException">The outcome is none of the enumeration's.</exception>
    public long this[WorkOutcome outcome]
    {
        get
        {
            if (outcome is < 0 or > WorkOutcome.TimedOut) throw new ArgumentOutOfRangeException(nameof(outcome), outcome, "not an outcome");
            return _ended[(int)outcome];
        }
    }
}
