namespace PoolApi.Jobs.Stores.Sqlite;

/// <summary>Something that a caller wants done on a thread of the store, and the answer that he waits for.</summary>
/// <typeparam name="TContext">What that thread works with.</typeparam>
internal abstract class Operation<TContext>(CancellationToken cancellation)
{
    /// <summary>By which the caller gives up.</summary>
    protected CancellationToken Cancellation { get; } = cancellation;

    /// <summary>The caller has given up.</summary>
    public bool IsCancelled => Cancellation.IsCancellationRequested;

    /// <summary>Does it. The answer is kept until it is told; done once more, it is another.</summary>
    public abstract void Do(TContext context);

    /// <summary>Tells the answer.</summary>
    public abstract void Complete();

    /// <summary>Tells that it could not be done.</summary>
    public abstract void Fail(Exception fault);

    /// <summary>Tells that it has not been done, since the caller gave up.</summary>
    public void Cancel() => Fail(new OperationCanceledException(Cancellation));
}

/// <inheritdoc/>
internal sealed class Operation<TContext, TState, TAnswer>(Func<TContext, TState, TAnswer> work, TState state, CancellationToken cancellation)
    : Operation<TContext>(cancellation)
{
    // The caller goes on elsewhere: a thread of the store has others to serve.
    private readonly TaskCompletionSource<TAnswer> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TAnswer? _answer;

    /// <summary>The answer. A caller that gives up does not wait for it.</summary>
    public ValueTask<TAnswer> Answer => new(Cancellation.CanBeCanceled ? _done.Task.WaitAsync(Cancellation) : _done.Task);

    public override void Do(TContext context) => _answer = work(context, state);

    public override void Complete() => _done.TrySetResult(_answer!);

    public override void Fail(Exception fault)
    {
        if (fault is OperationCanceledException cancelled) _done.TrySetCanceled(cancelled.CancellationToken);
        else _done.TrySetException(fault);
        _ = _done.Task.Exception; // seen, even if the caller has given up
    }
}
