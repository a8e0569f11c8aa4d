using System.Runtime.CompilerServices;
using PoolApi.Threading.Core;
using PoolApi.Threading.Core.Calls;

namespace PoolApi.Threading;

/// <content>Calls that block the calling thread.</content>
public sealed partial class FixedThreadPool
{
    private const string RunIsSynchronous =
        "Run is for synchronous work: it would return at the first await, with the rest of the work outside of the pool. Give asynchronous work to RunAsync, and await it.";

    /// <summary>
    /// Runs a function on the pool and blocks the calling thread until the function has ended. On a worker of this pool it runs in place, as
    /// a part of the worker's current item, so a worker cannot deadlock on its own pool.
    /// </summary>
    /// <param name="work">The function.</param>
    /// <param name="cancellationToken">Cancels the work, queued or running.</param>
    /// <param name="options">The options of the work. In place, only the token counts.</param>
    /// <returns>Its result.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">The function is asynchronous: it returns a task. Nothing has run.</exception>
    /// <exception cref="WorkRejectedException">The pool did not run it: the queue is full, the pool is closed, or it handed the work back.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="WorkTimedOutException">The function exceeded its limit on run time.</exception>
    /// <exception cref="WorkAbandonedException">The pool stopped before the function ended.</exception>
    /// <remarks>
    /// <para>Blocking on the ValueTask of <c>RunAsync</c> has no such protection. If every worker blocks in this way, only stand-ins run the
    /// items that the workers wait for (<see cref="FixedThreadPoolOptions.MaxStandIns"/>). Without a free stand-in the items wait
    /// until they expire.</para>
    /// <para>Allocates nothing in a steady state, beyond what the delegate itself captures.</para>
    /// </remarks>
    public TResult Run<TResult>(Func<TResult> work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunBlocking<Plain<TResult>, TResult>(new(work), cancellationToken, options);
    }

    /// <inheritdoc cref="Run{TResult}(Func{TResult}, CancellationToken, WorkOptions)"/>
    /// <param name="work">The function. A static one needs no closure.</param>
    /// <param name="argument">
    /// The function's argument. A <see cref="CancellationToken"/> cancels the work. The function then gets a token that a stop also cancels
    /// when it misses its deadline. In place, a cancellation of the worker's current item cancels that token too.
    /// </param>
    /// <param name="cancellationToken">Cancels the work, queued or running.</param>
    /// <param name="options">The options of the work. In place, only the token counts.</param>
    [OverloadResolutionPriority(TakesArgument)]
    public TResult Run<TArgument, TResult>(
        Func<TArgument, TResult> work, TArgument argument, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunBlocking<WithArgument<TArgument, TResult>, TResult>(new(work, argument), TokenOf(argument, cancellationToken), options);
    }

    /// <summary>
    /// Runs an action on the pool and blocks the caller until the action has ended. On a worker of this pool it runs in place.
    /// </summary>
    /// <inheritdoc cref="Run{TResult}(Func{TResult}, CancellationToken, WorkOptions)"/>
    /// <param name="work">The action.</param>
    /// <param name="cancellationToken">Cancels the work, queued or running.</param>
    /// <param name="options">The options of the work. In place, only the token counts.</param>
    public void Run(Action work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        RunBlocking<PlainAction, Unit>(new(work), cancellationToken, options);
    }

    /// <summary>
    /// Runs an action on the pool and blocks the caller until the action has ended. On a worker of this pool it runs in place.
    /// </summary>
    /// <inheritdoc cref="Run{TArgument, TResult}(Func{TArgument, TResult}, TArgument, CancellationToken, WorkOptions)"/>
    /// <param name="work">The action. A static one needs no closure.</param>
    /// <param name="argument">
    /// The action's argument. A <see cref="CancellationToken"/> cancels the work. The action then gets a token that a stop also cancels
    /// when it misses its deadline. In place, a cancellation of the worker's current item cancels that token too.
    /// </param>
    /// <param name="cancellationToken">Cancels the work, queued or running.</param>
    /// <param name="options">The options of the work. In place, only the token counts.</param>
    [OverloadResolutionPriority(TakesArgument)]
    public void Run<TArgument>(
        Action<TArgument> work, TArgument argument, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        RunBlocking<ActionWithArgument<TArgument>, Unit>(new(work, argument), TokenOf(argument, cancellationToken), options);
    }

    private TResult RunBlocking<TWork, TResult>(in TWork work, CancellationToken cancellationToken, in WorkOptions options)
        where TWork : struct, IWork<TResult>
    {
        if (AsynchronousResult<TResult>.Is) throw new ArgumentException(RunIsSynchronous, nameof(work));
        cancellationToken.ThrowIfCancellationRequested();
        if (Worker.Current?.Core == _core) return InPlace<TResult>.Invoke(work, cancellationToken);
        Call<TWork, TResult> call = Submit<TWork, TResult>(work, cancellationToken, options, out _, out SubmitResult result);
        while (Waits(options, result))
        {
            WaitForSpaceOrThrowAsync(cancellationToken).AsTask().GetAwaiter().GetResult(); // blocks the caller, as documented
            call = Submit<TWork, TResult>(work, cancellationToken, options, out _, out result);
        }
        if (result != SubmitResult.Accepted) throw new WorkRejectedException(Name, result);
        return call.Source.Wait();
    }
}
