namespace PoolApi.Threading;

/// <summary>What a shutdown does with work that was accepted and has not ended.</summary>
public enum ShutdownMode
{
    /// <summary>It is finished, as far as the deadline allows; only then is the rest handed back and cancelled.</summary>
    Drain,

    /// <summary>What waits is handed back and what runs is cancelled, at once.</summary>
    Cancel,
}
