using System.Runtime.CompilerServices;
using PoolApi.Threading.Core;
using PoolApi.Threading.Core.Calls;

namespace PoolApi.Threading;

/// <content>Calls: delegates, and their results.</content>
/// <remarks>
/// <para>A delegate returns nothing, a result, a task or a <see cref="ValueTask"/>, with a result or without: six kinds. Each kind has two
/// forms: the delegate is given nothing, or one argument. An argument that is a <see cref="CancellationToken"/> is the call's token.</para>
/// <para>Where a call fits several forms, the priorities decide. The cases, with the forms that they would fit otherwise:</para>
/// <list type="bullet">
/// <item>An async lambda fits Task, ValueTask and, without a result, an action: it is taken as Task.</item>
/// <item>A method group of two methods, one that takes a token and one that takes nothing, followed by a token: the token is passed on.</item>
/// <item>A lambda that returns a ValueTask fits a function too: the more specific form wins, as the language has it.</item>
/// </list>
/// </remarks>
public sealed partial class FixedThreadPool
{
    // A token that follows a delegate of one parameter is the delegate's argument. This priority selects the overload that takes an argument.
    private const int TakesArgument = 2;

    // An async lambda converts to a delegate that returns Task and to one that returns ValueTask. This priority selects Task.
    private const int IsTask = 1;

