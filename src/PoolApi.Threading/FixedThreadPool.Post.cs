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
    /// <param name="work">The action; its token is cancelled when the one in the options is, or at a stop that missed its deadline.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    /// <returns>Whether it was accepted, and why not.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException"><see cref="WorkOptions.WaitForSpace"/> is set: this call cannot wait.</exception>
    [OverloadResolutionPriority(TakesToken)]
    public SubmitResult Post(Action<CancellationToken> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return PostWork(new ActionWithToken(work), options);
    }

    /// <inheritdoc cref="Post(Action{CancellationToken}, WorkOptions)"/>
    /// <param name="work">The action.</param>
    /// <param name="options">What to say about it; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    public SubmitResult Post(Action work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return PostWork(new PlainAction(work), options);
    }

    /// <summary>
    /// Runs a function on the pool for each of the inputs, as many at once as there are workers. While the queue is full, the next
    /// input is not even asked for, so there may be any number of them.
    /// </summary>
    /// <param name="inputs">The inputs; enumerated once, where the caller is or on the .NET ThreadPool.</param>
    /// <param name="work">The function; its token is cancelled when the caller's is, or at a stop that missed its deadline.</param>
    /// <param name="options">What to say about each call; a <see cref="CancellationToken"/> alone may stand in its place.</param>
    /// <returns>
    /// The results, in the order of the inputs, when every call has ended. If some have failed, the task has failed with all their
    /// exceptions; if an input could not be submitted (the pool was closed, the token cancelled), those after it have not been either.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    public Task<TResult[]> RunAllAsync<TInput, TResult>(
        IEnumerable<TInput> inputs, Func<TInput, CancellationToken, TResult> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(work);
        Check(options.Priority, options.MaxQueueTime, options.MaxRunTime);
        return SubmitEachAsync(inputs, work, options with { WaitForSpace = true }).Unwrap();
    }

    /// <summary>Completes when all have been submitted; its result, when all have ended.</summary>
    private async Task<Task<TResult[]>> SubmitEachAsync<TInput, TResult>(
        IEnumerable<TInput> inputs, Func<TInput, CancellationToken, TResult> work, WorkOptions options)
    {
        var calls = new List<Task<TResult>>();
        try
        {
            foreach (TInput input in inputs)
            {
                Accepted<TResult> call = await SubmitWhenThereIsSpaceAsync<WithStateAndToken<TInput, TResult>, TResult>(new(work, input), options)
                    .ConfigureAwait(false);
                calls.Add(call.Result.AsTask());
            }
        }
        catch (OperationCanceledException e) when (options.CancellationToken.IsCancellationRequested && e.CancellationToken == options.CancellationToken)
        {
            calls.Add(Task.FromCanceled<TResult>(options.CancellationToken));
        }
        catch (Exception e)
        {
            calls.Add(Task.FromException<TResult>(e)); // what has been submitted ends first
        }
        return Task.WhenAll(calls);
    }

    private SubmitResult PostWork<TWork>(in TWork work, in WorkOptions options)
        where TWork : struct, IWork<Unit>
    {
        Check(options.Priority, options.MaxQueueTime, options.MaxRunTime);
        if (options.WaitForSpace) throw new ArgumentException("WaitForSpace may be set where the caller waits, and not with Post.", nameof(options));
        return _core.Submit(new PostedWork<TWork>(_core, work, options), options.Submit);
    }
}
