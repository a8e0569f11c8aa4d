using PoolApi.Threading.Core;
using PoolApi.Threading.Core.Calls;

namespace PoolApi.Threading;

/// <content>Calls: delegates, and their results.</content>
public sealed partial class FixedThreadPool
{
    /// <summary>Runs a function on the pool.</summary>
    /// <param name="work">The function; its token is cancelled when the caller's is, or at a stop that missed its deadline.</param>
    /// <param name="options">What to say about it.</param>
    /// <returns>
    /// Its result, to be awaited once; or its exception; or <see cref="WorkRejectedException"/> if it was not accepted,
    /// <see cref="WorkNotRunException"/> if it was accepted and did not run, <see cref="OperationCanceledException"/> if it
    /// was cancelled, <see cref="WorkAbandonedException"/> if the pool stopped without it. The caller's continuation does
    /// not run on a worker of the pool, unless the caller does.
    /// </returns>
    /// <remarks>Allocates the token's source, and what the delegate itself captures.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    public ValueTask<TResult> RunAsync<TResult>(Func<CancellationToken, TResult> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Start<WithToken<TResult>, TResult>(new WithToken<TResult>(work), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <remarks>Allocates nothing in a steady state, beyond what the delegate itself captures.</remarks>
    public ValueTask<TResult> RunAsync<TResult>(Func<TResult> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Start<Plain<TResult>, TResult>(new Plain<TResult>(work), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it.</param>
    /// <remarks>Allocates nothing in a steady state.</remarks>
    public ValueTask<TResult> RunAsync<TState, TResult>(Func<TState, TResult> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Start<WithState<TState, TResult>, TResult>(new WithState<TState, TResult>(work, state), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">The function; its token is cancelled when the caller's is, or at a stop that missed its deadline.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it.</param>
    public ValueTask<TResult> RunAsync<TState, TResult>(
        Func<TState, CancellationToken, TResult> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Start<WithStateAndToken<TState, TResult>, TResult>(new WithStateAndToken<TState, TResult>(work, state), options);
    }

    /// <summary>Runs an action on the pool.</summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    public ValueTask RunAsync(Action<CancellationToken> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAction(new ActionWithToken(work), options);
    }

    /// <summary>Runs an action on the pool.</summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{TResult}, WorkOptions)"/>
    public ValueTask RunAsync(Action work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAction(new PlainAction(work), options);
    }

    /// <summary>Runs an action on the pool.</summary>
    /// <inheritdoc cref="RunAsync{TState, TResult}(Func{TState, TResult}, TState, WorkOptions)"/>
    public ValueTask RunAsync<TState>(Action<TState> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAction(new ActionWithState<TState>(work, state), options);
    }

    /// <summary>
    /// Runs an asynchronous function on the pool. While it awaits it holds no worker; what follows an
    /// <see langword="await"/> that captures the context runs on a worker of this pool again (after
    /// <c>ConfigureAwait(false)</c> it does not, as with any context).
    /// </summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    public ValueTask<TResult> RunAsync<TResult>(Func<CancellationToken, Task<TResult>> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsync<WithToken<Task<TResult>>, TResult>(new WithToken<Task<TResult>>(work), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    public ValueTask<TResult> RunAsync<TResult>(Func<Task<TResult>> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsync<Plain<Task<TResult>>, TResult>(new Plain<Task<TResult>>(work), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function; its token is cancelled when the caller's is, or at a stop that missed its deadline.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it.</param>
    public ValueTask<TResult> RunAsync<TState, TResult>(
        Func<TState, CancellationToken, Task<TResult>> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsync<WithStateAndToken<TState, Task<TResult>>, TResult>(
            new WithStateAndToken<TState, Task<TResult>>(work, state), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it.</param>
    public ValueTask<TResult> RunAsync<TState, TResult>(Func<TState, Task<TResult>> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsync<WithState<TState, Task<TResult>>, TResult>(new WithState<TState, Task<TResult>>(work, state), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    public ValueTask RunAsync(Func<CancellationToken, Task> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new WithToken<Task>(work), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    public ValueTask RunAsync(Func<Task> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new Plain<Task>(work), options);
    }

    /// <inheritdoc cref="RunAsync{TState, TResult}(Func{TState, CancellationToken, Task{TResult}}, TState, WorkOptions)"/>
    public ValueTask RunAsync<TState>(Func<TState, CancellationToken, Task> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new WithStateAndToken<TState, Task>(work, state), options);
    }

    /// <inheritdoc cref="RunAsync{TState, TResult}(Func{TState, Task{TResult}}, TState, WorkOptions)"/>
    public ValueTask RunAsync<TState>(Func<TState, Task> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new WithState<TState, Task>(work, state), options);
    }

    /// <summary>
    /// Runs a function on the pool and blocks the caller until it has ended. On a worker of this pool it runs in place, as
    /// part of what that worker runs already: a worker cannot wait for its own pool in vain.
    /// </summary>
    /// <param name="work">The function.</param>
    /// <param name="options">What to say about it. In place, only the token counts, and only before the start.</param>
    /// <returns>Its result.</returns>
    /// <exception cref="WorkRejectedException">It was not accepted: the queue is full, or the pool closed.</exception>
    /// <exception cref="WorkNotRunException">It was accepted and did not run.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="WorkAbandonedException">The pool stopped without it.</exception>
    /// <remarks>
    /// Blocking on the ValueTask of <c>RunAsync</c> instead has no such escape: where every worker does that, each waits for
    /// an item that no worker is free to run, until it expires.
    /// </remarks>
    public TResult Run<TResult>(Func<TResult> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunBlocking<Plain<TResult>, TResult>(new Plain<TResult>(work), options);
    }

    /// <inheritdoc cref="Run{TResult}(Func{TResult}, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it. In place, only the token counts, and only before the start.</param>
    public TResult Run<TState, TResult>(Func<TState, TResult> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunBlocking<WithState<TState, TResult>, TResult>(new WithState<TState, TResult>(work, state), options);
    }

    /// <summary>
    /// Runs an action on the pool and blocks the caller until it has ended. On a worker of this pool it runs in place.
    /// </summary>
    /// <inheritdoc cref="Run{TResult}(Func{TResult}, WorkOptions)"/>
    public void Run(Action work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        RunBlocking<PlainAction, Nothing>(new PlainAction(work), options);
    }

    /// <inheritdoc cref="Run(Action, WorkOptions)"/>
    /// <param name="work">The action. A static one needs no closure.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it. In place, only the token counts, and only before the start.</param>
    public void Run<TState>(Action<TState> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        RunBlocking<ActionWithState<TState>, Nothing>(new ActionWithState<TState>(work, state), options);
    }

    private ValueTask<TResult> Start<TWork, TResult>(in TWork work, in WorkOptions options)
        where TWork : struct, IWork<TResult>
    {
        if (options.CancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<TResult>(options.CancellationToken);
        Call<TWork, TResult> call = Submit<TWork, TResult>(work, options, out short version, out SubmitResult result);
        return result == SubmitResult.Accepted
            ? new ValueTask<TResult>(call.Source, version)
            : ValueTask.FromException<TResult>(new WorkRejectedException(Name, result));
    }

    private ValueTask StartAction<TWork>(in TWork work, in WorkOptions options)
        where TWork : struct, IWork<Nothing>
    {
        if (options.CancellationToken.IsCancellationRequested) return ValueTask.FromCanceled(options.CancellationToken);
        Call<TWork, Nothing> call = Submit<TWork, Nothing>(work, options, out short version, out SubmitResult result);
        return result == SubmitResult.Accepted
            ? new ValueTask(call.Source, version)
            : ValueTask.FromException(new WorkRejectedException(Name, result));
    }

    private TResult RunBlocking<TWork, TResult>(in TWork work, in WorkOptions options)
        where TWork : struct, IWork<TResult>
    {
        options.CancellationToken.ThrowIfCancellationRequested();
        if (Worker.Current?.Core == _core) return InPlace<TResult>.Invoke(work);
        Call<TWork, TResult> call = Submit<TWork, TResult>(work, options, out _, out SubmitResult result);
        if (result != SubmitResult.Accepted) throw new WorkRejectedException(Name, result);
        return call.Source.Wait();
    }

    private Call<TWork, TResult> Submit<TWork, TResult>(in TWork work, in WorkOptions options, out short version, out SubmitResult result)
        where TWork : struct, IWork<TResult>
    {
        Check(options.Priority, options.MaxQueueTime);
        Call<TWork, TResult> call = Call<TWork, TResult>.Rent(_core, work, options);
        version = call.Source.Version; // before it is submitted: afterwards it may be anybody's
        result = _core.Submit(call, options.Submit);
        if (result != SubmitResult.Accepted) call.Consumed();
        return call;
    }

    private ValueTask<TResult> StartAsync<TWork, TResult>(in TWork work, in WorkOptions options)
        where TWork : struct, IWork<Task<TResult>>
    {
        if (options.CancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<TResult>(options.CancellationToken);
        Check(options.Priority, options.MaxQueueTime);
        var call = new AsyncCall<TWork, TResult>(_core, work, options);
        ResultSource<TResult> source = call.Source;
        SubmitResult result = _core.Submit(call, options.Submit);
        return result == SubmitResult.Accepted
            ? new ValueTask<TResult>(source, source.Version)
            : ValueTask.FromException<TResult>(new WorkRejectedException(Name, result));
    }

    private ValueTask StartAsyncAction<TWork>(in TWork work, in WorkOptions options)
        where TWork : struct, IWork<Task>
    {
        if (options.CancellationToken.IsCancellationRequested) return ValueTask.FromCanceled(options.CancellationToken);
        Check(options.Priority, options.MaxQueueTime);
        var call = new AsyncCall<AsyncAction<TWork>, Nothing>(_core, new AsyncAction<TWork>(work), options);
        ResultSource<Nothing> source = call.Source;
        SubmitResult result = _core.Submit(call, options.Submit);
        return result == SubmitResult.Accepted
            ? new ValueTask(source, source.Version)
            : ValueTask.FromException(new WorkRejectedException(Name, result));
    }
}
