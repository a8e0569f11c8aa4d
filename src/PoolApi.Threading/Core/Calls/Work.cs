namespace PoolApi.Threading.Core.Calls;

/// <summary>The delegate of a call, with what it is given: a struct of its own for each form, so that none needs a closure.</summary>
internal interface IWork<TResult>
{
    TResult Invoke(PoolWorkItem item);
}

internal readonly struct Plain<TResult>(Func<TResult> work) : IWork<TResult>
{
    public TResult Invoke(PoolWorkItem item) => work();
}

internal readonly struct WithToken<TResult>(Func<CancellationToken, TResult> work) : IWork<TResult>
{
    public TResult Invoke(PoolWorkItem item) => work(item.CancellationToken);
}

internal readonly struct WithState<TState, TResult>(Func<TState, TResult> work, TState state) : IWork<TResult>
{
    public TResult Invoke(PoolWorkItem item) => work(state);
}

internal readonly struct WithStateAndToken<TState, TResult>(Func<TState, CancellationToken, TResult> work, TState state) : IWork<TResult>
{
    public TResult Invoke(PoolWorkItem item) => work(state, item.CancellationToken);
}

/// <summary>What a call without a result returns.</summary>
internal readonly struct Nothing;

internal readonly struct PlainAction(Action work) : IWork<Nothing>
{
    public Nothing Invoke(PoolWorkItem item)
    {
        work();
        return default;
    }
}

internal readonly struct ActionWithToken(Action<CancellationToken> work) : IWork<Nothing>
{
    public Nothing Invoke(PoolWorkItem item)
    {
        work(item.CancellationToken);
        return default;
    }
}

internal readonly struct ActionWithState<TState>(Action<TState> work, TState state) : IWork<Nothing>
{
    public Nothing Invoke(PoolWorkItem item)
    {
        work(state);
        return default;
    }
}