    /// <summary>Runs a function on the pool.</summary>
    /// <param name="work">The function.</param>
    /// <param name="cancellationToken">
    /// Cancels the work. The pool removes queued work at once and frees its place. For running work it cancels the work's own token.
    /// </param>
    /// <param name="options">The options of the work.</param>
    /// <returns>
    /// The work's result, which the caller awaits once, or the work's exception. Fails with <see cref="WorkRejectedException"/> if the pool did
    /// not run the work, with <see cref="OperationCanceledException"/> if it was cancelled, with <see cref="WorkTimedOutException"/> if it
    /// exceeded its limit on run time, and with <see cref="WorkAbandonedException"/> if the pool stopped before it ended. The caller's
    /// continuation does not run on a worker of the pool, unless the caller does.
    /// </returns>
    /// <remarks>Allocates nothing in a steady state, beyond what the delegate itself captures.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    public ValueTask<TResult> RunAsync<TResult>(
        Func<TResult> work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Start<Plain<TResult>, TResult>(new(work), cancellationToken, options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{TResult}, CancellationToken, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="argument">
    /// What the function is given. If it is a <see cref="CancellationToken"/>, it cancels the work, and the function is given a token that is
    /// also cancelled at a stop that missed its deadline.
    /// </param>
    /// <param name="cancellationToken">
    /// Cancels the work. The pool removes queued work at once and frees its place. For running work it cancels the work's own token.
    /// </param>
    /// <param name="options">The options of the work.</param>
    /// <remarks>Allocates nothing in a steady state. If the argument is a token, its source is allocated.</remarks>
    [OverloadResolutionPriority(TakesArgument)]
    public ValueTask<TResult> RunAsync<TArgument, TResult>(
        Func<TArgument, TResult> work, TArgument argument, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Start<WithArgument<TArgument, TResult>, TResult>(new(work, argument), TokenOf(argument, cancellationToken), options);
    }

    /// <summary>Runs an action on the pool.</summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{TResult}, CancellationToken, WorkOptions)"/>
    /// <param name="work">The action.</param>
    /// <param name="cancellationToken">
    /// Cancels the work. The pool removes queued work at once and frees its place. For running work it cancels the work's own token.
    /// </param>
    /// <param name="options">The options of the work.</param>
    /// <remarks>Allocates nothing in a steady state, beyond what the delegate itself captures.</remarks>
    public ValueTask RunAsync(Action work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAction(new PlainAction(work), cancellationToken, options);
    }

    /// <summary>Runs an action on the pool.</summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{TResult}, CancellationToken, WorkOptions)"/>
    /// <param name="work">The action. A static one needs no closure.</param>
    /// <param name="argument">
    /// What the action is given. If it is a <see cref="CancellationToken"/>, it cancels the work, and the action is given a token that is
    /// also cancelled at a stop that missed its deadline.
    /// </param>
    /// <param name="cancellationToken">
    /// Cancels the work. The pool removes queued work at once and frees its place. For running work it cancels the work's own token.
    /// </param>
    /// <param name="options">The options of the work.</param>
    /// <remarks>Allocates nothing in a steady state. If the argument is a token, its source is allocated.</remarks>
    [OverloadResolutionPriority(TakesArgument)]
    public ValueTask RunAsync<TArgument>(
        Action<TArgument> work, TArgument argument, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAction(new ActionWithArgument<TArgument>(work, argument), TokenOf(argument, cancellationToken), options);
    }

    /// <summary>
    /// Runs an asynchronous function on the pool. While it awaits it holds no worker; what follows an
    /// <see langword="await"/> that captures the context runs on a worker of this pool again (after
    /// <c>ConfigureAwait(false)</c> it does not, as with any context).
    /// </summary>
    /// <param name="work">The function.</param>
    /// <param name="cancellationToken">
    /// Cancels the work. The pool removes queued work at once and frees its place. For running work it cancels the work's own token.
    /// </param>
    /// <param name="options">The options of the work.</param>
    /// <inheritdoc cref="RunAsync{TResult}(Func{TResult}, CancellationToken, WorkOptions)"/>
    /// <remarks>Allocates the item, its context, and what the function itself needs to await.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    [OverloadResolutionPriority(IsTask)]
    public ValueTask<TResult> RunAsync<TResult>(
        Func<Task<TResult>> work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartTask<Plain<Task<TResult>>, TResult>(new(work), cancellationToken, options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{Task{TResult}}, CancellationToken, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="argument">
    /// What the function is given. If it is a <see cref="CancellationToken"/>, it cancels the work, and the function is given a token that is
    /// also cancelled at a stop that missed its deadline.
    /// </param>
    /// <param name="cancellationToken">
    /// Cancels the work. The pool removes queued work at once and frees its place. For running work it cancels the work's own token.
    /// </param>
    /// <param name="options">The options of the work.</param>
    [OverloadResolutionPriority(TakesArgument + IsTask)]
    public ValueTask<TResult> RunAsync<TArgument, TResult>(
        Func<TArgument, Task<TResult>> work, TArgument argument, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartTask<WithArgument<TArgument, Task<TResult>>, TResult>(new(work, argument), TokenOf(argument, cancellationToken), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{Task{TResult}}, CancellationToken, WorkOptions)"/>
    /// <param name="work">The function.</param>
    /// <param name="cancellationToken">
    /// Cancels the work. The pool removes queued work at once and frees its place. For running work it cancels the work's own token.
    /// </param>
    /// <param name="options">The options of the work.</param>
    [OverloadResolutionPriority(IsTask)]
    public ValueTask RunAsync(Func<Task> work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new FromTask<Plain<Task>>(new(work)), cancellationToken, options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{Task{TResult}}, CancellationToken, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="argument">
    /// What the function is given. If it is a <see cref="CancellationToken"/>, it cancels the work, and the function is given a token that is
    /// also cancelled at a stop that missed its deadline.
    /// </param>
    /// <param name="cancellationToken">
    /// Cancels the work. The pool removes queued work at once and frees its place. For running work it cancels the work's own token.
    /// </param>
    /// <param name="options">The options of the work.</param>
    [OverloadResolutionPriority(TakesArgument + IsTask)]
    public ValueTask RunAsync<TArgument>(
        Func<TArgument, Task> work, TArgument argument, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new FromTask<WithArgument<TArgument, Task>>(new(work, argument)), TokenOf(argument, cancellationToken), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{Task{TResult}}, CancellationToken, WorkOptions)"/>
    /// <param name="work">The function.</param>
    /// <param name="cancellationToken">
    /// Cancels the work. The pool removes queued work at once and frees its place. For running work it cancels the work's own token.
    /// </param>
    /// <param name="options">The options of the work.</param>
    public ValueTask<TResult> RunAsync<TResult>(
        Func<ValueTask<TResult>> work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsync<Plain<ValueTask<TResult>>, TResult>(new(work), cancellationToken, options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{Task{TResult}}, CancellationToken, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="argument">
    /// What the function is given. If it is a <see cref="CancellationToken"/>, it cancels the work, and the function is given a token that is
    /// also cancelled at a stop that missed its deadline.
    /// </param>
    /// <param name="cancellationToken">
    /// Cancels the work. The pool removes queued work at once and frees its place. For running work it cancels the work's own token.
    /// </param>
    /// <param name="options">The options of the work.</param>
    [OverloadResolutionPriority(TakesArgument)]
    public ValueTask<TResult> RunAsync<TArgument, TResult>(
        Func<TArgument, ValueTask<TResult>> work, TArgument argument, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsync<WithArgument<TArgument, ValueTask<TResult>>, TResult>(new(work, argument), TokenOf(argument, cancellationToken), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{Task{TResult}}, CancellationToken, WorkOptions)"/>
    /// <param name="work">The function.</param>
    /// <param name="cancellationToken">
    /// Cancels the work. The pool removes queued work at once and frees its place. For running work it cancels the work's own token.
    /// </param>
    /// <param name="options">The options of the work.</param>
    public ValueTask RunAsync(Func<ValueTask> work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new FromValueTask<Plain<ValueTask>>(new(work)), cancellationToken, options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{Task{TResult}}, CancellationToken, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="argument">
    /// What the function is given. If it is a <see cref="CancellationToken"/>, it cancels the work, and the function is given a token that is
    /// also cancelled at a stop that missed its deadline.
    /// </param>
    /// <param name="cancellationToken">
    /// Cancels the work. The pool removes queued work at once and frees its place. For running work it cancels the work's own token.
    /// </param>
    /// <param name="options">The options of the work.</param>
    [OverloadResolutionPriority(TakesArgument)]
    public ValueTask RunAsync<TArgument>(
        Func<TArgument, ValueTask> work, TArgument argument, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return StartAsyncAction(new FromValueTask<WithArgument<TArgument, ValueTask>>(new(work, argument)), TokenOf(argument, cancellationToken), options);
    }

    private ValueTask<TResult> Start<TWork, TResult>(in TWork work, CancellationToken cancellationToken, in WorkOptions options)
        where TWork : struct, IWork<TResult>
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<TResult>(cancellationToken);
        Call<TWork, TResult> call = Submit<TWork, TResult>(work, cancellationToken, options, out short version, out SubmitResult result);
        return result == SubmitResult.Accepted ? new ValueTask<TResult>(call.Source, version)
            : Waits(options, result) ? StartWhenThereIsSpaceAsync<TWork, TResult>(work, cancellationToken, options)
            : ValueTask.FromException<TResult>(new WorkRejectedException(Name, result));
    }

    private ValueTask StartAction<TWork>(in TWork work, CancellationToken cancellationToken, in WorkOptions options)
        where TWork : struct, IWork<Unit>
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled(cancellationToken);
        Call<TWork, Unit> call = Submit<TWork, Unit>(work, cancellationToken, options, out short version, out SubmitResult result);
        return result == SubmitResult.Accepted ? new ValueTask(call.Source, version)
            : Waits(options, result) ? WithoutResultAsync(StartWhenThereIsSpaceAsync<TWork, Unit>(work, cancellationToken, options))
            : ValueTask.FromException(new WorkRejectedException(Name, result));
    }

    private Call<TWork, TResult> Submit<TWork, TResult>(
        in TWork work, CancellationToken cancellationToken, in WorkOptions options, out short version, out SubmitResult result, in Submitter by = default)
        where TWork : struct, IWork<TResult>
    {
        Check(options);
        Call<TWork, TResult> call = Call<TWork, TResult>.Rent(_core, work, cancellationToken, options);
        version = call.Source.Version; // read now, because a refused call returns to the cache, where another caller may take it
        result = _core.Submit(call, cancellationToken, options, options.WaitForSpace, by);
        if (result != SubmitResult.Accepted) call.Consumed();
        return call;
    }

    private async ValueTask<TResult> StartWhenThereIsSpaceAsync<TWork, TResult>(TWork work, CancellationToken cancellationToken, WorkOptions options)
        where TWork : struct, IWork<TResult>
    {
        Submitter by = _core.SubmitterHere(); // before the first await
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Call<TWork, TResult> call = Submit<TWork, TResult>(work, cancellationToken, options, out short version, out SubmitResult result, by);
            if (result == SubmitResult.Accepted) return await new ValueTask<TResult>(call.Source, version).ConfigureAwait(false);
            await WaitForSpaceOrThrowAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private ValueTask<TResult> StartTask<TWork, TResult>(in TWork work, CancellationToken cancellationToken, in WorkOptions options)
        where TWork : struct, IWork<Task<TResult>> =>
        StartAsync<FromTask<TWork, TResult>, TResult>(new FromTask<TWork, TResult>(work), cancellationToken, options);

    private ValueTask<TResult> StartAsync<TWork, TResult>(in TWork work, CancellationToken cancellationToken, in WorkOptions options)
        where TWork : struct, IWork<ValueTask<TResult>>
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<TResult>(cancellationToken);
        Check(options);
        var call = new AsyncCall<TWork, TResult>(_core, work, cancellationToken, options);
        ResultSource<TResult> source = call.Source;
        SubmitResult result = _core.Submit(call, cancellationToken, options, options.WaitForSpace);
        return result == SubmitResult.Accepted ? new ValueTask<TResult>(source, source.Version)
            : Waits(options, result) ? StartAsyncWhenThereIsSpaceAsync(call, cancellationToken, options)
            : ValueTask.FromException<TResult>(new WorkRejectedException(Name, result));
    }

    private ValueTask StartAsyncAction<TWork>(in TWork work, CancellationToken cancellationToken, in WorkOptions options)
        where TWork : struct, IWork<ValueTask<Unit>>
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled(cancellationToken);
        Check(options);
        var call = new AsyncCall<TWork, Unit>(_core, work, cancellationToken, options);
        ResultSource<Unit> source = call.Source;
        SubmitResult result = _core.Submit(call, cancellationToken, options, options.WaitForSpace);
        return result == SubmitResult.Accepted ? new ValueTask(source, source.Version)
            : Waits(options, result) ? WithoutResultAsync(StartAsyncWhenThereIsSpaceAsync(call, cancellationToken, options))
            : ValueTask.FromException(new WorkRejectedException(Name, result));
    }

    private async ValueTask<TResult> StartAsyncWhenThereIsSpaceAsync<TWork, TResult>(AsyncCall<TWork, TResult> call, CancellationToken cancellationToken, WorkOptions options)
        where TWork : struct, IWork<ValueTask<TResult>>
    {
        Submitter by = _core.SubmitterHere(); // before the first await
        SubmitResult result;
        do
        {
            await WaitForSpaceOrThrowAsync(cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            result = _core.Submit(call, cancellationToken, options, waits: true, by);
        }
        while (result != SubmitResult.Accepted);
        return await new ValueTask<TResult>(call.Source, call.Source.Version).ConfigureAwait(false);
    }

    private async ValueTask WaitForSpaceOrThrowAsync(CancellationToken cancellationToken)
    {
        if (!await _core.Space.WaitAsync(cancellationToken).ConfigureAwait(false)) throw new WorkRejectedException(Name, SubmitResult.Closed);
    }

    /// <summary>The token that cancels the work: the argument, if that is one.</summary>
    private static CancellationToken TokenOf<TArgument>(TArgument argument, CancellationToken cancellationToken)
    {
        if (typeof(TArgument) != typeof(CancellationToken)) return cancellationToken;
        if (cancellationToken.CanBeCanceled)
            throw new ArgumentException("The argument is a token, which cancels the work: there cannot be a second one. Link the two.", nameof(cancellationToken));
        return (CancellationToken)(object)argument!;
    }

    private static bool Waits(in WorkOptions options, SubmitResult result) => options.WaitForSpace && result == SubmitResult.QueueFull;

    private static async ValueTask WithoutResultAsync(ValueTask<Unit> call) => await call.ConfigureAwait(false);
}
