using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <content>Stage 5, answer: what the framework is to write, and what is written in the place of it.</content>
internal sealed partial class PoolRequest
{
    /// <summary>
    /// The work has ended, and the handler may run on: it has run too long and does not listen to its token, or the stop has given it up.
    /// The client is told at once. The context is the handler's until it returns, so the request ends after that. Of what a job was
    /// stored for, the context is its own, and nobody waits.
    /// </summary>
    /// <returns>A result that writes nothing; or the answer, for work that was accepted before.</returns>
    private async ValueTask<object?> AnswerInPlaceAsync(WorkOutcome outcome)
    {
        Task over = DisposeLateResultAsync();
        _accepted?.GoesOn(over);
        _accepted?.Ended(outcome);
        if (_accepted is not null && _response is null) return Rejection.StateUnknown(Pool);
        _isAnswering = true; // the quota goes when the handler has returned: until then the client has a worker
        Func<HttpContext, Task> write = outcome == WorkOutcome.TimedOut ? WriteRunTimeoutAsync : WriteStateUnknownAsync;
        try
        {
            if (_response is { } own && own.TryDetach())
            {
                await own.AnswerAsync(Context, write);
            }
            else if (_response is null && !Context.Response.HasStarted)
            {
                await write(Context);
                await Context.Response.CompleteAsync();
            }
            else
            {
                Context.Abort(); // cut off in the middle, a response must not look as if it were whole
            }
        }
        finally
        {
            if (_accepted is null)
            {
                // A stop that misses its deadline does not wait for the handler, nor does the process. The context is the handler's all the same.
                await over.WaitAsync(_endpoint.Shutdown.Overdue).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (!over.IsCompleted) _lifetime.StopCounting();
                await over;
            }
        }
        return _endpoint.HasHandler ? Results.Empty : null;
    }

    /// <summary>Nobody else disposes of what a handler returns after its request was answered without it.</summary>
    /// <returns>Completes when the handler has returned and its result is gone. Never fails.</returns>
    private async Task DisposeLateResultAsync()
    {
        await ReturnedAsync();
        (object? late, _result) = (_result, null);
        await LateResult.DisposeAsync(late, Context);
    }

    private Task WriteStateUnknownAsync(HttpContext context)
    {
        PrepareInPlace(context);
        return Rejection.StateUnknown(Pool).ExecuteAsync(context);
    }

    private Task WriteRunTimeoutAsync(HttpContext context)
    {
        PrepareInPlace(context);
        return Rejection.RunTimeout(Pool, _endpoint.MaxRunTime).ExecuteAsync(context);
    }

    private void PrepareInPlace(HttpContext context)
    {
        NotStored.Set(Context); // for who looks for that as the response starts
        // The connection takes its next request when this one ends, which may be late. (Other versions of HTTP have streams for that.)
        if (_accepted is null && HttpProtocol.IsHttp11(context.Request.Protocol)) context.Response.Headers.Connection = "close";
    }

    /// <summary>What the work returned. If that is many bytes, they count until the client has read them.</summary>
    private object? Answer()
    {
        object? result = _result;
        _result = null;
        if (StreamedResult.Is(result))
        {
            _answer = new LongAnswer(_endpoint.Shutdown, isStream: true, Cancel);
            return result;
        }
        // The answer of work that was accepted before has no client yet.
        long length = result switch
        {
            _ when _accepted is not null => 0,
            FileContentHttpResult file => file.FileContents.Length,
            BufferedResult buffered => buffered.Length,
            _ => 0,
        };
        if (length <= AnswerBudget.Small) return result;
        if (Pool.Answers.TryTake(Context, length) is not { } lease) return Rejection.AnswersFull(Pool);
        _answer = new LongAnswer(_endpoint.Shutdown, isStream: false, Cancel);
        return new HeldAnswer((IResult)result!, lease);
    }

    /// <summary>Whether a stream was told to end before its end.</summary>
    private bool IsCutOff => _answer is { IsStream: true } && _item.CancellationToken.IsCancellationRequested;

    /// <summary>Cut off in the middle, a response must not look as if it were whole; nor must the result of a job.</summary>
    private Task CutOffAsync()
    {
        if (_accepted is not null) _accepted.Ended(WorkOutcome.Cancelled);
        // Events have no end that could be missed.
        else if (Context.Response.HasStarted && !IsEventStream(Context.Response)) Context.Abort();
        else if (!Context.Response.HasStarted && _answer!.IsOverdue) return Rejection.StateUnknown(Pool).ExecuteAsync(Context);
        return Task.CompletedTask;
    }

    private static bool IsEventStream(HttpResponse response) =>
        response.ContentType?.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>Whether the work itself writes the response, and not into memory.</summary>
    private bool WritesItself => !_endpoint.HasHandler && !_endpoint.Options.ExecuteResult;

    /// <summary>A long answer of a request that nothing waits for but the framework. Written, it ends the request.</summary>
    private sealed class LastAnswer(PoolRequest request, object? answer) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => request.EndAsync(WriteAsync(httpContext));

        private async Task WriteAsync(HttpContext context) => await BufferedResult.WriteAsync(context, answer!);
    }
}
