namespace PoolApi.Threading.Core.Calls;

/// <summary>The delegate of a call with its argument. Each form is a struct of its own, so that none needs a closure.</summary>
internal interface IWork<TResult>
{
    /// <summary>Whether the delegate takes a token.</summary>
    static virtual bool TakesToken => false;

    TResult Invoke(WorkToken token);
}

/// <summary>The token for a delegate: an existing one, or an item's, whose source is created only when it is read.</summary>
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

/// <summary>If the argument is a token, the delegate gets the token of the item instead.</summary>
internal readonly struct WithArgument<TArgument, TResult>(Func<TArgument, TResult> work, TArgument argument) : IWork<TResult>
{
    public static bool TakesToken => typeof(TArgument) == typeof(CancellationToken);

    public TResult Invoke(WorkToken token) => work(TakesToken ? (TArgument)(object)token.Value : argument);
}

internal readonly struct WithArgumentAndToken<TArgument, TResult>(Func<TArgument, CancellationToken, TResult> work, TArgument argument) : IWork<TResult>
{
    public static bool TakesToken => true;

    public TResult Invoke(WorkToken token) => work(argument, token.Value);
}

/// <summary>The result type of a call without a result.</summary>
internal readonly struct Unit;

internal readonly struct PlainAction(Action work) : IWork<Unit>
{
    public Unit Invoke(WorkToken token)
    {
        work();
        return default;
    }
}

/// <inheritdoc cref="WithArgument{TArgument, TResult}"/>
internal readonly struct ActionWithArgument<TArgument>(Action<TArgument> work, TArgument argument) : IWork<Unit>
{
    public static bool TakesToken => typeof(TArgument) == typeof(CancellationToken);

    public Unit Invoke(WorkToken token)
    {
        work(TakesToken ? (TArgument)(object)token.Value : argument);
        return default;
    }
}

/// <summary>Whether a delegate that returns such a result is asynchronous: it may return before its work has ended.</summary>
internal static class AsynchronousResult<TResult>
{
    public static readonly bool Is = typeof(TResult).IsAssignableTo(typeof(Task)) || typeof(TResult) == typeof(ValueTask)
        || (typeof(TResult).IsGenericType && typeof(TResult).GetGenericTypeDefinition() == typeof(ValueTask<>));
}

/// <summary>Adapts work that returns a task to work that returns a <see cref="ValueTask{TResult}"/>.</summary>
internal readonly struct FromTask<TWork, TResult>(TWork work) : IWork<ValueTask<TResult>>
    where TWork : struct, IWork<Task<TResult>>
{
    public ValueTask<TResult> Invoke(WorkToken token) => new(work.Invoke(token));
}

/// <summary>Adapts asynchronous work without a result to the result <see cref="Unit"/>.</summary>
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
