using System.Runtime.CompilerServices;
using PoolApi.Threading.Core;
using PoolApi.Threading.Core.Calls;

namespace PoolApi.Threading;

/// <content>Calls that block their caller.</content>
public sealed partial class FixedThreadPool
{
    /// <summary>
    /// Runs a function on the pool and blocks the caller until it has ended. On a worker of this pool it runs in place, as
    /// part of what that worker runs already: a worker cannot wait for its own pool in vain.
    /// </summary>
    /// <param name="work">
    /// The function; its token is cancelled when the caller's is, or at a stop that missed its deadline; in place, also
    /// when that of what the worker runs is.
    /// </param>
    /// <param name="options">
    /// What to say about it; a <see cref="CancellationToken"/> alone may stand in its place. In place, only the token counts.
    /// </param>
    /// <returns>Its result.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    /// <exception cref="WorkRejectedException">It was not accepted: the queue is full, or the pool closed.</exception>
    /// <exception cref="WorkNotRunException">It was accepted and did not run.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="WorkTimedOutException">It ran for longer than it may.</exception>
    /// <exception cref="WorkAbandonedException">The pool stopped without it.</exception>
    /// <remarks>
    /// <para>Blocking on the ValueTask of <c>RunAsync</c> instead has no such escape: where every worker does that, each waits
    /// for an item that no worker is free to run, until it expires.</para>
    /// <para>For synchronous work: with an asynchronous function it does not compile, since in place its continuations would
    /// wait for the very worker that waits for them. (A lambda that never returns fits one too: cast it to
    /// <see cref="Action"/>.)</para>
    /// <para>Allocates the token's source, and what the delegate itself captures.</para>
    /// </remarks>
    [OverloadResolutionPriority(TakesToken)]
    public TResult Run<TResult>(Func<CancellationToken, TResult> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunBlocking<WithToken<TResult>, TResult>(new(work), options);
    }

    /// <inheritdoc cref="Run{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">The function.</param>
    /// <param name="options">
    /// What to say about it; a <see cref="CancellationToken"/> alone may stand in its place. In place, only the token counts.
    /// </param>
    /// <remarks>Allocates nothing in a steady state, beyond what the delegate itself captures.</remarks>
    public TResult Run<TResult>(Func<TResult> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunBlocking<Plain<TResult>, TResult>(new(work), options);
    }

    /// <inheritdoc cref="Run{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">
    /// What to say about it; a <see cref="CancellationToken"/> alone may stand in its place. In place, only the token counts.
    /// </param>
    /// <remarks>Allocates nothing in a steady state.</remarks>
    public TResult Run<TState, TResult>(Func<TState, TResult> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunBlocking<WithState<TState, TResult>, TResult>(new(work, state), options);
    }

    /// <inheritdoc cref="Run{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">
    /// The function; its token is cancelled when the caller's is, or at a stop that missed its deadline; in place, also
    /// when that of what the worker runs is. A static one needs no closure.
    /// </param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">
    /// What to say about it; a <see cref="CancellationToken"/> alone may stand in its place. In place, only the token counts.
    /// </param>
    /// <remarks>Allocates the token's source.</remarks>
    public TResult Run<TState, TResult>(Func<TState, CancellationToken, TResult> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunBlocking<WithStateAndToken<TState, TResult>, TResult>(new(work, state), options);
    }

    /// <summary>
    /// Runs an action on the pool and blocks the caller until it has ended. On a worker of this pool it runs in place.
    /// </summary>
    /// <inheritdoc cref="Run{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">
    /// The action; its token is cancelled when the caller's is, or at a stop that missed its deadline; in place, also
    /// when that of what the worker runs is.
    /// </param>
    /// <param name="options">
    /// What to say about it; a <see cref="CancellationToken"/> alone may stand in its place. In place, only the token counts.
    /// </param>
    /// <remarks>Allocates the token's source, and what the delegate itself captures.</remarks>
    [OverloadResolutionPriority(TakesToken)]
    public void Run(Action<CancellationToken> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        RunBlocking<ActionWithToken, Unit>(new(work), options);
    }

    /// <summary>
    /// Runs an action on the pool and blocks the caller until it has ended. On a worker of this pool it runs in place.
    /// </summary>
    /// <inheritdoc cref="Run{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">The action.</param>
    /// <param name="options">
    /// What to say about it; a <see cref="CancellationToken"/> alone may stand in its place. In place, only the token counts.
    /// </param>
    /// <remarks>Allocates nothing in a steady state, beyond what the delegate itself captures.</remarks>
    public void Run(Action work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        RunBlocking<PlainAction, Unit>(new(work), options);
    }

    /// <summary>
    /// Runs an action on the pool and blocks the caller until it has ended. On a worker of this pool it runs in place.
    /// </summary>
    /// <inheritdoc cref="Run{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">The action. A static one needs no closure.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">
    /// What to say about it; a <see cref="CancellationToken"/> alone may stand in its place. In place, only the token counts.
    /// </param>
    /// <remarks>Allocates nothing in a steady state.</remarks>
    public void Run<TState>(Action<TState> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        RunBlocking<ActionWithState<TState>, Unit>(new(work, state), options);
    }

    /// <summary>
    /// Runs an action on the pool and blocks the caller until it has ended. On a worker of this pool it runs in place.
    /// </summary>
    /// <inheritdoc cref="Run{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    /// <param name="work">
    /// The action; its token is cancelled when the caller's is, or at a stop that missed its deadline; in place, also
    /// when that of what the worker runs is. A static one needs no closure.
    /// </param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">
    /// What to say about it; a <see cref="CancellationToken"/> alone may stand in its place. In place, only the token counts.
    /// </param>
    /// <remarks>Allocates the token's source.</remarks>
    public void Run<TState>(Action<TState, CancellationToken> work, TState state, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        RunBlocking<ActionWithStateAndToken<TState>, Unit>(new(work, state), options);
    }

    private TResult RunBlocking<TWork, TResult>(in TWork work, in WorkOptions options)
        where TWork : struct, IWork<TResult>
    {
        options.CancellationToken.ThrowIfCancellationRequested();
        if (Worker.Current?.Core == _core) return InPlace<TResult>.Invoke(work, options.CancellationToken);
        Call<TWork, TResult> call = Submit<TWork, TResult>(work, options, out _, out SubmitResult result);
        while (Waits(options, result))
        {
            WaitForSpaceOrThrowAsync(options).AsTask().GetAwaiter().GetResult(); // blocks the caller, as documented
            call = Submit<TWork, TResult>(work, options, out _, out result);
        }
        if (result != SubmitResult.Accepted) throw new WorkRejectedException(Name, result);
        return call.Source.Wait();
    }
}
