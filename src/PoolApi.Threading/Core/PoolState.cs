namespace PoolApi.Threading.Core;

/// <summary>Where a pool is in its life. It only ever moves forward.</summary>
internal enum PoolState
{
    /// <summary>It accepts and runs work.</summary>
    Running,

    /// <summary>It accepts nothing more; what was accepted goes on.</summary>
    Draining,

    /// <summary>Its workers have been told to end as soon as nothing is left for them.</summary>
    Stopping,

    /// <summary>It has stopped; every accepted item has ended.</summary>
    Stopped,
}
