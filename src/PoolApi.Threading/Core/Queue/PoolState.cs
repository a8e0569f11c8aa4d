namespace PoolApi.Threading.Core.Queue;

/// <summary>The state of a pool's lifetime. It only moves forward.</summary>
/// <remarks>
/// <code>
///             CloseLocked              StopLocked                    StopLocked
///   Running ───────────────► Draining ────────────► Stopping ─────────────────────► Stopped
///                                │      drained, or            every worker left,       ▲
///                                │      cancelled              or was left behind       │
///                                └──────────────────────────────────────────────────────┘
///                                 StopLocked: the remaining work is abandoned (PoolStop.Abandon)
/// </code>
/// Each step is one change of <see cref="WorkQueue{TOps}.State"/> under the queue's gate.
/// </remarks>
internal enum PoolState
{
    /// <summary>The pool accepts and runs work.</summary>
    Running,

    /// <summary>The pool is closed: it refuses new work, and accepted work continues.</summary>
    Draining,

    /// <summary>The workers leave as soon as no work is left for them.</summary>
    Stopping,

    /// <summary>The workers leave at once. Every accepted item has ended.</summary>
    Stopped,
}

internal static class PoolStates
{
    /// <summary>Whether a pool may go from one state to the other in one step.</summary>
    public static bool IsStep(PoolState from, PoolState to) => (from, to) switch
    {
        (PoolState.Running, PoolState.Draining) => true,
        (PoolState.Draining, PoolState.Stopping or PoolState.Stopped) => true,
        (PoolState.Stopping, PoolState.Stopped) => true,
        _ => false,
    };
}
