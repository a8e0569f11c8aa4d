namespace PoolApi.Threading;

/// <summary>
/// The pool did not run the work, and nothing of it has run: the pool refused it (<see cref="WorkRejectedException"/>), or accepted it and
/// handed it back (<see cref="WorkNotRunException"/>). The caller may try again.
/// </summary>
public abstract class WorkRefusedException : Exception
{
    private protected WorkRefusedException(string poolName, string message)
        : base(message) => PoolName = poolName;

    /// <summary>The pool that did not run the work.</summary>
    public string PoolName { get; }
}
