using System.Runtime.CompilerServices;
using PoolApi.Threading.Core.Calls;

namespace PoolApi.Threading;

/// <content>Work whose result nobody waits for, and work on many inputs.</content>
public sealed partial class FixedThreadPool
{
    /// <summary>
    /// Runs an action on the pool, and nobody waits for it. If it throws, the observer is told
    /// (<see cref="IFixedThreadPoolObserver.UnhandledException"/>); if it never runs, the observer is told that as of any item
    /// (<see cref="IFixedThreadPoolObserver.WorkFinished"/>).
    /// </summary>
    /// <param name="work">The action.</param>
    /// <param name="cancellationToken">Cancels the work, queued or running.</param>
    /// <param name="options">What else to say about the work.</param>
    /// <returns>Whether the pool accepted it, and why not.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException"><see cref="WorkOptions.WaitForSpace"/> is set: this call cannot wait.</exception>
    public SubmitResult Post(Action work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return PostWork(new PlainAction(work), cancellationToken, options);
    }

    /// <inheritdoc cref="Post(Action, CancellationToken, WorkOptions)"/>
    /// <param name="work">The action. A static one needs no closure.</param>
    /// <param name="argument">
    /// What the action is given. If it is a <see cref="CancellationToken"/>, it cancels the work, and the action is given a token that is
    /// also cancelled at a stop that missed its deadline.
    /// </param>
    /// <param name="cancellationToken">Cancels the work, queued or running.</param>
    /// <param name="options">What else to say about the work.</param>
    [OverloadResolutionPriority(TakesArgument)]
    public SubmitResult Post<TArgument>(
        Action<TArgument> work, TArgument argument, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return PostWork(new ActionWithArgument<TArgument>(work, argument), TokenOf(argument, cancellationToken), options);
    }

    /// <summary>
    /// Runs a function on the pool for each of the inputs, as many at once as there are workers. While the queue is full, the next
    /// input is not even asked for, so there may be any number of them.
    /// </summary>
    /// <param name="inputs">The inputs; enumerated once, where the caller is or on the .NET ThreadPool.</param>
    /// <param name="work">The function; its token is cancelled when the caller's is, or at a stop that missed its deadline.</param>
    /// <param name="cancellationToken">Cancels what has not ended, and submits no more.</param>
    /// <param name="options">What else to say about each call.</param>
    /// <returns>
    /// The results, in the order of the inputs, when every call has ended. If some have failed, the task has failed with all their
    /// exceptions; if an input could not be submitted (the pool was closed, the token cancelled), those after it have not been either.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    public Task<TResult[]> RunAllAsync<TInput, TResult>(
        IEnumerable<TInput> inputs, Func<TInput, CancellationToken, TResult> work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(work);
        Check(options);
        return SubmitEachAsync(inputs, work, cancellationToken, options with { WaitForSpace = true }).Unwrap();
    }

    /// <summary>Completes when all have been submitted; its result, when all have ended.</summary>
    private async Task<Task<TResult[]>> SubmitEachAsync<TInput, TResult>(
        IEnumerable<TInput> inputs, Func<TInput, CancellationToken, TResult> work, CancellationToken cancellationToken, WorkOptions options)
    {
        var calls = new List<Task<TResult>>();
        try
        {
            foreach (TInput input in inputs)
            {
                Accepted<TResult> call = await SubmitWhenThereIsSpaceAsync<WithArgumentAndToken<TInput, TResult>, TResult>(new(work, input), cancellationToken, options)
                    .ConfigureAwait(false);
                calls.Add(call.Result.AsTask());
            }
        }
        catch (OperationCanceledException e) when (cancellationToken.IsCancellationRequested && e.CancellationToken == cancellationToken)
        {
            calls.Add(Task.FromCanceled<TResult>(cancellationToken));
        }
        catch (Exception e)
        {
            calls.Add(Task.FromException<TResult>(e)); // what has been submitted ends first
        }
        return Task.WhenAll(calls);
    }

    private SubmitResult PostWork<TWork>(in TWork work, CancellationToken cancellationToken, in WorkOptions options)
        where TWork : struct, IWork<Unit>
    {
        Check(options);
        if (options.WaitForSpace) throw new ArgumentException("WaitForSpace may be set where the caller waits, and not with Post.", nameof(options));
        return _core.Submit(new PostedWork<TWork>(_core, work, cancellationToken, options), cancellationToken, options);
    }
}
