namespace PoolApi.Threading.Core;

/// <summary>The state of a pool's lifetime. It only moves forward.</summary>
internal enum PoolState
{
    /// <summary>The pool accepts and runs work.</summary>
    Running,

    /// <summary>The pool is closed: it refuses new work, and accepted work goes on.</summary>
    Draining,

    /// <summary>The workers end as soon as no work is left for them.</summary>
    Stopping,

    /// <summary>The pool has stopped, and every accepted item has ended.</summary>
    Stopped,
}
