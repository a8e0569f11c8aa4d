namespace PoolApi.Threading;

/// <summary>The pool refused the work: nothing was queued and nothing has run.</summary>
public sealed class WorkRejectedException : Exception
{
    /// <summary>Creates the exception for a pool and its answer.</summary>
    /// <param name="poolName">The name of the pool that refused.</param>
    /// <param name="result">Its answer; not <see cref="SubmitResult.Accepted"/>.</param>
    public WorkRejectedException(string poolName, SubmitResult result)
        : base(result == SubmitResult.Closed
            ? $"The pool '{poolName}' is closed and accepts no more work."
            : $"The queue of the pool '{poolName}' is full.")
    {
        PoolName = poolName;
        Result = result;
    }

    /// <summary>The pool that refused.</summary>
    public string PoolName { get; }

    /// <summary>Why: <see cref="SubmitResult.QueueFull"/> or <see cref="SubmitResult.Closed"/>.</summary>
    public SubmitResult Result { get; }
}
