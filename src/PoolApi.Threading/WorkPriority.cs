namespace PoolApi.Threading;

/// <summary>
/// How soon an item is taken, among those that wait. Within a priority the order is first in, first out. All priorities
/// share the pool's one capacity.
/// </summary>
/// <remarks>
/// Nobody starves: of any 16 items that the workers start one after another, at least one is of low priority and at least
/// three are of normal priority (or lower), as long as such items wait; the rest go to the highest that waits.
/// </remarks>
public enum WorkPriority
{
    /// <summary>What can wait: it gets at least one start in sixteen, and whatever the others leave.</summary>
    Low = -1,

    /// <summary>The default: at least three starts in sixteen.</summary>
    Normal = 0,

    /// <summary>What somebody waits for: up to twelve starts in sixteen before others.</summary>
    High = 1,
}
