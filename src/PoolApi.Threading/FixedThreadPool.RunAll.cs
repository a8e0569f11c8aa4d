using PoolApi.Threading.Core;
using PoolApi.Threading.Core.Calls;

namespace PoolApi.Threading;

/// <content>A batch of calls that can be awaited.</content>
public sealed partial class FixedThreadPool
{
    /// <summary>
    /// Runs a function on the pool for each input and collects the results. It applies back-pressure: while the queue is full, it does not
    /// read the next input, so the sequence may be of any length.
    /// </summary>
    /// <param name="inputs">The inputs. Enumerated once, on the calling thread or on the .NET ThreadPool.</param>
    /// <param name="work">The function. Its token is cancelled with <paramref name="cancellationToken"/>, and by a stop that misses its deadline.</param>
    /// <param name="cancellationToken">Cancels the calls that have not ended, and submits no more.</param>
    /// <param name="options">The options of each call. The calls always wait for space.</param>
    /// <returns>
    /// The results in the order of the inputs, when every submitted call has ended. If calls fail, the task fails with all of their exceptions. If
    /// the pool closes or the token is cancelled, the remaining inputs are not submitted. Thread-safe. Costs one task for each input.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range. The message names it and its range.</exception>
    public Task<TResult[]> RunAllAsync<TInput, TResult>(
        IEnumerable<TInput> inputs, Func<TInput, CancellationToken, TResult> work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(work);
        Check(options);
        return SubmitAllAsync(inputs, work, cancellationToken, options.Waiting()).Unwrap();
    }

    /// <summary>Completes when all inputs are submitted. Its result completes when all calls have ended.</summary>
    private async Task<Task<TResult[]>> SubmitAllAsync<TInput, TResult>(
        IEnumerable<TInput> inputs, Func<TInput, CancellationToken, TResult> work, CancellationToken cancellationToken, WorkOptions options)
    {
        Submitter by = _core.SubmitterHere(); // before the first await
        var calls = new List<Task<TResult>>();
        try
        {
            foreach (TInput input in inputs) calls.Add(await SubmitWhenThereIsSpaceAsync(input).ConfigureAwait(false));

            async ValueTask<Task<TResult>> SubmitWhenThereIsSpaceAsync(TInput input)
            {
                while (true)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    var call = Submit<WithArgumentAndToken<TInput, TResult>, TResult>(
                        new(work, input), cancellationToken, options, out short version, out SubmitResult result, by);
                    if (result == SubmitResult.Accepted) return new ValueTask<TResult>(call.Source, version).AsTask();
                    await WaitForSpaceOrThrowAsync(cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException e) when (cancellationToken.IsCancellationRequested && e.CancellationToken == cancellationToken)
        {
            calls.Add(Task.FromCanceled<TResult>(cancellationToken));
        }
        catch (Exception e)
        {
            calls.Add(Task.FromException<TResult>(e)); // as a task, because the result completes only after the submitted calls
        }
        return Task.WhenAll(calls);
    }
}
