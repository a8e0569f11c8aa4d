namespace PoolApi.AspNetCore.Shutdown;

/// <summary>
/// Counts accepted work outside the pools that a stop may leave unfinished. Register one or more as services. The stop reads them when every
/// hosted service has stopped.
/// </summary>
public interface IUnfinishedWork
{
    /// <summary>The number of accepted pieces of work that did not finish. Above 0 the stop counts as unclean, and with <c>AddPoolProcessLifetime</c> the exit code is 3.</summary>
    int Count { get; }
}
