namespace PoolApi.Threading.Core.Calls;

/// <summary>The delegate of a call, with what it is given: a struct of its own for each form, so that none needs a closure.</summary>
internal interface IWork<TResult>
{
    /// <summary>Whether the delegate is given a token.</summary>
    static virtual bool TakesToken => false;

    TResult Invoke(WorkToken token);
}

/// <summary>The token that a delegate may be given: an item's, whose source is made only for one that asks, or one that exists.</summary>
internal readonly struct WorkToken
{
    private readonly PoolWorkItem? _item;
    private readonly CancellationToken _token;

    public WorkToken(PoolWorkItem item) => _item = item;

    public WorkToken(CancellationToken token) => _token = token;

    public CancellationToken Value => _item is null ? _token : _item.CancellationToken;
}

internal readonly struct Plain<TResult>(Func<TResult> work) : IWork<TResult>
{
    public TResult Invoke(WorkToken token) => work();
}

internal readonly struct WithToken<TResult>(Func<CancellationToken, TResult> work) : IWork<TResult>
{
    public static bool TakesToken => true;

    public TResult Invoke(WorkToken token) => work(token.Value);
}

internal readonly struct WithState<TState, TResult>(Func<TState, TResult> work, TState state) : IWork<TResult>
{
    public TResult Invoke(WorkToken token) => work(state);
}

internal readonly struct WithStateAndToken<TState, TResult>(Func<TState, CancellationToken, TResult> work, TState state) : IWork<TResult>
{
    public static bool TakesToken => true;

    public TResult Invoke(WorkToken token) => work(state, token.Value);
}

/// <summary>What a call without a result returns.</summary>
internal readonly struct Unit;

internal readonly struct PlainAction(Action work) : IWork<Unit>
{
    public Unit Invoke(WorkToken token)
    {
        work();
        return default;
    }
}

internal readonly struct ActionWithToken(Action<CancellationToken> work) : IWork<Unit>
{
    public static bool TakesToken => true;

    public Unit Invoke(WorkToken token)
    {
        work(token.Value);
        return default;
    }
}

internal readonly struct ActionWithState<TState>(Action<TState> work, TState state) : IWork<Unit>
{
    public Unit Invoke(WorkToken token)
    {
        work(state);
        return default;
    }
}

internal readonly struct ActionWithStateAndToken<TState>(Action<TState, CancellationToken> work, TState state) : IWork<Unit>
{
    public static bool TakesToken => true;

    public Unit Invoke(WorkToken token)
    {
        work(state, token.Value);
        return default;
    }
}

/// <summary>Work that returns a task, as work that returns a <see cref="ValueTask{TResult}"/>.</summary>
internal readonly struct FromTask<TWork, TResult>(TWork work) : IWork<ValueTask<TResult>>
    where TWork : struct, IWork<Task<TResult>>
{
    public ValueTask<TResult> Invoke(WorkToken token) => new(work.Invoke(token));
}

/// <summary>Asynchronous work without a result, as work whose result is nothing.</summary>
internal readonly struct FromTask<TWork>(TWork work) : IWork<ValueTask<Unit>>
    where TWork : struct, IWork<Task>
{
    public async ValueTask<Unit> Invoke(WorkToken token)
    {
        await work.Invoke(token);
        return default;
    }
}

/// <inheritdoc cref="FromTask{TWork}"/>
internal readonly struct FromValueTask<TWork>(TWork work) : IWork<ValueTask<Unit>>
    where TWork : struct, IWork<ValueTask>
{
    public async ValueTask<Unit> Invoke(WorkToken token)
    {
        await work.Invoke(token);
        return default;
    }
}
