namespace PoolApi.Threading;

/// <summary>The pool refused the work: nothing was queued and nothing has run.</summary>
public sealed class WorkRejectedException : WorkRefusedException
{
    internal WorkRejectedException(string poolName, SubmitResult result)
        : base(poolName, result == SubmitResult.Closed
            ? $"The pool '{poolName}' is closed and accepts no more work."
            : $"The queue of the pool '{poolName}' is full.")
    {
        Result = result;
    }

    /// <summary>Why: <see cref="SubmitResult.QueueFull"/> or <see cref="SubmitResult.Closed"/>.</summary>
    public SubmitResult Result { get; }
}
