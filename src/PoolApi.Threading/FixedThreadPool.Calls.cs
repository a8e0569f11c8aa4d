using System.Runtime.CompilerServices;
using PoolApi.Threading.Core.Calls;

namespace PoolApi.Threading;

/// <content>Calls: delegates, and their results.</content>
/// <remarks>
/// A delegate is given nothing, a token, a state, or a state and a token; and returns a result, nothing, a task or a
/// <see cref="ValueTask"/>: each of these has one form. Where a call fits several, the priorities decide.
/// </remarks>
public sealed partial class FixedThreadPool
{
    // A token that follows a function of one parameter cancels the work: it is no state.
    private const int TakesToken = 2;

    // An async lambda fits Task and ValueTask alike.
    private const int IsTask = 1;

    /// <summary>Runs a function on the pool.</summary>
    /// <param name="work">The function; its token is cancelled when the caller's is, or at a stop that missed its deadline.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    /// <returns>
    /// Its result, to be awaited once; or its exception; or <see cref="WorkRejectedException"/> if it was not accepted,
    /// <see cref="WorkNotRunException"/> if it was accepted and did not run, <see cref="OperationCanceledException"/> if it
    /// was cancelled, <see cref="WorkTimedOutException"/> if it ran for longer than it may,
    /// <see cref="WorkAbandonedException"/> if the pool stopped without it. The caller's continuation does
    /// not run on a worker of the pool, unless the caller does.
    /// </returns>
    /// <remarks>Allocates the token's source, and what the delegate itself captures.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    [OverloadResolutionPriority(TakesToken)]
    public ValueTask<TResult> RunAsync<TResult>(Func<CancellationToken, TResult> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Start<WithToken<TResult>, TResult>(new(work), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">The function.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    /// <remarks>Allocates nothing in a steady state, beyond what the delegate itself captures.</remarks>
    public ValueTask<TResult> RunAsync<TResult>(Func<TResult> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Start<Plain<TResult>, TResult>(new(work), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    /// <remarks>Allocates nothing in a steady state.</remarks>
    public ValueTask<TResult> RunAsync<TState, TResult>(Func<TState, TResult> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Start<WithState<TState, TResult>, TResult>(new(work, state), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">
    /// The function; its token is cancelled when the caller's is, or at a stop that missed its deadline. A static one needs no closure.
    /// </param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    /// <remarks>Allocates the token's source.</remarks>
    public ValueTask<TResult> RunAsync<TState, TResult>(
        Func<TState, CancellationToken, TResult> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Start<WithStateAndToken<TState, TResult>, TResult>(new(work, state), options);
    }

    /// <summary>Runs an action on the pool.</summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">The action; its token is cancelled when the caller's is, or at a stop that missed its deadline.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    /// <remarks>Allocates the token's source, and what the delegate itself captures.</remarks>
    [OverloadResolutionPriority(TakesToken)]
    public ValueTask RunAsync(Action<CancellationToken> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAction(new ActionWithToken(work), options);
    }

    /// <summary>Runs an action on the pool.</summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">The action.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    /// <remarks>Allocates nothing in a steady state, beyond what the delegate itself captures.</remarks>
    public ValueTask RunAsync(Action work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAction(new PlainAction(work), options);
    }

    /// <summary>Runs an action on the pool.</summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">The action. A static one needs no closure.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    /// <remarks>Allocates nothing in a steady state.</remarks>
    public ValueTask RunAsync<TState>(Action<TState> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAction(new ActionWithState<TState>(work, state), options);
    }

    /// <summary>Runs an action on the pool.</summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">
    /// The action; its token is cancelled when the caller's is, or at a stop that missed its deadline. A static one needs no closure.
    /// </param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    /// <remarks>Allocates the token's source.</remarks>
    public ValueTask RunAsync<TState>(Action<TState, CancellationToken> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAction(new ActionWithStateAndToken<TState>(work, state), options);
    }

    /// <summary>
    /// Runs an asynchronous function on the pool. While it awaits it holds no worker; what follows an
    /// <see langword="await"/> that captures the context runs on a worker of this pool again (after
    /// <c>ConfigureAwait(false)</c> it does not, as with any context).
    /// </summary>
    /// <param name="work">The function; its token is cancelled when the caller's is, or at a stop that missed its deadline.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <remarks>Allocates the item, its context, and what the function itself needs to await.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    [OverloadResolutionPriority(TakesToken + IsTask)]
    public ValueTask<TResult> RunAsync<TResult>(Func<CancellationToken, Task<TResult>> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartTask<WithToken<Task<TResult>>, TResult>(new(work), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    [OverloadResolutionPriority(IsTask)]
    public ValueTask<TResult> RunAsync<TResult>(Func<Task<TResult>> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartTask<Plain<Task<TResult>>, TResult>(new(work), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    [OverloadResolutionPriority(IsTask)]
    public ValueTask<TResult> RunAsync<TState, TResult>(
        Func<TState, Task<TResult>> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartTask<WithState<TState, Task<TResult>>, TResult>(new(work, state), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">
    /// The function; its token is cancelled when the caller's is, or at a stop that missed its deadline. A static one needs no closure.
    /// </param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    [OverloadResolutionPriority(IsTask)]
    public ValueTask<TResult> RunAsync<TState, TResult>(
        Func<TState, CancellationToken, Task<TResult>> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartTask<WithStateAndToken<TState, Task<TResult>>, TResult>(new(work, state), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function; its token is cancelled when the caller's is, or at a stop that missed its deadline.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    [OverloadResolutionPriority(TakesToken + IsTask)]
    public ValueTask RunAsync(Func<CancellationToken, Task> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new FromTask<WithToken<Task>>(new(work)), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    [OverloadResolutionPriority(IsTask)]
    public ValueTask RunAsync(Func<Task> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new FromTask<Plain<Task>>(new(work)), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    [OverloadResolutionPriority(IsTask)]
    public ValueTask RunAsync<TState>(Func<TState, Task> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new FromTask<WithState<TState, Task>>(new(work, state)), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">
    /// The function; its token is cancelled when the caller's is, or at a stop that missed its deadline. A static one needs no closure.
    /// </param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    [OverloadResolutionPriority(IsTask)]
    public ValueTask RunAsync<TState>(Func<TState, CancellationToken, Task> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new FromTask<WithStateAndToken<TState, Task>>(new(work, state)), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function; its token is cancelled when the caller's is, or at a stop that missed its deadline.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    [OverloadResolutionPriority(TakesToken)]
    public ValueTask<TResult> RunAsync<TResult>(Func<CancellationToken, ValueTask<TResult>> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsync<WithToken<ValueTask<TResult>>, TResult>(new(work), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    public ValueTask<TResult> RunAsync<TResult>(Func<ValueTask<TResult>> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsync<Plain<ValueTask<TResult>>, TResult>(new(work), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    public ValueTask<TResult> RunAsync<TState, TResult>(
        Func<TState, ValueTask<TResult>> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsync<WithState<TState, ValueTask<TResult>>, TResult>(new(work, state), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">
    /// The function; its token is cancelled when the caller's is, or at a stop that missed its deadline. A static one needs no closure.
    /// </param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    public ValueTask<TResult> RunAsync<TState, TResult>(
        Func<TState, CancellationToken, ValueTask<TResult>> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsync<WithStateAndToken<TState, ValueTask<TResult>>, TResult>(new(work, state), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function; its token is cancelled when the caller's is, or at a stop that missed its deadline.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    [OverloadResolutionPriority(TakesToken)]
    public ValueTask RunAsync(Func<CancellationToken, ValueTask> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new FromValueTask<WithToken<ValueTask>>(new(work)), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    public ValueTask RunAsync(Func<ValueTask> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new FromValueTask<Plain<ValueTask>>(new(work)), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    public ValueTask RunAsync<TState>(Func<TState, ValueTask> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new FromValueTask<WithState<TState, ValueTask>>(new(work, state)), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    /// <param name="work">
    /// The function; its token is cancelled when the caller's is, or at a stop that missed its deadline. A static one needs no closure.
    /// </param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    public ValueTask RunAsync<TState>(Func<TState, CancellationToken, ValueTask> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new FromValueTask<WithStateAndToken<TState, ValueTask>>(new(work, state)), options);
    }

    private ValueTask<TResult> Start<TWork, TResult>(in TWork work, in WorkOptions options)
        where TWork : struct, IWork<TResult>
    {
        if (options.CancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<TResult>(options.CancellationToken);
        Call<TWork, TResult> call = Submit<TWork, TResult>(work, options, out short version, out SubmitResult result);
        return result == SubmitResult.Accepted ? new ValueTask<TResult>(call.Source, version)
            : Waits(options, result) ? StartWhenThereIsSpaceAsync<TWork, TResult>(work, options)
            : ValueTask.FromException<TResult>(new WorkRejectedException(Name, result));
    }

    private ValueTask StartAction<TWork>(in TWork work, in WorkOptions options)
        where TWork : struct, IWork<Unit>
    {
        if (options.CancellationToken.IsCancellationRequested) return ValueTask.FromCanceled(options.CancellationToken);
        Call<TWork, Unit> call = Submit<TWork, Unit>(work, options, out short version, out SubmitResult result);
        return result == SubmitResult.Accepted ? new ValueTask(call.Source, version)
            : Waits(options, result) ? WithoutResultAsync(StartWhenThereIsSpaceAsync<TWork, Unit>(work, options))
            : ValueTask.FromException(new WorkRejectedException(Name, result));
    }

    private Call<TWork, TResult> Submit<TWork, TResult>(in TWork work, in WorkOptions options, out short version, out SubmitResult result)
        where TWork : struct, IWork<TResult>
    {
        Check(options.Priority, options.MaxQueueTime, options.MaxRunTime);
        Call<TWork, TResult> call = Call<TWork, TResult>.Rent(_core, work, options);
        version = call.Source.Version; // before it is submitted: afterwards it may be anybody's
        result = _core.Submit(call, options.Submit, options.WaitForSpace);
        if (result != SubmitResult.Accepted) call.Consumed();
        return call;
    }

    private async ValueTask<TResult> StartWhenThereIsSpaceAsync<TWork, TResult>(TWork work, WorkOptions options)
        where TWork : struct, IWork<TResult>
    {
        Accepted<TResult> call = await SubmitWhenThereIsSpaceAsync<TWork, TResult>(work, options).ConfigureAwait(false);
        return await call.Result.ConfigureAwait(false);
    }

    /// <summary>The call, once it has been accepted.</summary>
    private async ValueTask<Accepted<TResult>> SubmitWhenThereIsSpaceAsync<TWork, TResult>(TWork work, WorkOptions options)
        where TWork : struct, IWork<TResult>
    {
        while (true)
        {
            options.CancellationToken.ThrowIfCancellationRequested();
            Call<TWork, TResult> call = Submit<TWork, TResult>(work, options, out short version, out SubmitResult result);
            if (result == SubmitResult.Accepted) return new Accepted<TResult>(call.Source, version);
            await WaitForSpaceOrThrowAsync(options).ConfigureAwait(false);
        }
    }

    private ValueTask<TResult> StartTask<TWork, TResult>(in TWork work, in WorkOptions options)
        where TWork : struct, IWork<Task<TResult>> =>
        StartAsync<FromTask<TWork, TResult>, TResult>(new FromTask<TWork, TResult>(work), options);

    private ValueTask<TResult> StartAsync<TWork, TResult>(in TWork work, in WorkOptions options)
        where TWork : struct, IWork<ValueTask<TResult>>
    {
        if (options.CancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<TResult>(options.CancellationToken);
        Check(options.Priority, options.MaxQueueTime, options.MaxRunTime);
        var call = new AsyncCall<TWork, TResult>(_core, work, options);
        ResultSource<TResult> source = call.Source;
        SubmitResult result = _core.Submit(call, options.Submit, options.WaitForSpace);
        return result == SubmitResult.Accepted ? new ValueTask<TResult>(source, source.Version)
            : Waits(options, result) ? StartAsyncWhenThereIsSpaceAsync(call, options)
            : ValueTask.FromException<TResult>(new WorkRejectedException(Name, result));
    }

    private ValueTask StartAsyncAction<TWork>(in TWork work, in WorkOptions options)
        where TWork : struct, IWork<ValueTask<Unit>>
    {
        if (options.CancellationToken.IsCancellationRequested) return ValueTask.FromCanceled(options.CancellationToken);
        Check(options.Priority, options.MaxQueueTime, options.MaxRunTime);
        var call = new AsyncCall<TWork, Unit>(_core, work, options);
        ResultSource<Unit> source = call.Source;
        SubmitResult result = _core.Submit(call, options.Submit, options.WaitForSpace);
        return result == SubmitResult.Accepted ? new ValueTask(source, source.Version)
            : Waits(options, result) ? WithoutResultAsync(StartAsyncWhenThereIsSpaceAsync(call, options))
            : ValueTask.FromException(new WorkRejectedException(Name, result));
    }

    private async ValueTask<TResult> StartAsyncWhenThereIsSpaceAsync<TWork, TResult>(AsyncCall<TWork, TResult> call, WorkOptions options)
        where TWork : struct, IWork<ValueTask<TResult>>
    {
        SubmitResult result;
        do
        {
            await WaitForSpaceOrThrowAsync(options).ConfigureAwait(false);
            options.CancellationToken.ThrowIfCancellationRequested();
            result = _core.Submit(call, options.Submit, waits: true);
        }
        while (result != SubmitResult.Accepted);
        return await new ValueTask<TResult>(call.Source, call.Source.Version).ConfigureAwait(false);
    }

    private async ValueTask WaitForSpaceOrThrowAsync(WorkOptions options)
    {
        if (!await _core.Space.WaitAsync(options.CancellationToken).ConfigureAwait(false)) throw new WorkRejectedException(Name, SubmitResult.Closed);
    }

    private static bool Waits(in WorkOptions options, SubmitResult result) => options.WaitForSpace && result == SubmitResult.QueueFull;

    private static async ValueTask WithoutResultAsync(ValueTask<Unit> call) => await call.ConfigureAwait(false);

    /// <summary>A call that has been accepted. (A task of a task would be awaited as one.)</summary>
    private readonly struct Accepted<TResult>(ResultSource<TResult> source, short version)
    {
        public ValueTask<TResult> Result => new(source, version);
    }
}
