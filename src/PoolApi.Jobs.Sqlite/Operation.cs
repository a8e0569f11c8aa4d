namespace PoolApi.Jobs.Sqlite;

/// <summary>Something that a caller wants done on a thread of the store.</summary>
/// <remarks>
/// <code>
///   waiting ──TryTake──► taken ──Complete · Fail──► the caller has its answer
///      └──the caller gives up──► it is not done, and the caller goes at once
/// </code>
/// A caller that gives up too late gets the answer all the same, soon: so whoever was told that his call was cancelled knows
/// that nothing has been done, nor will be.
/// </remarks>
/// <typeparam name="TContext">What that thread works with.</typeparam>
internal abstract class Operation<TContext>
{
    private int _isDecided; // taken, or given up

    /// <summary>How many bytes of a body it writes.</summary>
    public long Bytes { get; init; }
    private CancellationTokenRegistration _givingUp;

    /// <summary>Takes it on.</summary>
    /// <returns>Whether the caller still wants it.</returns>
    public bool TryTake()
    {
        if (Interlocked.Exchange(ref _isDecided, 1) != 0) return false;
        _givingUp.Unregister();
        return true;
    }

    /// <summary>Does it. The answer is kept until it is told; done once more, it is another.</summary>
    public abstract void Do(TContext context);

    /// <summary>Tells the answer.</summary>
    public abstract void Complete();

    /// <summary>Tells that it could not be done.</summary>
    public abstract void Fail(Exception fault);

    /// <summary>Lets the caller give up from here on. Before anybody else sees it.</summary>
    protected void Watch(CancellationToken cancellation) => _givingUp = cancellation.UnsafeRegister(
        static (state, cancellation) =>
        {
            var operation = (Operation<TContext>)state!;
            if (Interlocked.Exchange(ref operation._isDecided, 1) == 0) operation.Cancel(cancellation);
        },
        this);

    /// <summary>Tells that it is not done, since the caller gave up.</summary>
    protected abstract void Cancel(CancellationToken cancellation);
}

/// <summary>An operation and the answer that its caller waits for.</summary>
internal sealed class Operation<TContext, TState, TAnswer> : Operation<TContext>
{
    private readonly Func<TContext, TState, TAnswer> _work;
    private readonly TState _state;

    // The caller goes on elsewhere: a thread of the store has others to serve.
    private readonly TaskCompletionSource<TAnswer> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TAnswer? _answer;

    public Operation(Func<TContext, TState, TAnswer> work, TState state, CancellationToken cancellation)
    {
        (_work, _state) = (work, state);
        Watch(cancellation);
    }

    /// <summary>The answer.</summary>
    public ValueTask<TAnswer> Answer => new(_done.Task);

    public override void Do(TContext context) => _answer = _work(context, _state);

    public override void Complete() => _done.TrySetResult(_answer!);

    public override void Fail(Exception fault) => _done.TrySetException(fault);

    protected override void Cancel(CancellationToken cancellation) => _done.TrySetCanceled(cancellation);
}
