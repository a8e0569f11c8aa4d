namespace PoolApi.Threading;

/// <summary>
/// The pool stopped while the work was in flight, and the work did not end in time. Whether the work took effect is unknown.
/// </summary>
public sealed class WorkAbandonedException : Exception
{
    internal WorkAbandonedException(string poolName)
        : base($"The pool '{poolName}' stopped while the work was under way; whether it took effect is unknown.")
    {
    }
}
