namespace PoolApi.Threading;

/// <summary>
/// The priority of a queued item. Within a priority the order is first in, first out, unless <see cref="IPoolAdmission.SetOrder"/> selects
/// newest first. All priorities share the pool's one capacity.
/// </summary>
/// <remarks>
/// No priority starves: of any 16 consecutive starts, at least one is of low priority and at least
/// three are of normal priority (or lower), while such items are queued. The other starts go to the highest queued priority.
/// </remarks>
public enum WorkPriority
{
    /// <summary>For work that can wait: at least one start in sixteen, and all starts that the others leave.</summary>
    Low = -1,

    /// <summary>The default: at least three starts in sixteen.</summary>
    Normal = 0,

    /// <summary>For work that a user waits for: up to twelve starts in sixteen before others.</summary>
    High = 1,
}
