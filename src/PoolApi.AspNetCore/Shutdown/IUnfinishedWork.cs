namespace PoolApi.AspNetCore.Shutdown;

/// <summary>
/// Something beside the pools that a stop may leave unfinished. Register one or more as services; the stop asks them when every hosted
/// service has stopped.
/// </summary>
public interface IUnfinishedWork
{
    /// <summary>How much accepted work was left unfinished. If any was, the stop counts as unclean; with <c>AddPoolProcessLifetime</c> the exit code is 3.</summary>
    int Count { get; }
}
