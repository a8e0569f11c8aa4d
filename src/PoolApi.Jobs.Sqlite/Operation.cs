namespace PoolApi.Jobs.Sqlite;

/// <summary>An operation that a caller waits for and a thread of the store runs. Thread-safe.</summary>
/// <remarks>
/// <code>
///   waiting ──TryTake──► taken ──Complete · Fail──► the caller has the result
///      └──cancelled──► it never runs, and the caller continues at once
/// </code>
/// A cancellation after the operation was taken has no effect. So a caller whose call was cancelled knows that nothing was done or will be.
/// </remarks>
/// <typeparam name="TContext">The session of the thread.</typeparam>
internal abstract class Operation<TContext>
{
    private int _isDecided; // taken or cancelled

    /// <summary>The bytes of the body that it writes.</summary>
    public long Bytes { get; init; }
    private CancellationTokenRegistration _givingUp;

    /// <summary>Takes the operation.</summary>
    /// <returns><see langword="false"/> if it was cancelled.</returns>
    public bool TryTake()
    {
        if (Interlocked.Exchange(ref _isDecided, 1) != 0) return false;
        _givingUp.Unregister();
        return true;
    }

    /// <summary>Runs the operation and keeps its result. A second run replaces the result.</summary>
    public abstract void Do(TContext context);

    /// <summary>Completes the caller's task with the result.</summary>
    public abstract void Complete();

    /// <summary>Completes the caller's task with an exception.</summary>
    public abstract void Fail(Exception fault);

    /// <summary>Makes the operation cancellable. Called before it is added to an inbox.</summary>
    protected void Watch(CancellationToken cancellation) => _givingUp = cancellation.UnsafeRegister(
        static (state, cancellation) =>
        {
            var operation = (Operation<TContext>)state!;
            if (Interlocked.Exchange(ref operation._isDecided, 1) == 0) operation.Cancel(cancellation);
        },
        this);

    /// <summary>Completes the caller's task as cancelled.</summary>
    protected abstract void Cancel(CancellationToken cancellation);
}

/// <summary>An operation with a result.</summary>
internal sealed class Operation<TContext, TState, TResult> : Operation<TContext>
{
    private readonly Func<TContext, TState, TResult> _work;
    private TState _state; // default once it is cancelled

    // Continuations do not run on the store's thread, which other operations wait for.
    private readonly TaskCompletionSource<TResult> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TResult? _result;

    public Operation(Func<TContext, TState, TResult> work, TState state, CancellationToken cancellation)
    {
        (_work, _state) = (work, state);
        Watch(cancellation);
    }

    /// <summary>The caller's task.</summary>
    public ValueTask<TResult> Completion => new(_done.Task);

    public override void Do(TContext context) => _result = _work(context, _state);

    public override void Complete() => _done.TrySetResult(_result!);

    public override void Fail(Exception fault) => _done.TrySetException(fault);

    protected override void Cancel(CancellationToken cancellation)
    {
        _state = default!; // the operation never runs, but stays in the inbox until the thread takes it, and must not keep the body of its job
        _done.TrySetCanceled(cancellation);
    }
}
